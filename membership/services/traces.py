"""Everything that is stored about one person: what a report lists, and what an erasure empties."""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from unicodedata import normalize
from urllib.parse import quote_plus, unquote_plus

from django.db.models import Q, QuerySet

from membership.audit import chain as chains
from membership.models import (
    Account,
    AuditEntry,
    AuditPersonal,
    Change,
    Drift,
    Ending,
    Leaving,
    LeftOut,
    LinkProposal,
    Merging,
    Operation,
    Participant,
    PendingPlan,
    Person,
    RosterRow,
    RowOutcome,
)
from membership.vocab import ERASED, AuditAction, ChangeKind, Verb

_AT_ONCE = 500
_LISTING = frozenset(
    {
        AuditAction.DRIFT_ADOPTED,
        AuditAction.DRIFT_IGNORED,
        AuditAction.DRIFT_REVERTED,
        AuditAction.PERSON_LINKED,
        AuditAction.PERSON_UNLINKED,
        AuditAction.PROPOSAL_REJECTED,
    }
)
"""Actions whose entries name several people, and have their ids in what is sealed."""


@dataclass(frozen=True, slots=True)
class Namesakes:
    """Others who are called exactly so. What refers to them means them by that name."""

    names: frozenset[str] = frozenset()
    people: frozenset[int] = frozenset()
    accounts: frozenset[int] = frozenset()
    participants: frozenset[int] = frozenset()

    def are_in(self, refs: Mapping[str, int | None]) -> bool:
        return (
            refs.get("person") in self.people
            or refs.get("account") in self.accounts
            or refs.get("participant") in self.participants
        )


@dataclass(frozen=True, slots=True)
class Traces:
    """Ids of the rows, and the names by which texts may mention the person."""

    person_id: int
    former: frozenset[int]
    """Numbers of people who became part of the person."""
    accounts: frozenset[int]
    participants: frozenset[int]
    operations: frozenset[int]
    changes: frozenset[int]
    """Changes that concern nobody else."""
    creations: frozenset[int] = frozenset()
    """Steps that make a group with the person, and maybe others, in it: they say so by ids there."""
    names: frozenset[str] = field(default_factory=frozenset)
    """Every name and e-mail, as it is stored."""
    namesakes: Namesakes = Namesakes()
    touched: frozenset[int] = frozenset()
    """Changes that concern the person, alone or among others."""
    modelled: frozenset[int] = frozenset()
    """Changes that give others the groups of the person: their titles name them."""
    drifted: frozenset[int] = frozenset()
    """What was changed outside about the person."""

    @property
    def unmistakable(self) -> list[str]:
        """Names of several words, and e-mails: in a text they mean this person. A single word may mean anybody."""
        return sorted(name for name in self.names if len(name.split()) > 1 or "@" in name)

    def is_told_in(self, text: str, *, but: Collection[str] = ()) -> bool:
        """Whether a text, also one from an address, names the person beyond mistake, by other names than `but`."""
        told = {chains.fold(text), chains.fold(unquote_plus(text))}
        names = [chains.fold(name) for name in self.unmistakable if name not in but]
        return any(name in each and _whole(name).search(each) for name in names for each in told)

    def is_in(self, sealed: Mapping[str, Any], data: str, text: str) -> bool:
        """Whether an entry of this sealed and this personal part is about the person, or tells of them: as below."""
        refs: Mapping[str, int] = sealed["refs"]
        refers = (
            refs.get("person") in self.people
            or refs.get("account") in self.accounts
            or refs.get("participant") in self.participants
            or refs.get("operation") in self.steps
            or refs.get("change") in self.changes
            or (refs.get("change") in self.modelled and "operation" not in refs)
            or self._lists(sealed, data)
        )
        but = self.namesakes.names if self.namesakes.are_in(refs) else ()
        return refers or self.is_told_in(text, but=but) or self.is_told_in(data, but=but)

    def _is_listed(self, sealed: str, data: str) -> bool:
        try:
            return self._lists(json.loads(sealed), data)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return False  # somebody altered it: whether it tells of the person, its text says

    def _lists(self, sealed: Mapping[str, Any], data: str) -> bool:
        """Whether it names the person among others, and says so by ids, or is about a change of theirs."""
        said: Mapping[str, Any] = sealed["data"] if sealed["action"] in _LISTING else {}
        return (
            not self.accounts.isdisjoint(said.get("accounts", ()))
            or not self.people.isdisjoint(said.get("merged", ()))
            or not self.drifted.isdisjoint(said.get("drifts", ()))
            or (
                sealed["action"] == AuditAction.ENDING_SET
                and sealed["refs"].get("change") in self.touched
                and not self.names.isdisjoint(json.loads(data).get("people", ()))
            )
        )

    # rows

    @property
    def people(self) -> frozenset[int]:
        return self.former | {self.person_id}

    @property
    def steps(self) -> frozenset[int]:
        return self.operations | self.creations

    def entries(self) -> "QuerySet[AuditEntry]":
        """The log's entries that refer to the person, by ids."""
        refers = Q(person_id__in=self.people) | Q(account_id__in=self.accounts) | Q(change_id__in=self.changes)
        refers |= Q(change_id__in=self.modelled, operation_id=None)
        return AuditEntry.objects.filter(
            refers | Q(participant_id__in=self.participants) | Q(operation_id__in=self.steps)
        ).order_by("pk")

    def entries_that_list(self, after: int = 0) -> Iterator[int]:
        """Ids of entries, of those behind `after`, that name the person among others, and refer to these or nobody."""
        listing = AuditEntry.objects.filter(action__in=_LISTING, pk__gt=after)
        of_changes = Q(action=AuditAction.ENDING_SET, change_id__in=self.touched)
        endings = AuditEntry.objects.filter(of_changes, pk__gt=after)
        for rows in (listing, endings):
            found = dict(rows.values_list("pk", "sealed"))
            ids = list(found)
            for start in range(0, len(ids), _AT_ONCE):
                parts = AuditPersonal.objects.filter(pk__in=ids[start : start + _AT_ONCE])
                yield from (pk for pk, data in parts.values_list("pk", "data") if self._is_listed(found[pk], data))

    def entries_that_tell(self, after: int = 0) -> Iterator[int]:
        """Ids of entries, of those behind `after`, whose personal part names the person. Reads all of them."""
        # What an address says in signs of its own is only known once it is read.
        said = Q(text__contains="%")
        for name in self.unmistakable:
            folded, written = chains.fold(name), json.dumps(name, ensure_ascii=False)[1:-1]
            said |= Q(text__contains=folded) | Q(text__contains=quote_plus(folded).casefold())
            # Requests and answers are not part of the text that is searched.
            for form in _forms(written):
                said |= Q(data__icontains=form)
        if not self.unmistakable:
            return
        rows = AuditPersonal.objects.filter(said, pk__gt=after)
        by_name: list[int] = []
        for pk, text, data in rows.values_list("pk", "text", "data").iterator():
            told = (text, data.replace('\\"', '"'))
            if any(self.is_told_in(each, but=self.namesakes.names) for each in told):
                yield pk
            elif self.namesakes.names and any(map(self.is_told_in, told)):
                by_name.append(pk)
        yield from self._not_of_namesakes(by_name)

    def _not_of_namesakes(self, entry_ids: Sequence[int]) -> Iterator[int]:
        for start in range(0, len(entry_ids), _AT_ONCE):
            rows = AuditEntry.objects.filter(pk__in=entry_ids[start : start + _AT_ONCE])
            for pk, *ids in rows.values_list("pk", "person_id", "account_id", "participant_id"):
                if not self.namesakes.are_in(dict(zip(("person", "account", "participant"), ids, strict=True))):
                    yield pk

    def left_outs(self) -> "QuerySet[LeftOut]":
        """By the name: such a row knows no account. Somebody of the same name may be among them."""
        return LeftOut.objects.filter(subject_label__in=self.names)

    def drifts(self) -> "QuerySet[Drift]":
        """By the place; by the name where nobody knows whose place it was."""
        named = Q(label__in=self.names) & Q(participant__account=None)
        return Drift.objects.filter(named | Q(participant_id__in=self.participants) | Q(remote_actor__in=self.names))

    def proposals(self) -> "QuerySet[LinkProposal]":
        return LinkProposal.objects.filter(Q(first_id__in=self.accounts) | Q(second_id__in=self.accounts))

    def list_rows(self) -> "QuerySet[RosterRow]":
        """Rows of uploaded lists: found to be the person, or saying a name or an address of theirs, unless it is known
        that they mean somebody else."""
        found = Q(account_id__in=self.accounts) | Q(participant_id__in=self.participants)
        said = Q(said_name__in=self.names) | Q(said_email__in={name.casefold() for name in self.names} | self.names)
        somebody_else = Q(outcome=RowOutcome.FOUND) & ~Q(account=None)
        return RosterRow.objects.filter(found | (said & ~somebody_else))

    def leavings(self) -> "QuerySet[Leaving]":
        return Leaving.objects.filter(person_id__in=self.people)

    def mergings(self) -> "QuerySet[Merging]":
        """Who became part of the person, and what is kept of the person as part of somebody else."""
        return Merging.objects.filter(Q(person_id=self.person_id) | Q(former_id__in=self.people))

    def endings(self) -> "QuerySet[Ending]":
        return Ending.objects.filter(account_id__in=self.accounts)

    def changes_that_tell(self, *which: Q) -> Iterator[Change]:
        """Changes that name the person: in their reason or ticket, in what was selected, or as they were paused."""
        written = ~Q(reason="") | ~Q(ticket="") | ~Q(selection={}) | ~Q(pause_params={})
        for change in Change.objects.filter(written, *which).iterator():
            said = any(map(self.is_told_in, (change.reason, change.ticket)))
            names = said or any(self.without(each) != each for each in (change.selection, change.pause_params))
            if change.pk in self.changes or (names and not self._is_of_namesake(change.selection)):
                yield change

    def _is_of_namesake(self, selection: Mapping[str, Any]) -> bool:
        """Such a change is of somebody else alone, who is called so."""
        kind = {"matrix": "person"}.get(selection.get("kind", ""), selection.get("kind"))
        return kind in ("person", "account") and self.namesakes.are_in({kind: selection.get("id")})

    def without(self, value: Any, whole: str = "label", key: str = "") -> Any:
        """A stored value without the texts that name the person. Only under the key `whole` a name of a single word
        counts, too: as other values it may be a word of ours."""
        if isinstance(value, dict):
            return {name: self.without(item, whole, name) for name, item in value.items()}
        if isinstance(value, list):
            return [self.without(item, whole, key) for item in value]
        names = isinstance(value, str) and (self.is_told_in(value) or (key == whole and value in self.names))
        return ERASED if names else value

    def pending_plans(self) -> Iterator[PendingPlan]:
        """Plans that are not compiled yet, and wish something about the person."""
        for plan in PendingPlan.objects.select_related("change").iterator():
            if any(self._is_wished(fields) for _kind, fields in plan.wishes):
                yield plan

    def _is_wished(self, fields: Mapping[str, Any]) -> bool:
        joining = {fields.get("account_id"), *fields.get("member_ids", ())}
        label = str(fields.get("label", ""))
        return (
            not joining.isdisjoint(self.accounts)
            or fields.get("participant_id") in self.participants
            or label in self.names
            or self.is_told_in(label)
        )


def traces(person: Person) -> Traces:
    """What refers to `person` now."""
    accounts = {row.pk: row for row in Account.objects.filter(person=person)}
    places = Participant.objects.filter(account_id__in=accounts).values_list("pk", "label")
    participants = dict(places)
    of_person = Q(account_id__in=accounts) | Q(participant_id__in=participants)
    operations = dict(Operation.objects.filter(of_person, erased_at=None).values_list("pk", "subject_label"))
    former = dict(Merging.objects.filter(person=person).values_list("former_id", "name"))
    names = {person.name, *former.values(), *participants.values(), *operations.values()}
    for row in accounts.values():
        names |= {row.label, row.email or ""}
    return Traces(
        person.pk,
        frozenset(former),
        frozenset(accounts),
        frozenset(participants),
        frozenset(operations),
        frozenset(_changes({person.pk, *former}, accounts, operations)),
        frozenset(_creations(accounts.values())),
        told := frozenset(name for name in names if name.strip() and name != ERASED),
        _namesakes(told, {person.pk, *former}, accounts),
        frozenset(Change.objects.filter(operations__in=operations).values_list("pk", flat=True)),
        frozenset(Change.objects.filter(_as_they_are({person.pk, *former})).values_list("pk", flat=True)),
        frozenset(Drift.objects.filter(participant_id__in=participants).values_list("pk", flat=True)),
    )


def _as_they_are(people: Collection[int]) -> Q:
    return Q(kind=ChangeKind.SAME_GROUPS, selection__kind="same_groups", selection__as__in=list(people))


def _namesakes(names: frozenset[str], people: Collection[int], accounts: Collection[int]) -> Namesakes:
    called = dict(Account.objects.filter(label__in=names).exclude(pk__in=accounts).values_list("pk", "label"))
    persons = dict(Person.objects.filter(name__in=names).exclude(pk__in=people).values_list("pk", "name"))
    places = Participant.objects.filter(account_id__in=called).values_list("pk", flat=True)
    shared = frozenset({*called.values(), *persons.values()})
    return Namesakes(shared, frozenset(persons), frozenset(called), frozenset(places))


def _changes(people: Iterable[int], accounts: Iterable[int], operations: Iterable[int]) -> set[int]:
    ours = set(operations)
    touched = Change.objects.filter(operations__in=ours).distinct()
    alone = {
        change.pk
        for change in touched
        if set(Operation.objects.filter(change=change).values_list("pk", flat=True)) <= ours
    }
    by_id = Change.objects.filter(
        Q(selection__kind__in=("person", "matrix"), selection__id__in=list(people))
        | Q(selection__kind="account", selection__id__in=list(accounts))
    )
    return alone | set(by_id.values_list("pk", flat=True))


def _creations(accounts: Iterable[Account]) -> Iterator[int]:
    ids = {(row.connection_id, row.remote_id) for row in accounts}
    rows = Operation.objects.filter(verb=Verb.CREATE_GROUP, connection__in={system for system, _id in ids})
    for pk, system, wanted in rows.values_list("pk", "connection_id", "wanted"):
        if any((system, member) in ids for member in wanted.get("members", ())):
            yield pk


def _forms(name: str) -> set[str]:
    """As others may write it. SQLite knows the case of ASCII letters alone."""
    if name.isascii():
        return {name}
    cases = {name, name.upper(), name.lower(), name.title()}
    return {normalize(form, each) for each in cases for form in ("NFC", "NFD")}


def _whole(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")
