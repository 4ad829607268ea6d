"""Everything that is stored about one person: what a report lists, and what an erasure empties."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
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
    Person,
    RosterRow,
)
from membership.vocab import ERASED


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
    names: frozenset[str] = field(default_factory=frozenset)
    """Every name and e-mail, as it is stored."""

    @property
    def unmistakable(self) -> list[str]:
        """Names of several words, and e-mails: in a text they mean this person. A single word may mean anybody."""
        return sorted(name for name in self.names if " " in name.strip() or "@" in name)

    def is_told_in(self, text: str) -> bool:
        """Whether a text, also one from an address, names the person beyond mistake."""
        told = {chains.fold(text), chains.fold(unquote_plus(text))}
        names = [chains.fold(name) for name in self.unmistakable]
        return any(name in each and _whole(name).search(each) for name in names for each in told)

    def is_in(self, refs: Mapping[str, int], *texts: str) -> bool:
        """Whether an entry with these references and texts is about the person, or tells of them: as the two below."""
        refers = (
            refs.get("person") in self.people
            or refs.get("account") in self.accounts
            or refs.get("participant") in self.participants
            or refs.get("operation") in self.operations
            or refs.get("change") in self.changes
        )
        return refers or any(map(self.is_told_in, texts))

    # rows

    @property
    def people(self) -> frozenset[int]:
        return self.former | {self.person_id}

    def entries(self) -> "QuerySet[AuditEntry]":
        """The log's entries that refer to the person, by ids."""
        refers = Q(person_id__in=self.people) | Q(account_id__in=self.accounts) | Q(change_id__in=self.changes)
        return AuditEntry.objects.filter(
            refers | Q(participant_id__in=self.participants) | Q(operation_id__in=self.operations)
        ).order_by("pk")

    def entries_that_tell(self) -> Iterator[int]:
        """Ids of entries whose personal part names the person. Reads the whole log once a name."""
        for name in self.unmistakable:
            folded, written = chains.fold(name), json.dumps(name, ensure_ascii=False)[1:-1]
            said = Q(text__contains=folded) | Q(text__contains=quote_plus(folded).casefold())
            # Requests and answers are not part of the text that is searched.
            rows = AuditPersonal.objects.filter(said | Q(data__contains=written))
            for pk, text, data in rows.values_list("pk", "text", "data").iterator():
                if self.is_told_in(text) or self.is_told_in(data.replace('\\"', '"')):
                    yield pk

    def left_outs(self) -> "QuerySet[LeftOut]":
        """By the name: such a row knows no account. Somebody of the same name may be among them."""
        return LeftOut.objects.filter(subject_label__in=self.names)

    def drifts(self) -> "QuerySet[Drift]":
        return Drift.objects.filter(
            Q(participant_id__in=self.participants) | Q(label__in=self.names) | Q(remote_actor__in=self.names)
        )

    def proposals(self) -> "QuerySet[LinkProposal]":
        return LinkProposal.objects.filter(Q(first_id__in=self.accounts) | Q(second_id__in=self.accounts))

    def list_rows(self) -> "QuerySet[RosterRow]":
        """Rows of uploaded lists: found to be the person, or saying a name or an address of theirs."""
        found = Q(account_id__in=self.accounts) | Q(participant_id__in=self.participants)
        said = Q(said_name__in=self.names) | Q(said_email__in={name.casefold() for name in self.names} | self.names)
        return RosterRow.objects.filter(found | said)

    def leavings(self) -> "QuerySet[Leaving]":
        return Leaving.objects.filter(person_id__in=self.people)

    def mergings(self) -> "QuerySet[Merging]":
        """Who became part of the person, and what is kept of the person as part of somebody else."""
        return Merging.objects.filter(Q(person_id=self.person_id) | Q(former_id__in=self.people))

    def endings(self) -> "QuerySet[Ending]":
        return Ending.objects.filter(account_id__in=self.accounts)

    def changes_that_tell(self) -> Iterator[Change]:
        """Changes that name the person: in their reason, or in what was selected."""
        for change in Change.objects.filter(~Q(reason="") | ~Q(selection={})).iterator():
            if change.pk in self.changes or self.is_told_in(change.reason) or any(self._in(change.selection)):
                yield change

    def _in(self, value: object) -> Iterator[bool]:
        yield from (True for text in _texts(value) if text in self.names or self.is_told_in(text))


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
        frozenset(name for name in names if name.strip() and name != ERASED),
    )


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


def _whole(name: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(name)}(?!\w)")


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
