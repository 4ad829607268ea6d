"""The values that providers are given and give: calls and answers, capabilities, references, what remotes tell."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from membership.errors import Reason

Json = Any  # what a JSON text can say; checked where it is read

COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
LARGEST_NUMBER = 2**31 - 1


class Places(Enum):
    """Where the places of an account can be learned."""

    REMOTE = "remote"  # the remote tells where an account takes part: `Provider.places`
    MIRROR = "mirror"  # only complete readings of all groups tell


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What the remote can do. What it lacks is not offered, and is refused in a plan."""

    add: bool = True
    remove: bool = True
    places: Places = Places.MIRROR
    renewable: bool = False  # a token that runs out can be renewed
    rows_name_accounts: bool = True  # False: a participant row does not say whose it is (inwendo)
    lists_groups: bool = True  # False: groups may have to be tracked by id
    tells_gone: bool = True  # False: a group that is gone looks like one that we may no longer see
    rights: frozenset[str] = frozenset()  # of "is_manager", "can_write", "is_muted": what `update` can set
    rights_on_add: frozenset[str] = frozenset()  # what `add` can give at once
    fields: tuple["EditableField", ...] = ()  # what else `update` can set
    looks_before_add: bool = False  # adding twice may make two rows: the worker reads just before it sends
    create_group: bool = False
    rename_group: bool = False
    delete_group: bool = False
    group_name_max: int = 512
    members_on_create: bool = False  # `create_group` can put members in at once
    tracks_groups: bool = False  # a group can be tracked by its id or a link to it: `Provider.tracked_id`
    kept: frozenset[str] = frozenset()  # fields of its answers that the audit log keeps: `keeping.of_body`
    tells_actor: bool = False  # the remote's own log tells who changed what: `Provider.outside_events`


@dataclass(frozen=True, slots=True)
class EditableField:
    """A field of one participant that `update` can set. `kind`: text, number, boolean, colour; `label` is a msgid."""

    key: str
    label: str
    kind: str = "text"
    is_secret: bool = False  # stored encrypted, sent through a slot, shown as "set / not set"
    max_length: int = 0  # of a text; 0: no limit is set
    help: str = ""
    is_long: bool = False  # a text of several lines

    def fits(self, value: Json) -> bool:
        """Whether `value` is of this kind and can be sent. Of a secret, its text."""
        if self.kind == "boolean":
            return isinstance(value, bool)
        if self.kind == "number":
            return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LARGEST_NUMBER
        if not isinstance(value, str) or (self.max_length and len(value) > self.max_length):
            return False
        if self.kind == "colour":
            return not value or COLOUR.fullmatch(value) is not None
        breaks = "\t\r\n" if self.is_long else ""
        return not any(unicodedata.category(each) in ("Cc", "Cs") and each not in breaks for each in value)


class Verdict(Enum):
    """What a usable answer proves about the remote."""

    CONFIRMED = "confirmed"
    ALREADY_SO = "already_so"
    LOOK = "look"  # the answer is ambiguous: read before deciding; the call may or may not have been done


@dataclass(frozen=True, slots=True)
class RemoteCall:
    """One request as data. Credentials are never part of it: the provider adds them when it is sent.

    `path` holds unquoted segments below the connection's base URL; the door quotes each, and refuses those that a URL
    cannot carry. `body` None means no body at all. `headers` are those that the reference page prescribes beyond
    credentials (no secrets).
    """

    method: str
    path: tuple[str, ...]
    query: tuple[tuple[str, str], ...] = ()
    body: Json = None
    headers: tuple[tuple[str, str], ...] = ()
    slots: tuple[str, ...] = ()
    """What is filled in just before sending, and hashed unfilled: `rest_of_row` (the row as it is then, with only the
    wanted keys changed), `id_from_call_1` (in the path, the row that the operation's first call made), `secret:<key>`
    (a value that may not stand in a plan). `Provider.fill` gives the call without slots; one with slots is not sent."""

    @property
    def is_write(self) -> bool:
        return self.method not in ("GET", "HEAD")

    def to_json(self) -> dict[str, Json]:
        """The stored and hashed form: only what is set, so that old hashes stay true when fields are added."""
        data: dict[str, Json] = {"method": self.method, "path": list(self.path)}
        if self.query:
            data["query"] = [list(pair) for pair in self.query]
        if self.body is not None:
            data["body"] = self.body
        if self.headers:
            data["headers"] = [list(pair) for pair in self.headers]
        if self.slots:
            data["slots"] = list(self.slots)
        return data

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> "RemoteCall":
        return cls(
            method=data["method"],
            path=tuple(data["path"]),
            query=tuple((name, value) for name, value in data.get("query", ())),
            body=data.get("body"),
            headers=tuple((name, value) for name, value in data.get("headers", ())),
            slots=tuple(data.get("slots", ())),
        )


@dataclass(frozen=True, slots=True)
class RemoteAnswer:
    """A whole answer: status, headers with lower-cased names, and at most 1 MiB of body."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class GroupRef:
    """A group as calls name it."""

    remote_id: str
    remote_number: int | None = None


@dataclass(frozen=True, slots=True)
class AccountRef:
    remote_id: str


@dataclass(frozen=True, slots=True)
class ParticipantRef:
    """A participant as calls name it: which row, whose (if known), on which lists, with which rights as confirmed."""

    group: GroupRef
    remote_id: str
    account_id: str | None
    is_member: bool = True
    is_manager: bool = False
    can_write: bool | None = None  # None: not known
    is_muted: bool | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an addition or an alteration should give. None: leave it as it is, or as the remote gives it.

    To add somebody with `is_manager` None means as a member.
    """

    name: str = ""  # label of the account, for remotes whose documented body carries names
    is_manager: bool | None = None
    can_write: bool | None = None
    is_muted: bool | None = None
    fields: Mapping[str, Json] = field(default_factory=dict)  # keys of `capabilities.fields`; secrets only named: None


@dataclass(frozen=True, slots=True)
class RemoteGroup:
    remote_id: str
    name: str
    remote_number: int | None = None
    kind: str = ""
    archived: bool = False
    managed_elsewhere: bool = False
    grants: int = 0
    attributes: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)  # stored encrypted, shown as "set / not set"


@dataclass(frozen=True, slots=True)
class RemoteAccount:
    remote_id: str
    label: str
    email: str | None = None
    active: bool = True
    virtual: bool = False
    email_blocked_at: datetime | None = None
    delete_requested_at: datetime | None = None
    attributes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoteParticipant:
    """One place in one group, as the remote says it. `account_id` None: the row does not say whose it is."""

    remote_id: str
    account_id: str | None
    label: str
    is_member: bool = True
    is_manager: bool = False
    can_write: bool | None = None
    is_muted: bool | None = None
    participant_type: str = ""
    last_read_at: datetime | None = None
    auto_created: bool | None = None
    attributes: Mapping[str, Json] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemotePlace:
    """Where an account takes part: the participant row; the group if the answer names it."""

    participant_id: str
    group_id: str | None = None


@dataclass(frozen=True, slots=True)
class OutsideEvent:
    """One line of the remote's own log about groups. What the line does not tell is None, or empty.

    `action`: the remote's own code; codes that are not known here come, too. `actor_id`: the account who did it.
    """

    event_id: str
    at: datetime
    action: str
    actor: str = ""
    actor_id: str | None = None
    group_id: str | None = None
    account_id: str | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """More than one row could be the one that a lost addition made."""

    candidates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the credentials can do. `own_account_id`: the account that Musterbook acts as, if the remote tells.

    `findings` are (code, works) pairs; the codes' sentences are in `vocab.FINDINGS`.
    """

    own_account_id: str | None
    findings: tuple[tuple[str, bool], ...] = ()


@dataclass(frozen=True, slots=True)
class OptionField:
    """One option or secret that a connection of this provider takes: a field of its form.

    `label`, `help` and `choice_labels` are English msgids; `help` says where the value is found. `kind`: text, choice,
    number, boolean ("true" or "false"). Values are stored as text. `only_with`: (key, value) of the option that makes
    this field count.
    """

    key: str
    label: str
    help: str = ""
    default: str = ""
    kind: str = "text"
    choices: tuple[str, ...] = ()
    choice_labels: tuple[str, ...] = ()  # in the order of `choices`
    example: str = ""
    required: bool = False
    only_with: tuple[str, str] | None = None
    check: Callable[[str], Reason | None] | None = None  # None: fine
