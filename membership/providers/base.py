"""The provider protocol: wishes become calls, answers become facts.

A call is plain data until the door sends it: the preview shows it, the plan hashes it, the worker sends it. Providers
know one remote each; they hold no state but the credential store that is handed in.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, StrEnum
from typing import Any, BinaryIO, Protocol

from membership.errors import Reason

Json = Any  # what a JSON text can say; checked where it is read


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
    tracks_groups: bool = False  # a group can be tracked by its id


@dataclass(frozen=True, slots=True)
class EditableField:
    """A field of one participant that `update` can set. `kind`: text, number, boolean, colour; `label` is a msgid."""

    key: str
    label: str
    kind: str = "text"
    is_secret: bool = False  # stored encrypted, sent through a slot, shown as "set / not set"
    max_length: int = 0


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
    wanted keys changed), `id_from_call_1` (in the path, the row or group that the operation's first call made),
    `secret:<key>` (a value that may not stand in a plan)."""

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


class Reader(Protocol):
    """An answer to a reading, spooled to disk beyond a size, to be parsed as it is read. A context manager."""

    status: int
    headers: Mapping[str, str]
    stream: BinaryIO

    def items(self, prefix: str = "item") -> Iterator[Json]:
        """The values below `prefix` one by one ("item": elements of a top-level array; "data.chats.item": nested).

        Strict JSON; NUL and lone surrogates are replaced visibly. Raises `OutcomeUnknown(ANSWER_UNREADABLE)`, also when
        nothing stands at `prefix` or the text is cut short.
        """
        ...

    def json(self) -> Json:
        """The whole value, for small answers (≤ 1 MiB). Raises like `items`."""
        ...

    def answer(self) -> RemoteAnswer:
        """The same as a `RemoteAnswer`, its body cut at 1 MiB: for the judgement of errors."""
        ...

    def __enter__(self) -> "Reader": ...
    def __exit__(self, *exc: object) -> None: ...


class Door(Protocol):
    """The one place that opens a socket. Bound to one connection's address and limits; safe for threads."""

    def send(
        self, call: RemoteCall, *, credentials: Mapping[str, str], send_before: float | None = None
    ) -> RemoteAnswer:
        """Send once and return the whole answer, whatever its status.

        `send_before` (monotonic seconds) is checked when the first byte would leave. Raises `NotSent` if no byte of the
        request left, else `OutcomeUnknown`. Redirects (3xx) are `OutcomeUnknown(ANSWER_REDIRECTED)`. Ids that a URL
        cannot carry: `Refused(ID_NOT_SENDABLE)`.
        """
        ...

    def read(self, call: RemoteCall, *, credentials: Mapping[str, str]) -> Reader:
        """Like `send`, for readings up to 256 MiB."""
        ...


class CredentialStore(Protocol):
    """The secrets of one connection, and what a sign-in or renewal gave. Reads come from memory: safe for threads.

    Writes (`begin_renewal`, `save`) belong to the lane's owner and are durable when they return.
    """

    def get(self, key: str) -> str: ...  # "" when not set
    def begin_renewal(self) -> bool:
        """Commit that a renewal begins. False: an earlier one never ended, so its token may be spent: sign in anew."""
        ...

    def save(self, values: Mapping[str, str]) -> None:
        """Store what was given and end the renewal, before any use."""
        ...

    def note_sign_in(self) -> None:
        """Count a log-in before it is sent. Raises `Throttled(SIGN_IN_TOO_OFTEN)` beyond 3 in 15 minutes."""
        ...


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
    """A participant as calls name it: which row, whose (if known), and on which lists as last confirmed."""

    group: GroupRef
    remote_id: str
    account_id: str | None
    is_member: bool = True
    is_manager: bool = False


class Role(StrEnum):
    MEMBER = "member"
    MANAGER = "manager"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What an addition or an alteration should give. None: leave it as it is, or as the remote gives it."""

    role: Role = Role.MEMBER
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
    """One option or secret that a connection of this provider takes. `label` and `help` are English msgids."""

    key: str
    label: str
    help: str = ""
    default: str = ""
    choices: tuple[str, ...] = ()
    required: bool = False
    check: Callable[[str], Reason | None] | None = None  # None: fine


class Provider(Protocol):
    """One remote, spoken to the letter of its reference pages.

    Reads iterate as pages arrive. An iterator that ends without raising has seen everything: that is the proof of
    completeness. Otherwise it raises `Incomplete` or another `ProviderError`.
    """

    kind: str
    capabilities: Capabilities
    options: tuple[OptionField, ...]
    secrets: tuple[OptionField, ...]

    def send(self, call: RemoteCall, *, send_before: float | None = None) -> RemoteAnswer:
        """Send a planned call with the connection's credentials. Raises what the door raises."""
        ...

    def add(self, group: GroupRef, account: AccountRef, wanted: Wanted) -> tuple[RemoteCall, ...]: ...
    def remove(self, participant: ParticipantRef) -> tuple[RemoteCall, ...]: ...

    def update(self, participant: ParticipantRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """The calls that give `wanted`, in order; () when nothing of it differs from what `participant` says."""
        ...

    def create_group(self, name: str, members: Sequence[AccountRef] = ()) -> tuple[RemoteCall, ...]: ...
    def rename_group(self, group: GroupRef, name: str) -> tuple[RemoteCall, ...]: ...
    def delete_group(self, group: GroupRef) -> tuple[RemoteCall, ...]: ...

    def fill(self, call: RemoteCall, values: Mapping[str, str]) -> RemoteCall:
        """`call` with its slots filled: `rest_of_row` by reading the row now, the others from `values` (`{slot: value}`).

        A call without slots is returned as it is. Raises what a reading raises; `NotFound` when the row is gone.
        """
        ...

    def added(
        self, call: RemoteCall, answer: RemoteAnswer, group: GroupRef, account: AccountRef
    ) -> RemoteParticipant | None:
        """The row that a confirmed addition made, as its answer says; None when the answer does not prove whose it is,
        and `find_added` has to tell."""
        ...

    def created(self, call: RemoteCall, answer: RemoteAnswer) -> RemoteGroup:
        """The group that a confirmed creation or renaming answers."""
        ...

    def judge(self, call: RemoteCall, answer: RemoteAnswer) -> Verdict:
        """What the answer proves about the remote. Raises a `ProviderError` whose `next_step` says what may be done."""
        ...

    def said(self, answer: RemoteAnswer) -> str:
        """The remote's own words in an answer, "" when it has none: one line, ≤ 300 characters, nothing secret."""
        ...

    def groups(self) -> Iterator[RemoteGroup]: ...
    def accounts(self) -> Iterator[RemoteAccount]: ...
    def participants(self, group: GroupRef) -> Iterator[RemoteParticipant]: ...

    def get_group(self, group: GroupRef) -> RemoteGroup:
        """One group asked for by id. Raises `NotFound` when it is gone or out of sight."""
        ...

    def find(self, group: GroupRef, subjects: Sequence[ParticipantRef]) -> dict[str, RemoteParticipant | None]:
        """`{subject.remote_id: the row now, or None when it is not there}` from one complete reading of the group.

        Raises `NotFound` when the group itself is gone or out of sight.
        """
        ...

    def find_added(
        self, group: GroupRef, account: AccountRef, known_before: Iterable[str]
    ) -> RemoteParticipant | Ambiguous | None:
        """The row that an addition of `account` made, if it is there. `known_before`: row ids seen before sending."""
        ...

    def places(self, account: AccountRef) -> Iterator[RemotePlace]:
        """Everywhere this account takes part. Only where `capabilities.places` is `REMOTE`."""
        ...

    def sign_in(self) -> None:
        """Get a token by log-in where the remote works so, and save it. Raises `Misconfigured` when refused."""
        ...

    def renew(self) -> None:
        """Replace a token that was not accepted. Raises `Misconfigured` where that cannot be done."""
        ...

    def is_signed_in(self) -> bool:
        """Whether the store holds a token to try."""
        ...

    def check(self) -> CheckResult:
        """Look whether address, credentials and rights work, with reads alone.

        Raises the `ProviderError` that says why not.
        """
        ...


ProviderFactory = Callable[[Door, CredentialStore, Mapping[str, str], Callable[[], float]], Provider]
"""(door, credentials, options, now) → provider. `now` gives epoch seconds: providers have no clock of their own."""
