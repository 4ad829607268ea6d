"""The provider protocol: wishes become calls, answers become facts.

A call is plain data until the door sends it: the preview shows it, the plan hashes it, the worker sends it. Providers
know one remote each; they hold no state but the credential store that is handed in. The values are in `types.py`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Protocol

from membership.providers.types import (
    AccountRef,
    Ambiguous,
    Capabilities,
    CheckResult,
    EditableField,
    GroupRef,
    Json,
    OptionField,
    OutsideEvent,
    ParticipantRef,
    Places,
    RemoteAccount,
    RemoteAnswer,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
    RemotePlace,
    Verdict,
    Wanted,
)

__all__ = [
    "AccountRef",
    "Ambiguous",
    "Capabilities",
    "CheckResult",
    "CredentialStore",
    "Door",
    "EditableField",
    "GroupRef",
    "Json",
    "OptionField",
    "OutsideEvent",
    "ParticipantRef",
    "Places",
    "Provider",
    "ProviderFactory",
    "Reader",
    "RemoteAccount",
    "RemoteAnswer",
    "RemoteCall",
    "RemoteGroup",
    "RemoteParticipant",
    "RemotePlace",
    "Verdict",
    "Wanted",
]


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

    def create_group(self, name: str, members: Sequence[AccountRef] = ()) -> tuple[RemoteCall, ...]:
        """`members`: only with `capabilities.members_on_create`.

        Here and below, a wish that `capabilities` do not offer raises `Refused(NOT_OFFERED)`, and a value that cannot
        be sent `Refused(BAD_VALUE)`.
        """
        ...

    def rename_group(self, group: GroupRef, name: str) -> tuple[RemoteCall, ...]: ...
    def delete_group(self, group: GroupRef) -> tuple[RemoteCall, ...]: ...

    def fill(self, call: RemoteCall, values: Mapping[str, str]) -> RemoteCall:
        """`call` with its slots filled: `rest_of_row` by reading the row now, others from `values` (`{slot: value}`).

        A call without slots is returned as it is. Reads through the door, and writes nowhere. Raises what a reading
        raises, `NotFound` when the row is gone, `Refused(BAD_VALUE)` when `values` lack a slot.
        """
        ...

    def added(
        self, call: RemoteCall, answer: RemoteAnswer, group: GroupRef, account: AccountRef
    ) -> RemoteParticipant | None:
        """The row that a confirmed addition made, as its answer says; None when the answer does not prove whose it is,
        and `find_added` has to tell."""
        ...

    def created(self, call: RemoteCall, answer: RemoteAnswer) -> RemoteGroup:
        """The group that a confirmed creation or renaming answers.

        Of a renamed one, only ids and name are told: whether it is archived or managed elsewhere, a reading tells.
        """
        ...

    def judge(self, call: RemoteCall, answer: RemoteAnswer) -> Verdict:
        """What the answer proves about the remote. Raises a `ProviderError` whose `next_step` says what may be done.

        `call`: as it was sent, slots filled.
        """
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

    def tracked_id(self, text: str) -> str | None:
        """The id of the group that an id or a link typed by somebody names; None when it names none."""
        ...

    def outside_events(self, since: float, until: float) -> Iterator[OutsideEvent]:
        """What the remote's own log says about groups between two epoch seconds, newest first, each line once.

        Only where `capabilities.tells_actor`. Raises `Incomplete(WEAK_TOKEN)` when the token may not read the log.
        """
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
