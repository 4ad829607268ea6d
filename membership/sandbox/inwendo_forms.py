"""How inwendo writes rows: list form, detail form, embedded form (contract: responses are snake_case)."""

import re
from collections.abc import Mapping

from membership.sandbox.inwendo_state import WRITABLE, Company, InwendoState, Participant, Person, Room, Session, User
from membership.sandbox.state import words
from membership.sandbox.wire import Json

NEWER = ("nickname", "preferred_color_hex", "avatar_token")  # missing in the older version of the pages
LIST_KEYS = words(
    "id participant_type first_name last_name nickname preferred_color_hex avatar_token last_read_at"
    " room_admin can_write is_muted created updated deleted name image_url"
)
DETAIL_KEYS = words(
    "id participant_type chatroom first_name last_name nickname preferred_color_hex avatar_token last_read_at"
    " room_admin can_write is_muted auto_created auto_reply ai_auto_close_secret_word ai_prompt"
    " ai_number_of_context_messages created updated deleted name image_url"
)
EMBEDDED_KEYS = tuple(key for key in DETAIL_KEYS if key != "chatroom")
ROOM_KEYS = ("id", "created", "updated", "deleted", "name", "image_url")


class Forms:
    def __init__(self, state: InwendoState) -> None:
        self._state = state

    def listed(self, row: Participant) -> Json:
        return self._participant(row, LIST_KEYS)

    def detail(self, row: Participant) -> Json:
        return self._participant(row, DETAIL_KEYS)

    def room_listed(self, room: Room) -> Json:
        return {key: getattr(room, key) for key in (*ROOM_KEYS, "last_read_at")}

    def room(self, room: Room) -> Json:
        """With embedded rows: no `chatroom` key, but all others of the detail form."""
        embed_deleted = self._state.switches.embed_deleted
        rows = self._state.participants.where("chatroom", room.id)
        return {
            "id": room.id,
            "token": room.token,
            "notification_token": room.notification_token,
            "participants": [self._participant(row, EMBEDDED_KEYS) for row in rows if embed_deleted or not row.deleted],
            **self.room_listed(room),
        }

    def person(self, person: Person) -> Json:
        contacts = [("E-Mail", "email", person.email), ("Telefon", "phone", person.phone)]
        return {
            "id": person.id,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "number_string": person.number_string,
            "archived": person.archived,
            "crm_person_contact_data": [
                {
                    "id": person.id * 10 + position,
                    "name": label,
                    "value": value,
                    "generated_value": value,
                    "contact_data_type": {"id": position, "name": label, "value": kind},
                }
                for position, (label, kind, value) in enumerate(contacts, start=1)
                if value is not None
            ],
            **person.extra,
        }

    def company(self, company: Company) -> Json:
        keys = ("id", "company_name", "short_name", "invoice_email", "archived", "number_string")
        return {key: getattr(company, key) for key in keys}

    def user(self, user: User) -> Json:
        person = self._state.people.get(user.crm_person) if user.crm_person is not None else None
        return {
            "id": user.id,
            "name": user.name,
            "username": user.username,
            "email": user.email,
            "crm_person": self.person(person) if person is not None else None,
        }

    def session(self, session: Session) -> Json:
        return {
            "id": 1,
            "sessionid": session.id,
            "selectedcustomer": {"id": 1, "name": "Sandbox e.V."},
            "start": session.start,
            "refreshed_start": session.refreshed_start,
            "ip": "127.0.0.1",
            "valid": session.valid,
            "is_api_key": session.is_api_key,
            "is_dg": False,
            "missing2fa": not session.valid,
            "start_in_vpn": False,
        }

    def _participant(self, row: Participant, keys: tuple[str, ...]) -> Json:
        is_older = self._state.switches.doc_version == "older"
        form: dict[str, Json] = {}
        for key in keys:
            if is_older and key in NEWER:
                continue
            if key == "chatroom":
                room = self._state.rooms.get(row.chatroom)
                form[key] = None if room is None else {name: getattr(room, name) for name in ROOM_KEYS}
            else:
                form[key] = getattr(row, key)
        return form


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def camel_keys(value: Json) -> Json:
    """The same value with camelCase keys, at every depth."""
    if isinstance(value, dict):
        return {camel(key): camel_keys(each) for key, each in value.items()}
    return [camel_keys(each) for each in value] if isinstance(value, list) else value


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found.group(1).lower(), name)


def written_values(data: Mapping[str, Json], style: str) -> dict[str, Json]:
    """What a body sets, by field name. Keys of the other style, and unknown ones, are ignored without a word."""
    values: dict[str, Json] = {}
    for key, value in data.items():
        name = snake(key)
        is_camel = key != name
        is_neutral = key == camel(name) == name
        if name not in WRITABLE or (not is_neutral and style == ("snake" if is_camel else "camel")):
            continue
        values[name] = value
    return values


def reference(data: Mapping[str, Json], key: str, style: str) -> int | None:
    """The id that a relation names: an object with `id` (documented, snake) or a scalar (camel)."""
    value = data.get(key)
    if isinstance(value, dict) and style != "camel":
        value = value.get("id")
    elif style == "snake" and key == "chatroom":
        return None
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
