"""Everywhere an account takes part, and whose the rows are that do not say so."""

from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, Max, Q, QuerySet
from django.utils import timezone

from membership import crash
from membership.errors import Reason
from membership.mirror import writer
from membership.models import Account, Group, Participant, Presence
from membership.operations.reading_lists import read_groups, read_participants
from membership.operations.reading_look import Look, Steps, told_by
from membership.providers.base import AccountRef, Places, RemotePlace
from membership.providers.errors import ProviderError, Refused


@dataclass(frozen=True, slots=True)
class Told:
    """What the remote told about one account."""

    account: Account
    places: tuple[RemotePlace, ...]
    asked_at: datetime

    @property
    def row_ids(self) -> frozenset[str]:
        return frozenset(place.participant_id for place in self.places)


class Sweep:
    """Links rows to accounts by asking for each account's places.

    A remote that ignored whom the question is about would tell everybody's rows, and link all of them to the first
    account. So no row is linked before the remote told two accounts apart.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._held: list[Told] = []
        self._answers = 0
        self.linked = 0
        self.is_refused = False

    def ask(self, account: Account) -> Generator[None, None, Told | None]:
        """The places of one account; None when they could not be read, which is noted."""
        look, asked_at = self._look, timezone.now()
        places: list[RemotePlace] = []
        try:
            with closing(told_by(lambda: look.provider.places(AccountRef(account.remote_id)))) as source:
                for place in source:
                    places.append(place)
                    if look.may_yield():
                        yield
        except ProviderError as error:
            look.note(look.judge(error))
            self.is_refused = isinstance(error, Refused)
            return None
        look.ended_well()
        look.rows_seen += len(places)
        return Told(account, tuple(places), asked_at)

    def take(self, told: Told) -> bool:
        """Link what was told, as soon as it can be believed. False: the remote does not tell accounts apart."""
        self._answers += 1
        self._held.append(told)
        rows = [row_id for held in self._held for row_id in held.row_ids]
        if len(rows) != len(set(rows)):
            self._held.clear()
            self._look.note((Reason.ANSWER_UNEXPECTED, {"status": 200}))
            return False
        if self._answers > 1 or not rows:
            self._link_held()
        return True

    def prove(self) -> Steps:
        """Ask for another account's places when all that was told is one account's."""
        if not self._held:
            return
        others = Account.objects.filter(connection=self._look.connection, is_present=True)
        control = others.exclude(pk=self._held[0].account.pk).order_by("places_asked_at", "pk").first()
        if control is None:
            self._link_held()
            return
        yield
        told = yield from self.ask(control)
        if told is not None:
            self.take(told)

    def _link_held(self) -> None:
        for told in self._held:
            self.linked += link(self._look, told).linked
        self._held.clear()


def link(look: Look, told: Told) -> writer.Links:
    """Link the rows that were told to their account. Rows that are somebody else's already are left, and noted."""
    with look.writing():
        links = writer.link_rows(look.connection, dict.fromkeys(told.row_ids, told.account.remote_id))
        is_known = not links.taken and not links.unknown
        writer.note_places_asked(told.account.pk, at=told.asked_at, is_known=is_known)
    crash.point("reading.linked")
    if links.taken:
        look.note((Reason.ANSWER_UNEXPECTED, {"status": 200}))
    return links


def link_unmatched(look: Look) -> Steps:
    """Find out whose the rows are that no account is linked to, while there are any.

    An account that was asked for after the newest of them appeared is not asked for again: it has none of them.
    """
    unmatched = Participant.objects.filter(
        group__connection=look.connection, group__is_present=True, is_present=True, account=None
    ).order_by()
    newest = Presence.objects.filter(participant__in=unmatched, until=None).aggregate(at=Max("since"))["at"]
    if newest is None:
        return
    names, left = set(unmatched.values_list("label", flat=True)), unmatched.count()
    due = Account.objects.filter(connection=look.connection, is_present=True)
    due = due.filter(Q(places_asked_at=None) | Q(places_asked_at__lt=newest))
    sweep = Sweep(look)
    for account in _likely_first(due, names):
        if sweep.linked >= left or sweep.is_refused:
            break
        look.stand_back()
        yield
        told = yield from sweep.ask(account)
        if told is not None and not sweep.take(told):
            break
        look.go_on()
    yield from sweep.prove()


def _likely_first(due: "QuerySet[Account]", names: set[str]) -> list[Account]:
    """Those with the name of an unmatched row, then those that were asked for longest ago."""
    oldest_first = due.order_by(F("places_asked_at").asc(nulls_first=True), "pk").only("remote_id", "label")
    return sorted(oldest_first, key=lambda account: account.label not in names)


def read_places(look: Look) -> Steps:
    """Everywhere the reading's account takes part."""
    account = look.reading.account
    assert account is not None  # noqa: S101 - whoever asks for places names the account
    if look.provider.capabilities.places is Places.REMOTE:
        yield from _ask_remote(look, account)
    else:
        yield from _read_everything(look, account)


def _read_everything(look: Look, account: Account) -> Steps:
    """Where only complete readings of all groups tell."""
    yield from _list_groups(look)
    for group_id in list(_due(look).values_list("pk", flat=True)):
        yield
        yield from read_participants(look, Group.objects.get(pk=group_id))
    look.catch_up()
    left = _unread(look).order_by("pk").first()
    if left is not None:
        look.note((Reason(left.incomplete_reason or Reason.READING_FAILED), left.incomplete_params))
    if look.problem is None:
        with look.writing():
            writer.note_places_asked(account.pk, at=look.started_at, is_known=True)


def _ask_remote(look: Look, account: Account) -> Steps:
    sweep = Sweep(look)
    told = yield from sweep.ask(account)
    if told is None or not sweep.take(told):
        return
    yield from sweep.prove()
    if look.problem is None:
        yield from _find_rows(look, told)


def _find_rows(look: Look, told: Told) -> Steps:
    """Read the groups whose rows the mirror does not hold, or holds although the remote tells of them no more."""
    of_account = Participant.objects.filter(account=told.account, is_present=True)
    doubtful = set(of_account.exclude(remote_id__in=told.row_ids).values_list("group_id", flat=True))
    unknown = link(look, told).unknown
    if unknown:
        yield from _list_groups(look)
    named = {place.group_id for place in told.places if place.participant_id in unknown}
    groups = list(_due(look).values_list("pk", "remote_id"))
    groups.sort(key=lambda pair: (pair[0] not in doubtful, pair[1] not in named))
    for group_id, _ in groups:
        if group_id not in doubtful and not unknown:
            break
        yield
        yield from read_participants(look, Group.objects.get(pk=group_id))
        unknown = link(look, told).unknown
    if unknown:
        look.note((Reason.PLACES_NOT_KNOWN, {"rows": len(unknown)}))


def _list_groups(look: Look) -> Steps:
    listed_at = look.connection.groups_read_at
    if listed_at is None or listed_at < look.reading.asked_at:
        yield
        yield from read_groups(look)


def _unread(look: Look) -> "QuerySet[Group]":
    """Groups whose last complete reading began before this one was asked for."""
    groups = Group.objects.filter(connection=look.connection, is_present=True)
    return groups.filter(Q(read_at=None) | Q(read_at__lt=look.reading.asked_at))


def _due(look: Look) -> "QuerySet[Group]":
    """Of those, the ones that this reading has not tried."""
    return _unread(look).filter(Q(tried_at=None) | Q(tried_at__lt=look.started_at)).order_by("read_at", "pk")
