"""inwendo Vereinssoftware: calls, judgement, sign-in.

The base URL is the customer's own host. Facts, each with its source and mark, are in docs/providers/inwendo.md.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from membership.errors import Reason
from membership.providers import answers, offers, slots, values
from membership.providers.base import (
    AccountRef,
    Capabilities,
    CheckResult,
    CredentialStore,
    Door,
    GroupRef,
    Json,
    ParticipantRef,
    Places,
    Reader,
    RemoteAnswer,
    RemoteCall,
    RemoteParticipant,
    RemotePlace,
    Verdict,
    Wanted,
)
from membership.providers.checking import on_first_contact, works
from membership.providers.client import Client
from membership.providers.errors import Incomplete, Misconfigured, NotSignedIn, Refused
from membership.providers.inwendo import bodies
from membership.providers.inwendo.fields import EDITABLE, KEPT, NEWER_EDITABLE, OPTIONS, SECRETS, room_id, room_ids
from membership.providers.inwendo.judgement import (
    ERROR_CODE,
    by_error_code,
    is_proven,
    session_id,
    with_header_message,
)
from membership.providers.inwendo.reading import PARTICIPANT, PEOPLE, ROOM, USERS, InwendoReadings
from membership.providers.judging import judge_common, said
from membership.providers.options import with_defaults

LOGINS = ("api", "logins")  # never ("api", "logins", "delete"): that removes the account's own log-in, it is no log-out
SESSIONS = ("api", "sessions")
SESSION_HEADER = "x-session-token"
API_KEY_HEADER = "x-iw-jwt-token"

# Undocumented answers to a write that may as well mean "already so".
AMBIGUOUS = frozenset({400, 404, 409, 410, 422})


class Inwendo(Client):
    """The `Provider` for inwendo."""

    kind = "inwendo"
    _readings: InwendoReadings
    options = OPTIONS
    secrets = SECRETS
    capabilities = Capabilities(
        kept=KEPT,
        places=Places.REMOTE,
        renewable=True,
        rows_name_accounts=False,
        lists_groups=False,
        rights=frozenset(bodies.RIGHT_KEYS),
        rights_on_add=frozenset(bodies.RIGHT_KEYS),
        fields=EDITABLE,
        looks_before_add=True,
        tracks_groups=True,
    )
    _never_said = ("session_id", "api_key", "password")

    def __init__(
        self, door: Door, store: CredentialStore, options: Mapping[str, str], now: Callable[[], float]
    ) -> None:
        super().__init__(door, store, now)
        self._options = with_defaults(OPTIONS, options)
        self._by_log_in = self._options["auth"] == "login"
        self._style = bodies.Style(
            is_camel=self._options["body_style"] == "camel", is_newer=self._options["put_body"] == "newer"
        )
        fields = (*NEWER_EDITABLE, *EDITABLE) if self._style.is_newer else EDITABLE
        self.capabilities = dataclasses.replace(self.capabilities, renewable=self._by_log_in, fields=fields)
        named = (("iw-build-id", self._options["build_id"]), ("iw-package-id", self._options["package_id"]))
        self._client_ids = tuple((name, value) for name, value in named if value)
        self._readings = InwendoReadings(
            self._open,
            client_ids=self._client_ids,
            rooms=room_ids(self._options["rooms"]),
            from_list=self._options["participants_from"] == "list",
        )

    # calls

    def add(self, group: GroupRef, account: AccountRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """One new row, and where rights are wanted, an alteration of it.

        Source: vendor's reference page POST /api/chat/chatroom_participant. `person` is not on that page, but nothing
        else there says who is meant: docs/providers/inwendo.md.
        """
        offers.require_for_addition(self.capabilities, wanted)
        data = bodies.addition(group, account, wanted, self._style, self._options["participant_type"])
        body = {"data": data}
        added = RemoteCall("POST", PARTICIPANT, query=self._client_ids, body=body, headers=answers.JSON_BODY)
        if wanted.is_manager is False:
            wanted = dataclasses.replace(wanted, is_manager=None)  # what a new row is anyhow
        changed = bodies.changes(wanted)
        if not changed:
            return (added,)
        return (added, self._alteration(group, slots.NEW_ID_SEGMENT, changed, (slots.NEW_ID, slots.REST_OF_ROW)))

    def update(self, participant: ParticipantRef, wanted: Wanted) -> tuple[RemoteCall, ...]:
        """The whole row, written back with only the wanted keys changed: whether a shorter body empties the rest is
        not documented. The plan holds what changes; the rest is read just before sending.

        Source: vendor's reference page PUT /api/chat/chatroom_participant/{identifier}.
        """
        offers.require_for_update(self.capabilities, wanted)
        rights = offers.wished_rights(wanted)
        if not wanted.fields and all(getattr(participant, right) == value for right, value in rights.items()):
            return ()
        changed = bodies.changes(wanted)
        secret = [slots.secret_slot(key) for key in changed if key in bodies.SECRET_KEYS]
        return (self._alteration(participant.group, participant.remote_id, changed, (slots.REST_OF_ROW, *secret)),)

    def _alteration(
        self, group: GroupRef, row_id: str, changed: Mapping[str, Json], to_fill: tuple[str, ...]
    ) -> RemoteCall:
        body = {"data": bodies.alteration(group, changed, self._style)}
        path = (*PARTICIPANT, row_id)
        return RemoteCall("PUT", path, query=self._client_ids, body=body, headers=answers.JSON_BODY, slots=to_fill)

    def remove(self, participant: ParticipantRef) -> tuple[RemoteCall, ...]:
        """The row itself, no body.

        Source: vendor's reference page DELETE /api/chat/chatroom_participant/{identifier}.
        """
        return (RemoteCall("DELETE", (*PARTICIPANT, participant.remote_id), query=self._client_ids),)

    # Rooms are neither made nor removed: no page documents how. Their own page takes the list of participants, too, and
    # may replace the members by it: it is never written to.

    # A room's page takes its list of participants, too, and may replace the members by it: it is never written to.
    # No page documents how rooms are made or removed.

    def fill(self, call: RemoteCall, values: Mapping[str, str]) -> RemoteCall:
        call = slots.with_new_id(call, values)
        if slots.REST_OF_ROW not in call.slots:
            return dataclasses.replace(call, slots=())
        planned = call.body["data"]
        secrets = slots.secret_values(call, values)
        try:
            room, row = self._readings.row_now(bodies.room_of(planned), call.path[-1])
        except Incomplete as error:
            if error.reason is Reason.WEAK_TOKEN:  # asking again will not help
                raise Refused(Reason.FORBIDDEN, **error.params) from error
            raise
        data = bodies.whole_row(planned, secrets, room, row, self._style)
        return dataclasses.replace(call, body={"data": data}, slots=())

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
        return Verdict.CONFIRMED if is_proven(call, given) else Verdict.LOOK

    def added(
        self, call: RemoteCall, answer: RemoteAnswer, group: GroupRef, account: AccountRef
    ) -> RemoteParticipant | None:
        """Never told: the answer does not say whose row it is."""
        return None

    def said(self, answer: RemoteAnswer) -> str:
        """The remote's own words: the error header's messages, else the body's."""
        return said(self._scrubbed(with_header_message(answer)))

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
        if 200 <= answer.status < 300:  # the error header has words of its own
            raise Incomplete(Reason.ANSWER_UNEXPECTED, status=answer.status, said=self.said(answer))
        super()._raise_unread(call, answer)

    # readings

    def places(self, account: AccountRef) -> Iterator[RemotePlace]:
        return self._readings.places(account)

    def tracked_id(self, text: str) -> str | None:
        return room_id(text)

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
