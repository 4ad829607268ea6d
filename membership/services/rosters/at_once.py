"""A list from the command line: uploaded, matched and previewed in one go, in the name of a user of the panel."""

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db.models import Q

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Change, Group, Roster, RosterState, visible_to
from membership.services.changes import confirm_change
from membership.services.rosters import columns, uploading, work

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def user_named(name: str) -> "User":
    """The active user of the panel in whose name it is done. Raises `NotAllowed` where there is none."""
    user = get_user_model().objects.filter(username=name, is_active=True).first()
    if user is None:
        raise NotAllowed(Reason.NO_RIGHT)
    return user


def group_named(text: str, *, actor: "User") -> Group:
    """The group of this name or id there; "System/Group" where several have it. Raises `BadValue`, naming them."""
    system, _slash, name = text.rpartition("/")
    groups = visible_to(Group.objects.filter(is_present=True).select_related("connection"), actor)
    found = list(groups.filter(Q(name=text) | Q(remote_id=text))[:10])
    if system and not found:
        found = list(groups.filter(Q(name=name) | Q(remote_id=name), connection__name=system)[:10])
    if len(found) == 1:
        return found[0]
    named = ", ".join(f"{group.connection.name}/{group.name}" for group in found)
    raise BadValue(Reason.BAD_VALUE, key="--group", why=named or text)


def preview_list(
    group: Group,
    mode: str,
    file_name: str,
    pieces: Iterable[bytes],
    *,
    headings: Mapping[str, str],
    until: dt.date | None = None,
    actor: "User",
) -> Roster:
    """Upload, match and plan a list here and now. What only a person can confirm is left out, and named in the sheet.

    `headings`: `{use: heading}`, where they are not those that are remembered for the system. `until`: as `upload`.
    """
    roster = work.work_until_it_asks(uploading.upload(group, mode, file_name, pieces, until=until, actor=actor))
    if headings and roster.state in (RosterState.ASKING, RosterState.DONE):
        roster = uploading.choose_again(roster, actor=actor)
    if roster.state == RosterState.COLUMNS:
        roster = work.work_until_it_asks(_with_columns(roster, headings, actor))
    if roster.state == RosterState.ASKING:
        roster = work.work_until_it_asks(uploading.confirm_rows(roster, (), actor=actor))
    if roster.reason:
        raise ChangeRefused(Reason(roster.reason), **roster.reason_params)
    return roster


def _with_columns(roster: Roster, headings: Mapping[str, str], actor: "User") -> Roster:
    known = list(roster.headings)
    for use, heading in headings.items():
        if use not in columns.USES or heading not in known:
            raise BadValue(Reason.BAD_VALUE, key=f"--column {use}", why=", ".join(known))
    chosen = {use: known.index(heading) for use, heading in headings.items()} or roster.columns
    return uploading.choose_columns(roster, chosen, actor=actor)


def confirm_list(change: Change, *, reason: str, number: int | None, actor: "User") -> Change:
    """Confirm the preview. Raises `ChangeRefused` where the number of people has to be named and is not; the preview
    stays then, to be confirmed at the panel."""
    return confirm_change(
        change, actor=actor, reason=reason, expected_hash=change.plan_hash, typed_number=number, ticket=""
    )
