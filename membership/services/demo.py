"""The demo at the panel: its systems connected, its people linked, a preview ready to confirm."""

import re
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from membership.errors import BadValue, Reason
from membership.models import Account, Change, Connection, Group, Participant, Person
from membership.services import people, removal
from membership.services.connections import Limits, connect
from membership.vocab import ChangeState, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# The sandbox has no limits of its own: the first reading should not keep anybody waiting.
LIMITS = Limits(rate_per_s=100, burst=10, concurrency=8, timeout_s=10, settle_s=5)
LEAVE_EACH_GROUP = 3
LOOK_EVERY_S = 0.5
LONGEST_PLAIN_NAME = 40


@dataclass(frozen=True, slots=True)
class DemoSystem:
    """What is needed to connect one system."""

    provider: str
    name: str
    url: str
    options: Mapping[str, str]
    secrets: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Loaded:
    """`change` is None while the systems are not read yet."""

    change: Change | None
    path: str = ""
    groups: int = 0
    participants: int = 0
    people: int = 0


def load(systems: Sequence[DemoSystem], *, wait_s: float) -> Loaded:
    """Bring the panel to the demo: safe to repeat, and whatever was done with it since stays.

    Waits at most `wait_s` for a worker to read the systems.
    """
    owner = _owner()
    rows = [
        connect(
            each.provider, each.name, each.url, each.options, each.secrets, internal=True, limits=LIMITS, actor=owner
        )
        for each in systems
    ]
    ids = [row.pk for row in rows]
    if not _wait_until_read(ids, wait_s):
        return Loaded(None)
    link_equal_emails(ids, actor=owner)
    change = _open_preview(owner) or draft_some_removals(ids, actor=owner)
    return Loaded(
        change,
        reverse("admin:membership_change_page", args=[change.pk]),
        Group.objects.filter(connection_id__in=ids, is_present=True).count(),
        Participant.objects.filter(group__connection_id__in=ids, is_present=True).count(),
        Person.objects.count(),
    )


def link_equal_emails(connection_ids: Sequence[int], *, actor: "User") -> int:
    """A person for each e-mail address, case aside, in these systems. Accounts that are linked already stay so."""
    same: dict[str, list[Account]] = defaultdict(list)
    known = Account.objects.filter(connection_id__in=connection_ids, is_present=True, is_own=False)
    for account in known.exclude(email=None).exclude(email="").order_by("pk"):
        same[(account.email or "").casefold()].append(account)
    made = 0
    for accounts in same.values():
        if any(account.person_id is None for account in accounts):
            people.link_accounts(accounts, name=accounts[0].label, actor=actor)
            made += 1
    return made


def draft_some_removals(connection_ids: Sequence[int], *, actor: "User") -> Change:
    """A preview in which a few people leave one group of each system."""
    chosen = [pk for connection_id in connection_ids for pk in _some_of_one_group(connection_id)]
    rows = Participant.objects.filter(pk__in=chosen)
    return removal.draft_removal(rows, actor=actor, selection={"kind": "ids", "ids": chosen, "demo": True})


def _some_of_one_group(connection_id: int) -> list[int]:
    plain = Group.objects.filter(
        connection_id=connection_id, is_present=True, archived=False, managed_elsewhere=False, is_protected=False
    )
    large = plain.filter(participants_count__gt=2 * LEAVE_EACH_GROUP).order_by("name", "pk")
    for group in sorted(large, key=lambda group: _is_odd(group.name)):
        rows = Participant.objects.filter(group=group, is_present=True, is_manager=False, account__is_own=False)
        # Linked people only: their names say more than an unmatched row.
        named = list(rows.exclude(account__person=None).order_by("label", "pk").values_list("pk", "label"))
        if len(named) >= LEAVE_EACH_GROUP:
            return [pk for pk, label in sorted(named, key=lambda row: _is_odd(row[1]))[:LEAVE_EACH_GROUP]]
    return []


def _is_odd(name: str) -> bool:
    """Whether a name is more than a few words: the demo has hostile ones, which a first look need not begin with."""
    return re.fullmatch(r"[^\W\d_]+([ -][^\W\d_]+)*", name) is None or len(name) > LONGEST_PLAIN_NAME


def _open_preview(owner: "User") -> Change | None:
    """The demo's preview, if it can still be confirmed."""
    drafts = Change.objects.filter(state=ChangeState.DRAFT, requested_by=owner, stale_at__gt=timezone.now())
    return next((change for change in drafts if change.selection.get("demo")), None)


def _wait_until_read(connection_ids: Sequence[int], wait_s: float) -> bool:
    ends = time.monotonic() + wait_s
    unread = Connection.objects.filter(Q(read_at=None) | Q(groups_read_at=None), pk__in=connection_ids)
    while unread.exists():
        if time.monotonic() > ends:
            return False
        time.sleep(LOOK_EVERY_S)
    return True


def _owner() -> "User":
    owners = get_user_model().objects.filter(groups__name=Role.OWNER.value, is_active=True)
    found = owners.order_by("pk").first()
    if found is None:
        raise BadValue(Reason.BAD_VALUE, key="user", why="the demo needs an owner: `manage.py serve --prepare`")
    return found
