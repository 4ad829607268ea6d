"""Small pieces of pages: names from remotes made inert, times with their zone, tags with a word in each."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from membership.models import Account, Connection, Group, Participant, RosterState
from membership.sentences import sentence
from membership.services import inert
from membership.vocab import (
    ChangeState,
    ConnectionState,
    DriftKind,
    ErasureState,
    OperationState,
    ReadingState,
    StageState,
)

NOTHING = format_html('<span class="mu-quiet mu-nothing">{}</span>', "–")

VARIANTS: dict[str, str] = {
    ConnectionState.ACTIVE: "good",
    ConnectionState.PAUSED: "bad",
    ConnectionState.MAINTENANCE: "warning",
    ConnectionState.RETIRED: "plain",
    ChangeState.DRAFT: "plain",
    ChangeState.WAITING: "warning",
    ChangeState.REJECTED: "bad",
    ChangeState.QUEUED: "info",
    ChangeState.RUNNING: "info",
    ChangeState.PAUSED: "warning",
    ChangeState.DONE: "good",
    ChangeState.DONE_WITH_FAILURES: "warning",
    ChangeState.CANCELLED: "plain",
    ChangeState.STALE: "plain",
    StageState.RUNNING: "info",
    StageState.READING: "info",
    StageState.AS_WISHED: "good",
    StageState.DIFFERS: "warning",
    OperationState.PLANNED: "plain",
    OperationState.IN_DOUBT: "warning",
    OperationState.FOREIGN: "warning",
    OperationState.CONFIRMED: "good",
    OperationState.REFUSED: "bad",
    ReadingState.WANTED: "info",
    ReadingState.COMPLETE: "good",
    ReadingState.INCOMPLETE: "warning",
    ReadingState.FAILED: "bad",
    RosterState.COLUMNS: "warning",
    RosterState.ASKING: "warning",
    ErasureState.ASKED: "warning",
    ErasureState.DONE: "good",
    DriftKind.JOINED: "good",
    DriftKind.LEFT: "warning",
    DriftKind.ALTERED: "info",
}
"""Colour of a state's tag. The word in the tag says the same; what is not named here is plain."""


def name(text: object) -> SafeString:
    """What a remote or a person typed: escaped, isolated from its surroundings, control characters made visible."""
    return format_html("<bdi>{}</bdi>", inert.inert(str(text)))


def tag(word: object, variant: str = "plain") -> SafeString:
    return format_html('<span class="mu-tag mu-tag-{}">{}</span>', variant, word)


def state_tag(row: Any, field: str = "state") -> SafeString:
    """The tag of a row's state, kind or the like: its word, and a colour."""
    value = getattr(row, field)
    return tag(getattr(row, f"get_{field}_display")(), VARIANTS.get(value, "plain"))


def yes_no(value: bool | None) -> SafeString:
    """Yes or no in words; a dash where the remote does not say."""
    if value is None:
        return NOTHING
    return format_html("{}", _("yes") if value else _("no"))


def zone() -> str:
    return timezone.get_current_timezone_name()


def moment_text(at: datetime, clock: str = "H:i", *, now: datetime | None = None) -> str:
    """A time as short as it can be said: `10:04` today, `12 Nov 10:04` this year, else with the year."""
    here = timezone.localtime(at)
    today = timezone.localtime(now or timezone.now())
    if here.date() == today.date():
        return date_format(here, clock)
    return date_format(here, f"j M {clock}" if here.year == today.year else f"j M Y {clock}")


def full_moment(at: datetime) -> str:
    """A time with everything: date, seconds, zone."""
    return f"{date_format(timezone.localtime(at), 'j F Y H:i:s')} ({zone()})"


def moment(at: datetime | None, clock: str = "H:i") -> SafeString:
    """A time, short, with date, seconds and zone on hover and for machines."""
    if at is None:
        return NOTHING
    said = moment_text(at, clock)
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), full_moment(at), said)


def day(on: date) -> str:
    """A day as short as it can be said: with its year only where that is another one."""
    return date_format(on, "j M" if on.year == timezone.localdate().year else "j M Y")


def until(last_day: date | None) -> SafeString:
    """The last day of somebody in a group; nothing where none is said."""
    if last_day is None:
        return SafeString("")
    return tag(_("until %(day)s") % {"day": date_format(last_day, "j M Y")}, "info")


def as_of(at: datetime | None) -> SafeString:
    """How old our knowledge is."""
    if at is None:
        return format_html("{}", _("not read yet"))
    return format_html(_("as of {}"), moment(at))


def user(row: Any) -> SafeString:
    """A user of the panel; where there is none, the worker did it on its own."""
    return name(row.get_full_name() or row.get_username()) if row else format_html("{}", "Musterbook")


def link(address: str, text: object) -> SafeString:
    return format_html('<a class="mu-link" href="{}">{}</a>', address, text)


def two(main: object, below: object) -> SafeString:
    """Two lines: what it is, and what tells it from others."""
    return format_html('<span class="mu-two"><strong>{}</strong><span class="mu-quiet">{}</span></span>', main, below)


def page(row: Any) -> str:
    """Address of a row's page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_page", args=[row.pk])


def listing(model: Any, **filters: object) -> str:
    """Address of a list, filtered."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{address}?{urlencode(filters)}" if filters else address


def role(row: Participant) -> SafeString:
    """Member, manager, or both."""
    if row.is_manager and row.is_member:
        return format_html("{} {}", tag(_("manager"), "warning"), _("member"))
    if row.is_manager:
        return tag(_("manager, not a member"), "warning")
    return format_html("{}", _("member"))


def group_tags(group: Group) -> SafeString:
    """What is special about a group, in words."""
    found = SafeString("")
    if not group.is_present:
        found += tag(_("gone"), "bad")
    if group.archived:
        found += tag(_("archived"))
    if group.is_protected:
        found += tag(_("protected"), "info")
    if group.managed_elsewhere:
        found += tag(_("managed elsewhere"), "info")
    if group.grants:
        found += tag(_("administers"), "bad")
    return format_html('<span class="mu-tags">{}</span>', found) if found else NOTHING


def account_tags(account: Account) -> SafeString:
    """What is special about an account, in words."""
    found = SafeString("")
    if account.is_own:
        found += tag(_("Musterbook's own"), "info")
    if not account.is_present:
        found += tag(_("gone"), "bad")
    if not account.active:
        found += tag(_("not active"), "warning")
    if account.virtual:
        found += tag(_("virtual"))
    if account.email_blocked_at:
        found += tag(_("e-mail blocked"), "warning")
    if account.delete_requested_at:
        found += tag(_("deletion asked for"), "warning")
    return format_html('<span class="mu-tags">{}</span>', found) if found else NOTHING


def system_state(row: Connection) -> SafeString:
    """Working, slowed or stopped, and why."""
    if row.state != ConnectionState.ACTIVE:
        why = sentence(row.state_reason, row.state_params) if row.state_reason else ""
        return format_html("{} {}", state_tag(row), inert.inert(why))
    if row.slowed_until and row.slowed_until > timezone.now():
        why = sentence(row.slowed_reason, row.slowed_params) if row.slowed_reason else ""
        return format_html("{} {}", tag(_("slowed"), "warning"), inert.inert(why))
    return state_tag(row)


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    """Which fields differ, and how: "muted: no → yes"."""
    keys = [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]
    if not before or not after:
        return ""
    words = {"is_member": _("member"), "is_manager": _("manager"), "can_write": _("can write"), "is_muted": _("muted")}
    changed = (f"{words.get(key, key)}: {_said(before.get(key))} → {_said(after.get(key))}" for key in keys)
    return inert.inert("; ".join(changed))


def _said(value: object) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return "–" if value in (None, "") else str(value)


def there(state: Mapping[str, Any]) -> str:
    """What somebody is in a group, from a stored state: "manager, member", "not there"."""
    if not state.get("is_present"):
        return _("not there")
    words = [word for key, word in (("is_manager", _("manager")), ("is_member", _("member"))) if state.get(key)]
    return ", ".join(words) or _("there, on no list")


BARS: dict[str, str] = {
    OperationState.CONFIRMED: "good",
    OperationState.NOT_NEEDED: "good",
    OperationState.REFUSED: "bad",
    OperationState.IN_DOUBT: "warning",
    OperationState.FOREIGN: "warning",
    OperationState.OVERTAKEN: "plain",
    OperationState.CANCELLED: "plain",
}


def bar(state: str, percent: float) -> SafeString:
    """One piece of a progress bar; what has not ended is the bar's empty rest."""
    if state not in BARS:
        return SafeString("")
    return format_html('<span class="mu-progress-{}" style="width: {}%"></span>', BARS[state], f"{percent:.2f}")
