"""The lists of a system, each read to its end or not: accounts, groups, the participants of one group."""

from collections.abc import Generator
from functools import partial

from django.utils import timezone

from membership import crash
from membership.errors import Reason
from membership.mirror import writer
from membership.models import Connection, Group
from membership.operations.reading_look import Look, Steps, told_by
from membership.providers.base import GroupRef, RemoteGroup
from membership.providers.errors import NotFound, ProviderError

ROWS_GONE_AT_ONCE = 250


def read_accounts(look: Look) -> Steps:
    """All accounts. Those that a complete list does not hold are gone."""
    began_at = timezone.now()
    listing = writer.AccountListing(look.connection, began_at=began_at)
    problem = yield from look.take_in(look.provider.accounts, listing)
    problem = problem or listing.problem()
    if problem is None:
        look.in_chunks(listing.missing(), listing.remove)
    else:
        look.note(problem)
    with look.writing():
        writer.mark_own(look.connection)
        if problem is None:
            Connection.objects.filter(pk=look.connection.pk).update(accounts_read_at=began_at)
            look.connection.accounts_read_at = began_at
    crash.point("reading.accounts")
    look.go_on()


def read_groups(look: Look) -> Steps:
    """All groups. One that a complete list does not hold is asked for by id before it counts as gone."""
    began_at = timezone.now()
    listing = writer.GroupListing(look.connection, began_at=began_at, reading_id=look.reading.pk)
    problem = yield from look.take_in(look.provider.groups, listing)
    problem = problem or listing.problem()
    if problem is None:
        problem = yield from _ask_for_missing(look, listing)
    crash.point("reading.groups")
    if problem is None:
        with look.writing():
            Connection.objects.filter(pk=look.connection.pk).update(groups_read_at=began_at)
        look.connection.groups_read_at = began_at
    else:
        look.note(problem)
    look.go_on()


def _ask_for_missing(look: Look, listing: writer.GroupListing) -> Generator[None, None, writer.Problem | None]:
    problem = None
    for known in listing.missing():
        look.stand_back()
        yield
        problem = ask_for_group(look, Group.objects.get(pk=known.pk), is_listed=False) or problem
        look.go_on()
    return problem


def ask_for_group(look: Look, group: Group, *, is_listed: bool) -> writer.Problem | None:
    """Ask for one group by id, and keep what is said. Returns why it is not known what became of it."""
    began_at = timezone.now()
    try:
        [found] = told_by(lambda: iter([look.provider.get_group(reference(group))]))
    except NotFound:
        look.ended_well()
        if look.provider.capabilities.tells_gone:
            _end(look, group)
            return None
        with look.writing():
            writer.lost_sight(group, began_at=began_at)
        return Reason.GROUP_VANISHED, {}
    except ProviderError as error:
        problem = look.judge(error)
        with look.writing():
            writer.note_problem(group, problem, began_at=began_at)
        return problem
    look.ended_well()
    _keep(look, found)
    return None if is_listed else (Reason.GROUP_VANISHED, {})


def _keep(look: Look, found: RemoteGroup) -> None:
    listing = writer.GroupListing(look.connection, began_at=timezone.now(), reading_id=look.reading.pk)
    listing.take([found])
    look.flush(listing)


def _end(look: Look, group: Group) -> None:
    """The remote says that the group is not there: nobody takes part in it any more."""
    began_at = timezone.now()
    ended = -1
    while ended:
        with look.writing():
            ended = writer.empty_gone(group, began_at=began_at, limit=ROWS_GONE_AT_ONCE)
        look.rows_changed += ended
    with look.writing():
        is_drift = group.is_present and look.connection.groups_read_at is not None
        writer.mark_gone(group, began_at=began_at, reading_id=look.reading.pk, is_drift=is_drift)


def read_participants(look: Look, group: Group) -> Steps:
    """Who is in one group. Those that a complete list does not hold are gone."""
    listing = writer.ParticipantListing(
        group, began_at=timezone.now(), accounts=look.accounts, reading_id=look.reading.pk
    )
    listing.accept_fewer = look.reading.accept_fewer and look.reading.group_id == group.pk
    problem = yield from look.take_in(partial(look.provider.participants, reference(group)), listing)
    problem = problem or listing.problem()
    if problem is None:
        look.in_chunks(listing.missing(), listing.remove)
    crash.point("reading.participants")
    look.later(partial(writer.conclude, group, problem, began_at=listing.began_at))
    look.go_on()


def reference(group: Group) -> GroupRef:
    return GroupRef(group.remote_id, group.remote_number)
