"""Groups themselves: drafts that create, rename or delete one; and the tracking of a group that no list tells."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.db import transaction
from django.utils.translation import gettext as _

from membership.audit import record
from membership.errors import BadValue, Reason
from membership.models import Account, Change, Connection, Group, Reading
from membership.plans.drafting import drafter
from membership.plans.wishes import CreateGroup, DeleteGroup, RenameGroup, Wish
from membership.services import drafts, selecting
from membership.services.abilities import abilities
from membership.services.refresh import request_refresh
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.typed import clean
from membership.vocab import AuditAction, ChangeKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LINK_CHARS = 2000


@audited
def draft_create(connection: Connection, name: str, *, members: Iterable[Account] = (), actor: "User") -> Change:
    """Store the plan that creates a group, with `members` where the system takes them at once.

    Raises `BadValue` for a name that is empty or longer than the system takes, `NotAllowed` for what is out of sight.
    """
    need_right(actor, Right.ACT)
    need_visible(connection, actor)
    said = group_name(connection, name)
    accounts = selecting.seen(members, actor)
    member_ids = [account.pk for account in accounts]
    about = {"kind": "group", "do": "create", "connection_id": connection.pk, "members": member_ids, "name": said}
    return _draft(connection, CreateGroup(connection.pk, said, member_ids), about, actor)


@audited
def draft_rename(group: Group, name: str, *, actor: "User") -> Change:
    """Store the plan that renames a group. Raises like `draft_create`."""
    need_right(actor, Right.ACT)
    row = _seen(group, actor)
    said = group_name(row.connection, name)
    about = {"kind": "group", "do": "rename", "group_id": row.pk, "from": _called(row), "name": said}
    return _draft(row.connection, RenameGroup(row.pk, said), about, actor)


@audited
def draft_delete(group: Group, *, actor: "User") -> Change:
    """Store the plan that deletes a group. To confirm it, the group's name has to be typed."""
    need_right(actor, Right.ACT)
    row = _seen(group, actor)
    about = {"kind": "group", "do": "delete", "group_id": row.pk, "name": _called(row)}
    return _draft(row.connection, DeleteGroup(row.pk), about, actor)


def again(selection: Mapping[str, Any], *, actor: "User") -> Change:
    """The same once more, as things are now."""
    if selection["do"] == "create":
        system = Connection.objects.get(pk=selection["connection_id"])
        members = Account.objects.filter(pk__in=selection["members"])
        return draft_create(system, selection["name"], members=members, actor=actor)
    group = Group.objects.get(pk=selection["group_id"])
    if selection["do"] == "rename":
        return draft_rename(group, selection["name"], actor=actor)
    return draft_delete(group, actor=actor)


def _seen(group: Group, actor: "User") -> Group:
    need_visible(group, actor)
    return Group.objects.select_related("connection").get(pk=group.pk)


def _called(group: Group) -> str:
    return group.name or group.remote_id


def _draft(connection: Connection, wish: Wish, about: Mapping[str, Any], actor: "User") -> Change:
    return drafts.draft(ChangeKind.GROUP, [wish], {**about, "system": connection.name}, actor=actor)


def group_name(connection: Connection, name: str) -> str:
    """A name as typed, in one line. Raises `BadValue` when it is empty, or longer than the system takes."""
    said = " ".join(clean(name, key="name", at_most=10 * LINK_CHARS).split())
    limit = abilities(connection).group_name_max
    if not said:
        raise BadValue(Reason.BAD_VALUE, key=_("name"), why=_("it is empty"))
    if len(said) > limit:
        why = _("it has %(count)d characters, and %(system)s takes %(limit)d at most") % {
            "count": len(said),
            "system": connection.name,
            "limit": limit,
        }
        raise BadValue(Reason.BAD_VALUE, key=_("name"), why=why)
    return said


# tracking


@audited
def track(connection: Connection, text: str, *, actor: "User") -> Reading:
    """Track the group that an id or a link names, and have it read. Named again, it is only read again.

    Raises `BadValue` when `text` names no group of this system, `ChangeRefused` where groups are not tracked by id.
    """
    need_right(actor, Right.ACT)
    need_visible(connection, actor)
    typed = clean(text, key="id", at_most=LINK_CHARS)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=connection.pk)
        if not abilities(row).tracks_groups:
            refuse(Reason.NOT_OFFERED)
        named = _tracked_id(row, typed)
        tracked = [each.strip() for each in row.options.get("rooms", "").split(",") if each.strip()]
        if named not in tracked:
            row.options = {**row.options, "rooms": ", ".join([*tracked, named])}
            row.save(update_fields=["options"])
            entry = record.Entry(
                AuditAction.GROUP_TRACKED,
                actor=actor,
                connection_id=row.pk,
                data={"group": named},
                personal={"group_name": named, "system": row.name},
            )
            record.write(record.connection_chain(row.pk), [entry])
    (reading,) = request_refresh(connections=[row], actor=actor)
    return reading


def _tracked_id(connection: Connection, typed: str) -> str:
    """Raises `BadValue` for text that names no group, and for a link to somewhere else."""
    try:
        host = urlsplit(typed).hostname if "://" in typed else None
    except ValueError:
        host = ""
    if host is not None and host != urlsplit(connection.base_url).hostname:
        raise BadValue(
            Reason.BAD_VALUE, key=_("link"), why=_("it does not lead to %(name)s") % {"name": connection.name}
        )
    named = drafter(connection).tracked_id(typed)
    if named is None or "," in named:
        raise BadValue(Reason.BAD_VALUE, key=_("id or link"), why=_("it names no group"))
    return named
