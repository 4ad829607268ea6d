"""Wishes with what the mirror says about them: one case for each thing that a plan may hold or leave out."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from membership.errors import Reason
from membership.models import Connection
from membership.plans import facts
from membership.plans.drafting import drafter
from membership.plans.facts import AccountFacts, GroupFacts, PlaceFacts
from membership.plans.wishes import (
    RIGHTS,
    SECRET_MARK,
    USUAL,
    Add,
    Barred,
    CreateGroup,
    DeleteGroup,
    Refusal,
    Remove,
    RenameGroup,
    Update,
    Wish,
)
from membership.providers.base import ParticipantRef, Provider
from membership.vocab import Verb

Providers = Mapping[int, Provider]
"""`{connection id: its provider}`."""

_NAME_IN_SUBJECT = 150


@dataclass(frozen=True, slots=True)
class Case:
    """One wish, and what guards and calls have to know about it."""

    verb: Verb
    connection_id: int
    connection_name: str
    group: GroupFacts | None = None
    place: PlaceFacts | None = None
    account: AccountFacts | None = None
    name: str = ""
    """The label of whom or what it is about; the wanted name of a group."""
    members: tuple[AccountFacts, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    """Rights and fields that are wished and not so already."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    fields_now: Mapping[str, Any] = field(default_factory=dict)
    """What the wished fields are now."""
    together: int | None = None
    refusal: Refusal | None = None
    """Known before any guard looks."""

    @property
    def label(self) -> str:
        """Whom it is about, or which group."""
        if self.verb in (Verb.RENAME_GROUP, Verb.DELETE_GROUP) and self.group:
            return self.group.name or self.group.remote_id
        return self.name

    @property
    def group_id(self) -> int | None:
        return self.group.pk if self.group else None

    @property
    def participant_id(self) -> int | None:
        return self.place.pk if self.place else None

    @property
    def account_id(self) -> int | None:
        return self.account.pk if self.account else None

    @property
    def person_id(self) -> int | None:
        return self.account.person_id if self.account else None

    @property
    def key(self) -> tuple[str, int, int | str]:
        """The same for two wishes that are about the same thing."""
        if self.place:
            return ("place", 0, self.place.pk)
        if self.verb == Verb.ADD and self.group:
            return ("add", self.group.pk, self.account.pk if self.account else self.name)
        return (self.verb.value, self.connection_id, self.group.pk if self.group else self.name)

    @property
    def people(self) -> Iterable[tuple[str, int]]:
        """By what people are counted: the person, else the account, else the row."""
        if self.account:
            return (_who(self.account),)
        if self.place:
            return (("row", self.place.pk),)
        return map(_who, self.members)

    @property
    def order(self) -> tuple[int, str, int, str, int, str, int]:
        """By verb, connection, group and label. In Python, because databases sort letters differently."""
        return (
            self.verb.turn,
            self.connection_name.casefold(),
            self.connection_id,
            self.group.name.casefold() if self.group else "",
            self.group.pk if self.group else 0,
            self.label.casefold(),
            self.participant_id or self.account_id or 0,
        )

    @property
    def is_losing(self) -> bool:
        """Whether the group has a manager less by it."""
        if self.place is None or not self.place.is_manager:
            return False
        return self.verb == Verb.REMOVE or self.values.get("is_manager") is False

    @property
    def is_gaining(self) -> bool:
        """Whether the group has a manager more by it."""
        return self.values.get("is_manager") is True and not (self.place and self.place.is_manager)

    @property
    def takes_rights(self) -> bool:
        """Whether somebody may do less by it, or hears less."""
        if self.verb != Verb.UPDATE:
            return False
        return any(self.values.get(name) == (not given) for name, given in _MORE.items())

    def account_ref(self, provider: Provider) -> str | None:
        """The account's id there: the known account's, else what the row itself says."""
        if self.account:
            return self.account.remote_id
        return self.place.remote_id if self.place and provider.capabilities.rows_name_accounts else None

    def ref(self, provider: Provider) -> ParticipantRef:
        assert self.place is not None and self.group is not None  # noqa: S101 - for the type checker
        return ParticipantRef(
            group=self.group.ref,
            remote_id=self.place.remote_id,
            account_id=self.account_ref(provider),
            is_member=self.place.is_member,
            is_manager=self.place.is_manager,
        )

    def subject(self, provider: Provider) -> str:
        """`account:<remote id>`, else `row:<remote id>`; `group`; `group:<name>` of one that is to be."""
        if self.verb == Verb.CREATE_GROUP:
            return f"group:{_fitting(self.name)}"
        if self.verb in (Verb.RENAME_GROUP, Verb.DELETE_GROUP):
            return "group"
        account = self.account_ref(provider)
        return f"row:{self.place.remote_id if self.place else ''}" if account is None else f"account:{account}"

    def before(self) -> dict[str, Any]:
        """The precondition: what the mirror says now."""
        if self.place:
            now: dict[str, Any] = {
                "is_present": self.place.is_present,
                "is_member": self.place.is_member,
                "is_manager": self.place.is_manager,
                "can_write": self.place.can_write,
                "is_muted": self.place.is_muted,
                "row": self.place.remote_id,
            }
            return {**now, "fields": dict(self.fields_now)} if self.fields_now else now
        if self.verb == Verb.ADD:
            return {"is_present": False, "row": None}
        if self.verb == Verb.RENAME_GROUP and self.group:
            return {"name": self.group.name}
        if self.verb == Verb.DELETE_GROUP and self.group:
            return {"is_present": self.group.is_present, "name": self.group.name}
        return {"is_present": False}

    def wanted(self) -> dict[str, Any]:
        """What is true once it is done; a secret only as its mark."""
        match self.verb:
            case Verb.ADD:
                return {"is_present": True, **self.values}
            case Verb.UPDATE:
                return dict(self.values)
            case Verb.CREATE_GROUP:
                return {"name": self.name, "members": [member.remote_id for member in self.members]}
            case Verb.RENAME_GROUP:
                return {"name": self.name}
            case _:
                return {"is_present": False}


_MORE: Mapping[str, bool] = {"is_manager": True, "can_write": True, "is_muted": False}
"""The value of each right that lets somebody do more."""


def _who(account: AccountFacts) -> tuple[str, int]:
    return ("person", account.person_id) if account.person_id is not None else ("account", account.pk)


def _fitting(name: str) -> str:
    """The name where the column holds it, else its beginning and a digest."""
    if len(name) <= _NAME_IN_SUBJECT:
        return name
    return f"{name[:_NAME_IN_SUBJECT]}#{hashlib.sha256(name.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Looked:
    """Cases in the order of a plan, and the systems that they are about."""

    cases: Sequence[Case]
    connections: Mapping[int, Connection]
    providers: Providers


def look_up(wishes: Iterable[Wish]) -> Looked:
    """What the mirror says about all of `wishes`; those about the same thing are one case."""
    return _Lookup(list(wishes)).looked()


class _Lookup:
    """One look at the mirror: everything that the wishes name, with few queries."""

    def __init__(self, wishes: Sequence[Wish]) -> None:
        self._wishes = wishes
        placed = [wish for wish in wishes if isinstance(wish, Update | Remove)]
        self._places = facts.places(dict.fromkeys(wish.participant_id for wish in placed))
        grouped = [wish.group_id for wish in wishes if isinstance(wish, Add | RenameGroup | DeleteGroup | Barred)]
        self._groups = facts.groups(dict.fromkeys([*grouped, *(place.group_id for place in self._places.values())]))
        self._accounts = facts.accounts(dict.fromkeys(self._account_ids()))
        self._connections = Connection.objects.defer("secrets", "session").in_bulk(
            {group.connection_id for group in self._groups.values()}
            | {wish.connection_id for wish in wishes if isinstance(wish, CreateGroup)}
        )
        self._providers = {pk: drafter(connection) for pk, connection in self._connections.items()}
        self._there = self._places_of_adds()
        self._fields = facts.fields(
            dict.fromkeys(
                wish.participant_id for wish in wishes if isinstance(wish, Update) and not wish.values.keys() <= _NAMES
            )
        )

    def looked(self) -> Looked:
        cases: dict[tuple[str, int, int | str], Case] = {}
        for number, wish in enumerate(self._wishes):
            case = self._case(wish)
            if case is None:
                continue
            key = ("barred", 0, number) if case.refusal else case.key
            known = cases.get(key)
            cases[key] = case if known is None else _merged(known, case)
        in_order = sorted(map(self._as_is, cases.values()), key=lambda case: case.order)
        return Looked(in_order, self._connections, self._providers)

    def _account_ids(self) -> Iterable[int]:
        for wish in self._wishes:
            if isinstance(wish, Add):
                yield wish.account_id
            elif isinstance(wish, CreateGroup):
                yield from wish.member_ids

    def _places_of_adds(self) -> dict[tuple[int, int], PlaceFacts]:
        wanted: dict[int, tuple[set[int], dict[int, AccountFacts]]] = defaultdict(lambda: (set(), {}))
        for wish in self._wishes:
            if not isinstance(wish, Add) or wish.account_id not in self._accounts or wish.group_id not in self._groups:
                continue
            groups, accounts = wanted[self._groups[wish.group_id].connection_id]
            if self._accounts[wish.account_id].connection_id == self._groups[wish.group_id].connection_id:
                groups.add(wish.group_id)
                accounts[wish.account_id] = self._accounts[wish.account_id]
        found: dict[tuple[int, int], PlaceFacts] = {}
        for connection_id, (groups, accounts) in wanted.items():
            by_name = self._providers[connection_id].capabilities.rows_name_accounts
            found |= facts.places_of(sorted(groups), accounts.values(), rows_name_accounts=by_name)
        # Who is being removed is added anew: the two wishes cancel out, or the one waits for the other.
        leaving = facts.leaving([place.pk for place in found.values()])
        return {key: place for key, place in found.items() if place.pk not in leaving}

    def _case(self, wish: Wish) -> Case | None:
        """None: what it names is not in the mirror at all."""
        match wish:
            case Update() | Remove():
                place = self._places.get(wish.participant_id)
                return None if place is None else self._of_place(wish, place)
            case Add():
                return self._of_addition(wish)
            case Barred():
                return replace(
                    self._of_group(Verb.ADD, wish.group_id),
                    name=wish.label,
                    refusal=wish.refusal,
                    together=wish.together,
                )
            case CreateGroup():
                system = self._connections[wish.connection_id]
                members = tuple(self._accounts[pk] for pk in dict.fromkeys(wish.member_ids))
                return Case(Verb.CREATE_GROUP, system.pk, system.name, name=wish.name, members=members)
            case RenameGroup():
                return replace(self._of_group(Verb.RENAME_GROUP, wish.group_id), name=wish.name)
            case DeleteGroup():
                return self._of_group(Verb.DELETE_GROUP, wish.group_id)

    def _of_group(self, verb: Verb, group_id: int) -> Case:
        group = self._groups[group_id]
        return Case(verb, group.connection_id, self._connections[group.connection_id].name, group=group)

    def _of_place(self, wish: Update | Remove, place: PlaceFacts) -> Case:
        group = self._groups[place.group_id]
        is_update = isinstance(wish, Update)
        return Case(
            verb=Verb.UPDATE if is_update else Verb.REMOVE,
            connection_id=group.connection_id,
            connection_name=self._connections[group.connection_id].name,
            group=group,
            place=place,
            account=place.account,
            name=place.label,
            values=wish.values if isinstance(wish, Update) else {},
            secrets=wish.secrets if isinstance(wish, Update) else {},
            together=None if isinstance(wish, Update) else wish.together,
        )

    def _of_addition(self, wish: Add) -> Case | None:
        account, group = self._accounts.get(wish.account_id), self._groups.get(wish.group_id)
        if account is None or group is None:
            return None
        place = self._there.get((group.pk, account.pk))
        return Case(
            verb=Verb.ADD if place is None else Verb.UPDATE,
            connection_id=group.connection_id,
            connection_name=self._connections[group.connection_id].name,
            group=group,
            place=place,
            account=account,
            name=account.label,
            values=wish.rights,
            together=wish.together,
        )

    def _as_is(self, case: Case) -> Case:
        """Only what is not so already; what the remote does not know and everybody has is not wished."""
        if case.verb not in (Verb.ADD, Verb.UPDATE) or case.refusal:
            return case
        offered = self._providers[case.connection_id].capabilities
        known = offered.rights if case.place else offered.rights_on_add
        values = {name: value for name, value in case.values.items() if name in known or value is not USUAL.get(name)}
        if case.place is None:
            return replace(case, values=values)
        now = self._now(case.place, values)
        values = {name: value for name, value in values.items() if not _is_same(now.get(name), value)}
        fields_now = {name: now.get(name) for name in values if name not in _NAMES}
        so = None if values else Refusal(Reason.ALREADY_SO)
        return replace(case, values=values, fields_now=fields_now, refusal=so)

    def _now(self, place: PlaceFacts, values: Mapping[str, Any]) -> dict[str, Any]:
        said, secrets = self._fields.get(place.pk, ({}, frozenset()))
        now: dict[str, Any] = {name: place.right(name) for name in RIGHTS}
        for name, value in values.items():
            if name not in _NAMES:
                now[name] = {"is_set": name in secrets} if value == SECRET_MARK else said.get(name)
        return now


_NAMES = frozenset(RIGHTS)


def _is_same(now: Any, wished: Any) -> bool:
    return bool(now == wished) or (now is None and wished == "")


def _merged(first: Case, second: Case) -> Case:
    """Two wishes about the same place or group: to leave outweighs all else, a later value an earlier one."""
    if Verb.REMOVE in (first.verb, second.verb):
        return first if first.verb == Verb.REMOVE else second
    return replace(
        second,
        values={**first.values, **second.values},
        secrets={**first.secrets, **second.secrets},
        together=first.together if second.together is None else second.together,
    )
