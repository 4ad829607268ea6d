"""inwendo Vereinssoftware: calls, judgement, sign-in.

The base URL is the customer's own host. Facts, each with its source and mark, are in docs/providers/inwendo.md.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from membership.errors import Reason
from membership.providers import answers, strict_json, values, words
from membership.providers.base import (
    AccountRef,
    Ambiguous,
    Capabilities,
    CheckResult,
    CredentialStore,
    Door,
    GroupRef,
    Json,
    ParticipantRef,
    Places,
    Reader,
    RemoteAccount,
    RemoteAnswer,
    RemoteCall,
    RemoteGroup,
    RemoteParticipant,
    RemotePlace,
    Role,
    Verdict,
    Wanted,
)
from membership.providers.checking import on_first_contact, works
from membership.providers.errors import Incomplete, Misconfigured, NotFound, NotSignedIn, Refused
from membership.providers.inwendo.fields import OPTIONS, SECRETS, room_ids
from membership.providers.inwendo.reading import PARTICIPANT, PEOPLE, ROOM, USERS, InwendoReadings
from membership.providers.judging import judge_common, said
from membership.providers.options import with_defaults

LOGINS = ("api", "logins")  # never ("api", "logins", "delete"): that removes the account's own log-in, it is no log-out
SESSIONS = ("api", "sessions")
SESSION_HEADER = "x-session-token"
API_KEY_HEADER = "x-iw-jwt-token"
ERROR_CODE = "x-iw-error-code"

# Undocumented answers to a write that may as well mean "already so".
AMBIGUOUS = frozenset({400, 404, 409, 410, 422})


class Inwendo:
    """The `Provider` for inwendo."""

    kind = "inwendo"
    options = OPTIONS
    secrets = SECRETS
    capabilities = Capabilities(places=Places.REMOTE, renewable=True, rows_name_accounts=False, lists_groups=False)

    def __init__(
        self, door: Door, store: CredentialStore, options: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        self._door = door
        self._store = store
        self._now = now
        self._options = with_defaults(OPTIONS, options)
        self._by_log_in = self._options["auth"] == "login"
        self.capabilities = dataclasses.replace(self.capabilities, renewable=self._by_log_in)
        named = (("iw-build-id", self._options["build_id"]), ("iw-package-id", self._options["package_id"]))
        self._client_ids = tuple((name, value) for name, value in named if value)
        self._readings = InwendoReadings(
            self._open,
            client_ids=self._client_ids,
            rooms=room_ids(self._options["rooms"]),
            from_list=self._options["participants_from"] == "list",
        )

    # calls

    def send(self, call: RemoteCall, *, send_before: float | None = None) -> RemoteAnswer:
        return self._door.send(call, credentials=self._credentials(), send_before=send_before)

    def add(self, group: GroupRef, account: AccountRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """One new row. Source: vendor's reference page POST /api/chat/chatroom_participant.

        `person` is not on that page, but nothing else there says who is meant: docs/providers/inwendo.md.
        """
        make = camel_body if self._options["body_style"] == "camel" else documented_body
        data = make(group, account, wanted, self._options["participant_type"])
        body = {"data": data}
        return (RemoteCall("POST", PARTICIPANT, query=self._client_ids, body=body, headers=answers.JSON_BODY),)

    def remove(self, participant: ParticipantRef) -> tuple[RemoteCall, ...]:
        """The row itself, no body.

        Source: vendor's reference page DELETE /api/chat/chatroom_participant/{identifier}.
        """
        return (RemoteCall("DELETE", (*PARTICIPANT, participant.remote_id), query=self._client_ids),)

    # judgement

    def judge(self, call: RemoteCall, answer: RemoteAnswer) -> Verdict:
        """The error header outranks the status: a bad token is answered with 400 and "X-IW-ERROR-CODE: 401"."""
        answer = by_error_code(answer)
        self._raise_common(call, answer)
        if answer.status in AMBIGUOUS:
            return Verdict.LOOK
        if not 200 <= answer.status < 300:
            raise Refused(Reason.REMOTE_SAID_NO, status=answer.status, said=self.said(answer))
        if answer.headers.get(ERROR_CODE) or not answer.body.strip():
            return Verdict.LOOK
        given = answers.body_object(answer)
        proven = removal_is_proven(call, given) if call.method == "DELETE" else addition_is_proven(call, given)
        return Verdict.CONFIRMED if proven else Verdict.LOOK

    def said(self, answer: RemoteAnswer) -> str:
        """The remote's own words: the error header's messages, else the body's."""
        return said(self._scrubbed(with_header_message(answer)))

    def _scrubbed(self, answer: RemoteAnswer) -> RemoteAnswer:
        return words.without_secrets(answer, map(self._store.get, ("session_id", "api_key", "password")))

    def _raise_common(self, call: RemoteCall, answer: RemoteAnswer) -> None:
        judge_common(self._scrubbed(with_header_message(answer)), call.is_write, now=self._now())
        if answer.status == 401:
            if self._by_log_in:
                raise NotSignedIn(Reason.TOKEN_NOT_ACCEPTED)
            raise Misconfigured(Reason.TOKEN_NOT_ACCEPTED, said=self.said(answer))
        if answer.status == 403:
            raise Refused(Reason.FORBIDDEN, status=403, said=self.said(answer))

    @contextmanager
    def _open(self, call: RemoteCall) -> Iterator[Reader]:
        with self._door.read(call, credentials=self._credentials()) as reader:
            if reader.status != 200 or reader.headers.get(ERROR_CODE):
                self._raise_unread(call, by_error_code(reader.answer()))
            yield reader

    def _raise_unread(self, call: RemoteCall, answer: RemoteAnswer) -> None:
        if answer.status == 403:
            raise Incomplete(Reason.WEAK_TOKEN, status=403, said=self.said(answer))
        self._raise_common(call, answer)
        if answer.status in (404, 410):
            raise NotFound(Reason.NOT_FOUND, status=answer.status, said=self.said(answer))
        if 200 <= answer.status < 300:
            raise Incomplete(Reason.ANSWER_UNEXPECTED, status=answer.status, said=self.said(answer))
        raise Refused(Reason.REMOTE_SAID_NO, status=answer.status, said=self.said(answer))

    # readings

    def groups(self) -> Iterator[RemoteGroup]:
        return self._readings.groups()

    def accounts(self) -> Iterator[RemoteAccount]:
        return self._readings.accounts()

    def participants(self, group: GroupRef) -> Iterator[RemoteParticipant]:
        return self._readings.participants(group)

    def get_group(self, group: GroupRef) -> RemoteGroup:
        return self._readings.get_group(group)

    def find(self, group: GroupRef, subjects: Sequence[ParticipantRef]) -> dict[str, RemoteParticipant | None]:
        return self._readings.find(group, subjects)

    def find_added(
        self, group: GroupRef, account: AccountRef, known_before: Iterable[str]
    ) -> RemoteParticipant | Ambiguous | None:
        return self._readings.find_added(group, account, known_before)

    def places(self, account: AccountRef) -> Iterator[RemotePlace]:
        return self._readings.places(account)

    # signing in

    def sign_in(self) -> None:
        """Log in and keep the session id. Source: vendor's reference page POST /api/logins."""
        if not self._by_log_in:
            answers.require(self._store, "api_key")
            return
        login = {"username": self._options["username"], "password": answers.require(self._store, "password")}
        if not login["username"]:
            raise Misconfigured(Reason.SECRET_MISSING, key="username")
        call = RemoteCall("POST", LOGINS, body={"login": login}, headers=answers.JSON_BODY)
        self._store.note_sign_in()
        answer = by_error_code(self._door.send(call, credentials={}))
        judge_common(self._scrubbed(with_header_message(answer)), call.is_write, now=self._now())
        if answer.status == 404:
            raise Misconfigured(Reason.WRONG_ADDRESS)
        if answer.status != 200:
            raise Misconfigured(Reason.SIGN_IN_REFUSED, status=answer.status, said=self.said(answer))
        self._store.save({"session_id": session_id(answers.body_object(answer))})

    def renew(self) -> None:
        if not self._by_log_in:
            raise Misconfigured(Reason.TOKEN_NOT_ACCEPTED)
        self.sign_in()

    def is_signed_in(self) -> bool:
        return bool(self._token())

    def check(self) -> CheckResult:
        """Source of GET /api/sessions: third-party clients; it answers whether the session is still valid."""
        with on_first_contact():
            if self._by_log_in:
                self._check_session()
            reads_people = works(lambda: self._readings.first_page(PEOPLE), must_exist=True)
        lists_rooms = works(lambda: self._readings.first_page(ROOM))
        own: list[str | None] = []
        reads_users = works(lambda: own.append(self._own_person()))
        findings = (
            ("reads_accounts", reads_people),
            ("reads_emails", reads_users),
            ("lists_groups", lists_rooms),
            ("reads_groups", lists_rooms or works(self._read_tracked_room)),
            ("writes_unknown", True),
        )
        return CheckResult(own_account_id=own[0] if own else None, findings=findings)

    def _check_session(self) -> None:
        with self._open(RemoteCall("GET", SESSIONS)) as reader:
            session = reader.json()
        if isinstance(session, dict) and values.flag(session, "valid") is False:
            raise NotSignedIn(Reason.TOKEN_NOT_ACCEPTED)

    def _own_person(self) -> str | None:
        username = self._options["username"]
        if not username:
            self._readings.first_page(USERS)
            return None
        return self._readings.person_of(username)

    def _read_tracked_room(self) -> None:
        rooms = room_ids(self._options["rooms"])
        if not rooms:
            raise Incomplete(Reason.GROUPS_NOT_LISTED)
        self.get_group(GroupRef(rooms[0]))

    # credentials

    def _token(self) -> str:
        return self._store.get("session_id" if self._by_log_in else "api_key")

    def _credentials(self) -> dict[str, str]:
        token = self._token()
        if not token:
            raise NotSignedIn(Reason.TOKEN_NOT_ACCEPTED)
        return {SESSION_HEADER if self._by_log_in else API_KEY_HEADER: token}


def by_error_code(answer: RemoteAnswer) -> RemoteAnswer:
    """The answer with the status that its error header says, if that is one of an error."""
    code = answer.headers.get(ERROR_CODE, "").strip()
    is_error = len(code) == 3 and code.isascii() and code.isdigit() and code[0] in "45"
    return dataclasses.replace(answer, status=int(code)) if is_error else answer


def with_header_message(answer: RemoteAnswer) -> RemoteAnswer:
    """The answer with the messages of its error header, if it has some, in place of the body's."""
    try:
        messages = strict_json.loads(answer.headers.get("x-iw-error-json", "").encode("latin-1", "replace"))
    except strict_json.NotStrictJson:
        return answer
    texts = [text for text in messages if isinstance(text, str) and text] if isinstance(messages, list) else []
    return dataclasses.replace(answer, body="; ".join(texts).encode()) if texts else answer


def removal_is_proven(call: RemoteCall, given: Mapping[str, Json]) -> bool:
    """The answer is the row itself, now marked deleted."""
    return values.flag(given, "deleted") is True and str(given.get("id", call.path[-1])) == call.path[-1]


def addition_is_proven(call: RemoteCall, given: Mapping[str, Json]) -> bool:
    """The answer is a living row in the wanted room, with the rights that were sent."""
    sent = call.body["data"]
    room = sent["chatroom"]["id"] if isinstance(sent["chatroom"], dict) else sent["chatroom"]
    wants_rights = sent.get("room_admin", sent.get("roomAdmin", False))
    return (
        values.number(given, "id") is not None
        and values.flag(given, "deleted") is not True
        and str(values.inner(given, "chatroom").get("id")) == str(room)
        and (not wants_rights or values.flag(given, "room_admin") is True)
    )


def documented_body(group: GroupRef, account: AccountRef, wanted: Wanted, participant_type: str) -> dict[str, Json]:
    """Keys as on the reference page, and `person`."""
    data: dict[str, Json] = {
        "chatroom": {"id": values.as_number(group.remote_id)},
        "person": values.as_number(account.remote_id),
    }
    if participant_type:
        data["participant_type"] = participant_type
    *first_names, last_name = wanted.name.split() or [""]
    names = {"first_name": " ".join(first_names), "last_name": last_name}
    data |= {key: name for key, name in names.items() if name}
    if wanted.role is Role.MANAGER:
        data["room_admin"] = True
    return data


def camel_body(group: GroupRef, account: AccountRef, wanted: Wanted, participant_type: str) -> dict[str, Json]:
    """As the vendor's own tests write to sibling resources: camelCase, relations as bare ids."""
    data: dict[str, Json] = {
        "chatroom": values.as_number(group.remote_id),
        "person": values.as_number(account.remote_id),
    }
    if participant_type:
        data["participantType"] = participant_type
    if wanted.role is Role.MANAGER:
        data["roomAdmin"] = True
    return data


def session_id(given: Mapping[str, Json]) -> str:
    """The session of a log-in that can be used. Raises `Misconfigured` when it cannot."""
    if values.flag(given, "missing2fa") is True:
        raise Misconfigured(Reason.SECOND_FACTOR_NEEDED)
    session = values.text(given, "sessionid")
    if values.flag(given, "valid") is False or not session:
        raise Misconfigured(Reason.SIGN_IN_REFUSED)
    return session
