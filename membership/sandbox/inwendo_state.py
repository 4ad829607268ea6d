"""What the inwendo sandbox knows: rooms, participant rows, people, users, sessions."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from membership.sandbox.state import State, Switches, Table, words
from membership.sandbox.store import Store
from membership.sandbox.wire import Json

# What a body of the participant pages may set; the rest of it is the answer's shape repeated.
WRITABLE: dict[str, Any] = {
    "participant_type": None,
    "first_name": None,
    "last_name": None,
    "nickname": None,
    "preferred_color_hex": None,
    "avatar_token": None,
    "last_read_at": None,
    "room_admin": False,
    "can_write": False,
    "is_muted": False,
    "auto_created": False,
    "auto_reply": False,
    "ai_auto_close_secret_word": None,
    "ai_prompt": None,
    "ai_number_of_context_messages": None,
    "deleted": False,
    "image_url": None,
}


@dataclass(frozen=True, slots=True)
class InwendoSwitches(Switches):
    """Where the reference pages are silent. The first value named is the default."""

    auth_error: str = "400"  # 400 | 401: status of a refused token; X-IW-ERROR-CODE says 401 in both
    session_ttl_s: float = 86_400
    missing_2fa: bool = False  # a log-in succeeds and its session stays unusable
    room_list: bool = True  # GET /api/chat/chatroom exists
    room_write: bool = True  # POST, DELETE /api/chat/chatroom exist
    participant_get: bool = True  # GET /api/chat/chatroom_participant/{id} exists
    patch: bool = True
    doc_version: str = "newer"  # newer | older: with or without nickname, preferred_color_hex, avatar_token
    body_keys: str = "both"  # both | snake | camel: which keys a body may use
    put: str = "partial"  # partial | replace: keys that a PUT leaves out keep their value, or lose it
    duplicate_add: str = "new_row"  # new_row | same_row | error
    restore: str = "new_row"  # new_row | same_row: adding somebody whose row is soft-deleted
    delete: str = "soft"  # soft | hard | ignored: "ignored" answers 200 with deleted=false
    second_delete: str = "again"  # again | not_found | error
    deleted_default: str = "all"  # all | live: the list without a `deleted` filter
    embed_deleted: bool = True  # a room's participants include soft-deleted rows
    page_size_over: str = "clamp"  # clamp | error: pageSize above 200
    past_last_page: str = "empty"  # empty | error
    scope_list: bool = True  # the access right that list filters need
    ignored_filter: str = ""  # "" | chatroom | person: a filter of the participants' list that changes nothing


@dataclass(slots=True)
class Room:
    id: int
    name: str | None
    token: str
    notification_token: str
    created: str
    updated: str
    deleted: bool = False
    image_url: str | None = None
    last_read_at: str | None = None


@dataclass(slots=True)
class Participant:
    id: int
    chatroom: int
    created: str
    updated: str
    person: int | None = None
    company: int | None = None
    event_sign_up: int | None = None
    participant_type: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    nickname: str | None = None
    preferred_color_hex: str | None = None
    avatar_token: str | None = None
    last_read_at: str | None = None
    room_admin: bool = False
    can_write: bool = True
    is_muted: bool = False
    auto_created: bool = False
    auto_reply: bool = False
    ai_auto_close_secret_word: str | None = None
    ai_prompt: str | None = None
    ai_number_of_context_messages: int | None = None
    deleted: bool = False
    image_url: str | None = None

    @property
    def name(self) -> str:
        return f"{self.first_name or ''} {self.last_name or ''}".strip()


@dataclass(slots=True)
class Person:
    id: int
    first_name: str | None
    last_name: str | None
    number_string: str
    archived: bool = False
    email: str | None = None  # shown as one row of crm_person_contact_data
    phone: str | None = None
    extra: dict[str, Json] = field(default_factory=dict)  # more columns, such as health data, that nobody should fetch


@dataclass(slots=True)
class Company:
    id: int
    company_name: str
    short_name: str | None = None
    invoice_email: str | None = None
    archived: bool = False
    number_string: str = ""


@dataclass(slots=True)
class User:
    id: int
    name: str
    username: str
    email: str | None
    password: str
    crm_person: int | None = None


@dataclass(slots=True)
class Session:
    """A session of a log-in; an API key when `is_api_key`."""

    id: str
    user: int
    start: str
    refreshed_start: str
    expires_at: float
    valid: bool = True
    is_api_key: bool = False


class InwendoState(State):
    BY_HAND = frozenset(
        words(
            "add_room add_person add_company add_user add_participant remove_by_hand erase_by_hand change_by_hand"
            " archive_room rename_room change_person revoke_all issue_session issue_api_key"
        )
    )
    switches: InwendoSwitches

    def __init__(self, *, now: Callable[[], float], store: Store | None = None) -> None:
        self.rooms = Table("rooms", Room)
        self.participants = Table("participants", Participant, indexes=("chatroom", "person"))
        self.people = Table("people", Person)
        self.companies = Table("companies", Company)
        self.users = Table("users", User)
        self.sessions = Table("sessions", Session)
        tables = (self.rooms, self.participants, self.people, self.companies, self.users, self.sessions)
        super().__init__(now=now, store=store, tables=tables)

    def default_switches(self) -> InwendoSwitches:
        return InwendoSwitches()

    # seeding

    def add_room(self, name: str | None, *, id: int | None = None, deleted: bool = False) -> Room:
        with self.changing():
            number = id if id is not None else self.rooms.next_id()
            stamp = self.stamp()
            return self.rooms.put(
                Room(number, name, f"room-token-{number}", f"push-token-{number}", stamp, stamp, deleted)
            )

    def add_person(
        self,
        first_name: str | None,
        last_name: str | None,
        *,
        email: str | None = None,
        id: int | None = None,
        archived: bool = False,
        phone: str | None = None,
        extra: dict[str, Json] | None = None,
    ) -> Person:
        with self.changing():
            number = id if id is not None else self.people.next_id()
            return self.people.put(
                Person(number, first_name, last_name, f"P{number:05}", archived, email, phone, extra or {})
            )

    def add_company(self, company_name: str, *, id: int | None = None, invoice_email: str | None = None) -> Company:
        with self.changing():
            number = id if id is not None else self.companies.next_id()
            return self.companies.put(Company(number, company_name, None, invoice_email, False, f"C{number:05}"))

    def add_user(
        self, name: str, username: str, password: str, *, email: str | None = None, crm_person: int | None = None
    ) -> User:
        with self.changing():
            return self.users.put(User(self.users.next_id(), name, username, email, password, crm_person))

    def add_participant(
        self, room: int, *, person: int | None = None, id: int | None = None, **values: Any
    ) -> Participant:
        """A new row; names are the person's unless given. `values`: any other field of `Participant`."""
        with self.changing():
            known = self.people.get(person) if person is not None else None
            stamp = self.stamp()
            row = Participant(id if id is not None else self.participants.next_id(), room, stamp, stamp, person)
            if known is not None:
                row.first_name, row.last_name, row.participant_type = known.first_name, known.last_name, "person"
            _set(row, values)
            return self.participants.put(row)

    # by hand

    def remove_by_hand(self, participant: int) -> Participant:
        return self.change_by_hand(participant, deleted=True)

    def erase_by_hand(self, participant: int) -> None:
        """The row is gone for good."""
        with self.changing():
            self.participants.drop(participant)

    def change_by_hand(self, participant: int, **values: Any) -> Participant:
        with self.changing():
            row = self.participants.rows[participant]
            _set(row, values)
            row.updated = self.stamp()
            return self.participants.put(row)

    def archive_room(self, room: int, *, deleted: bool = True) -> Room:
        with self.changing():
            row = self.rooms.rows[room]
            row.deleted, row.updated = deleted, self.stamp()
            return self.rooms.put(row)

    def rename_room(self, room: int, name: str | None) -> Room:
        with self.changing():
            row = self.rooms.rows[room]
            row.name, row.updated = name, self.stamp()
            return self.rooms.put(row)

    def change_person(self, person: int, **values: Any) -> Person:
        with self.changing():
            row = self.people.rows[person]
            _set(row, values)
            return self.people.put(row)

    # sessions

    def issue_session(self, user: int, *, ttl_s: float | None = None) -> Session:
        """A session as a log-in makes it; its id is the token."""
        return self._issue(user, secrets.token_hex(20), ttl_s or self.switches.session_ttl_s, is_api_key=False)

    def issue_api_key(self, user: int, *, key: str | None = None) -> Session:
        """A key for the header x-iw-jwt-token."""
        return self._issue(
            user, key or f"eyJhbGciOiJIUzI1NiJ9.{secrets.token_urlsafe(24)}.sandbox", 1e9, is_api_key=True
        )

    def revoke_all(self) -> None:
        """No session and no API key is accepted any more."""
        with self.changing():
            for session in list(self.sessions):
                session.valid = False
                self.sessions.put(session)

    def find_session(self, token: str, *, is_api_key: bool) -> Session | None:
        """The session if it is alive."""
        session = self.sessions.get(token)
        if session is None or session.is_api_key != is_api_key or not session.valid:
            return None
        return session if session.expires_at > self.now() else None

    # looking

    def live(self, room: int) -> list[Participant]:
        """The rows of a room that are not soft-deleted."""
        with self.lock:
            return [row for row in self.participants.where("chatroom", room) if not row.deleted]

    def rows_of(self, room: int, person: int) -> list[Participant]:
        """All rows of a person in a room, soft-deleted ones too."""
        with self.lock:
            return [row for row in self.participants.where("person", person) if row.chatroom == room]

    def _issue(self, user: int, token: str, ttl_s: float, *, is_api_key: bool) -> Session:
        with self.changing():
            stamp = self.stamp()
            valid = is_api_key or not self.switches.missing_2fa
            return self.sessions.put(Session(token, user, stamp, stamp, self.now() + ttl_s, valid, is_api_key))


def _set(row: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in row.__dataclass_fields__:
            raise TypeError(f"{type(row).__name__} has no field {name}")
        setattr(row, name, value)
