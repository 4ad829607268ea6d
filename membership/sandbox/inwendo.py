"""The inwendo sandbox: bare arrays and objects, `{"data": …}` in bodies, soft delete, X-IW-ERROR headers.

Source: the vendor's reference pages for chatroom_participant, chatroom, crmpeople, crmcompanies, users, logins.
"""

import json
from collections.abc import Callable, Collection
from itertools import islice
from typing import Any, TypeVar

from membership.sandbox.inwendo_forms import Forms, camel_keys, reference, snake, written_values
from membership.sandbox.inwendo_state import WRITABLE, InwendoState, Participant, Room, Session
from membership.sandbox.server import Problem, RemoteServer, route
from membership.sandbox.wire import Answer, Json, Request, json_answer

Row = TypeVar("Row")
MAX_PAGE = 200
DEFAULT_PAGE = 50
PARTICIPANTS = "/api/chat/chatroom_participant"
ROOMS = "/api/chat/chatroom"


class InwendoServer(RemoteServer):
    kind = "inwendo"
    sign_in_paths = ("/api/logins", "/api/sessions")
    state: InwendoState

    def __init__(self, *, state: InwendoState, **place: Any) -> None:
        super().__init__(state=state, **place)
        self._forms = Forms(state)

    # every request

    def admit(self, request: Request) -> Answer | None:
        if request.segments and request.segments[-1].endswith(".json"):  # accepted on sibling resources
            request.segments = (*request.segments[:-1], request.segments[-1].removesuffix(".json"))
        if request.segments[:1] != ("api",) or request.segments == ("api", "logins"):
            return None
        session = self._session(request)
        return None if session is not None and session.valid else self._not_signed_in()

    def no_route(self, _request: Request, *, other_method: bool) -> Answer:
        return error(405, "Method Not Allowed") if other_method else error(404, "No route found")

    def throttled(self, seconds: float, retry_after: bool) -> Answer:
        # No limit is documented: a plain 429.
        return json_answer(
            429, {"title": "Too Many Requests"}, [("Retry-After", f"{seconds:g}")] if retry_after else ()
        )

    def finish(self, request: Request, answer: Answer) -> Answer:
        if request.header("x-iw-convert-to-camel-case") == "1" and answer.body:
            return json_answer(answer.status, camel_keys(json.loads(answer.body)), answer.headers[1:])
        return answer

    # participants

    @route("GET", PARTICIPANTS)
    def list_participants(self, request: Request) -> Answer:
        switches, rows = self.state.switches, self.state.participants
        given = {
            key: request.first(key) for key in ("chatroom", "person", "company", "eventSignUp") if request.has(key)
        }
        if (given or request.has("deleted")) and not switches.scope_list:
            return error(403, "SCOPE_LIST is missing")
        given.pop(switches.ignored_filter, None)
        found: Collection[Participant] = rows
        for key in ("chatroom", "person"):
            if key in given:
                found = rows.where(key, _number(given[key]))
                break
        for key, value in given.items():
            found = [row for row in found if getattr(row, snake(key)) == _number(value)]
        if request.has("deleted"):
            wanted = request.first("deleted").lower() in ("1", "true")
            found = [row for row in found if row.deleted == wanted]
        elif switches.deleted_default == "live":
            found = [row for row in found if not row.deleted]
        return self._page(request, found, self._forms.listed, lambda row: row.name)

    @route("POST", PARTICIPANTS)
    def add_participant(self, request: Request) -> Answer:
        data, switches = wrapped(request, "data"), self.state.switches
        room = self.state.rooms.get(reference(data, "chatroom", switches.body_keys) or 0)
        if room is None:
            return error(400, "chatroom: This value should not be blank.")
        person = reference(data, "person", switches.body_keys)
        if person is not None and self.state.people.get(person) is None:
            return error(400, "person: This value is not valid.")
        values = written_values(data, switches.body_keys)
        values.pop("deleted", None)
        same = self.state.rows_of(room.id, person) if person is not None else []
        live = [row for row in same if not row.deleted]
        if live and switches.duplicate_add == "error":
            return error(400, "This value is already used.")
        if live and switches.duplicate_add == "same_row":
            return json_answer(200, self._forms.detail(live[0]))
        if same and not live and switches.restore == "same_row":
            return json_answer(200, self._forms.detail(self.state.change_by_hand(same[0].id, **values, deleted=False)))
        # A person's names come from the CRM, whatever the body says.
        if person is not None:
            values = {key: value for key, value in values.items() if key not in ("first_name", "last_name")}
        return json_answer(200, self._forms.detail(self.state.add_participant(room.id, person=person, **values)))

    @route("GET", PARTICIPANTS + "/{id}")
    def get_participant(self, request: Request, identifier: str) -> Answer:
        if not self.state.switches.participant_get:
            return self.no_route(request, other_method=True)
        return json_answer(200, self._forms.detail(self._participant(identifier)))

    @route("PUT", PARTICIPANTS + "/{id}")
    def update_participant(self, request: Request, identifier: str) -> Answer:
        row = self._participant(identifier)
        values = written_values(wrapped(request, "data"), self.state.switches.body_keys)
        if self.state.switches.put == "replace":
            values = {**WRITABLE, **values}
        return json_answer(200, self._forms.detail(self.state.change_by_hand(row.id, **values)))

    @route("PATCH", PARTICIPANTS + "/{id}")
    def patch_participant(self, request: Request, identifier: str) -> Answer:
        if not self.state.switches.patch:
            return self.no_route(request, other_method=True)
        row = self._participant(identifier)
        values = written_values(wrapped(request, "data"), self.state.switches.body_keys)
        return json_answer(200, self._forms.detail(self.state.change_by_hand(row.id, **values)))

    @route("DELETE", PARTICIPANTS + "/{id}")
    def remove_participant(self, _request: Request, identifier: str) -> Answer:
        row, switches = self._participant(identifier), self.state.switches
        if row.deleted and switches.second_delete != "again":
            return error(404, "Not Found") if switches.second_delete == "not_found" else error(400, "Already deleted")
        if switches.delete != "ignored":
            row = self.state.remove_by_hand(row.id)
        answer = json_answer(200, self._forms.detail(row))
        if switches.delete == "hard":
            self.state.erase_by_hand(row.id)
        return answer

    # rooms

    @route("GET", ROOMS)
    def list_rooms(self, request: Request) -> Answer:
        if not self.state.switches.room_list:
            return self.no_route(request, other_method=False)
        found: Collection[Room] = self.state.rooms
        if request.has("deleted"):
            wanted = request.first("deleted").lower() in ("1", "true")
            found = [room for room in found if room.deleted == wanted]
        elif self.state.switches.deleted_default == "live":
            found = [room for room in found if not room.deleted]
        return self._page(request, found, self._forms.room_listed, lambda room: room.name or "")

    @route("POST", ROOMS)
    def create_room(self, request: Request) -> Answer:
        if not self.state.switches.room_write:
            return self.no_route(request, other_method=True)
        room = self.state.add_room(wrapped(request, "data").get("name"))
        return json_answer(200, self._forms.room(room))

    @route("GET", ROOMS + "/{id}")
    def get_room(self, _request: Request, identifier: str) -> Answer:
        return json_answer(200, self._forms.room(self._room(identifier)))

    @route("PUT", ROOMS + "/{id}")
    def update_room(self, request: Request, identifier: str) -> Answer:
        room, data = self._room(identifier), wrapped(request, "data")
        if "name" in data:
            self.state.rename_room(room.id, data["name"])
        if "deleted" in data:
            self.state.archive_room(room.id, deleted=bool(data["deleted"]))
        if isinstance(data.get("participants"), list):  # the danger of this call: the list is replaced
            kept = {each.get("id") for each in data["participants"] if isinstance(each, dict)}
            for row in self.state.live(room.id):
                if row.id not in kept:
                    self.state.remove_by_hand(row.id)
        return json_answer(200, self._forms.room(room))

    @route("DELETE", ROOMS + "/{id}")
    def remove_room(self, request: Request, identifier: str) -> Answer:
        if not self.state.switches.room_write:
            return self.no_route(request, other_method=True)
        return json_answer(200, self._forms.room(self.state.archive_room(self._room(identifier).id)))

    # people, companies, users

    @route("GET", "/api/crm/crmpeople")
    def list_people(self, request: Request) -> Answer:
        return self._page(
            request, self.state.people, self._forms.person, lambda person: f"{person.first_name} {person.last_name}"
        )

    @route("POST", "/api/crm/crmpeople")
    def add_person(self, request: Request) -> Answer:
        data = wrapped(request, "crmperson")
        person = self.state.add_person(data.get("first_name"), data.get("last_name"))
        return json_answer(200, self._forms.person(person))

    @route("GET", "/api/crm/crmpeople/{id}")
    def get_person(self, _request: Request, identifier: str) -> Answer:
        person = self.state.people.get(_number(identifier))
        return json_answer(200, self._forms.person(person)) if person is not None else error(404, "Not Found")

    @route("GET", "/api/crm/crmcompanies")
    def list_companies(self, request: Request) -> Answer:
        return self._page(request, self.state.companies, self._forms.company, lambda company: company.company_name)

    @route("PATCH", "/api/crm/crmcompanies/{id}")
    def patch_company(self, request: Request, identifier: str) -> Answer:
        company, data = self.state.companies.get(_number(identifier)), wrapped(request, "crmcompany")
        if company is None:
            return error(404, "Not Found")
        for key in ("company_name", "short_name", "invoice_email", "archived"):
            setattr(company, key, data.get(key, getattr(company, key)))
        return json_answer(200, self._forms.company(self.state.companies.put(company)))

    @route("GET", "/api/users")
    def list_users(self, request: Request) -> Answer:
        return self._page(request, self.state.users, self._forms.user, lambda user: user.name)

    # sessions

    @route("POST", "/api/logins")
    def log_in(self, request: Request) -> Answer:
        given = wrapped(request, "login")
        user = next((user for user in self.state.users if user.username == given.get("username")), None)
        if user is None or user.password != given.get("password"):
            return self._not_signed_in("Bad credentials")
        seconds = request.first("validSeconds")
        session = self.state.issue_session(user.id, ttl_s=float(seconds) if seconds.isdigit() else None)
        return json_answer(200, self._forms.session(session))

    @route("POST", "/api/logins/delete")
    def remove_login(self, request: Request) -> Answer:
        # The danger of this call: it is no log-out, it removes the user.
        session = self._session(request)
        user = self.state.users.get(session.user) if session is not None else None
        if user is None or user.password != wrapped(request, "login").get("password"):
            return error(400, "Wrong password")
        self.state.users.drop(user.id)
        self.state.revoke_all()
        return json_answer(200, {})

    @route("GET", "/api/sessions")
    def get_session(self, request: Request) -> Answer:
        session = self._session(request)
        return json_answer(200, self._forms.session(session)) if session is not None else self._not_signed_in()

    # inside

    def _session(self, request: Request) -> Session | None:
        token, key = request.header("x-session-token"), request.header("x-iw-jwt-token")
        if token:
            return self.state.find_session(token, is_api_key=False)
        return self.state.find_session(key, is_api_key=True) if key else None

    def _not_signed_in(self, message: str = "JWT expired") -> Answer:
        return error(int(self.state.switches.auth_error), message, code=401)

    def _participant(self, identifier: str) -> Participant:
        row = self.state.participants.get(_number(identifier))
        if row is None:
            raise Problem(error(404, "Not Found"))
        return row

    def _room(self, identifier: str) -> Room:
        room = self.state.rooms.get(_number(identifier))
        if room is None:
            raise Problem(error(404, "Not Found"))
        return room

    def _page(
        self, request: Request, rows: Collection[Row], form: Callable[[Row], Json], text: Callable[[Row], str]
    ) -> Answer:
        """One page of rows, counted from 0. Without an order: as they were made."""
        sought = request.first("searchString").casefold()
        if sought:
            rows = [row for row in rows if sought in text(row).casefold()]
        order = snake(request.first("orderFieldName"))
        descending = request.first("orderFieldSort").upper() == "DESC"
        if descending or order not in ("", "id"):
            rows = sorted(rows, key=lambda row: _sortable(getattr(row, order or "id", None)), reverse=descending)
        try:
            page, size = int(request.first("page", "0")), int(request.first("pageSize", str(DEFAULT_PAGE)))
        except ValueError:
            return error(400, "page: This value should be of type integer.")
        if page < 0 or size < 1 or (size > MAX_PAGE and self.state.switches.page_size_over == "error"):
            return error(400, "pageSize: This value should be between 1 and 200.")
        size = min(size, MAX_PAGE)
        found = list(islice(rows, page * size, (page + 1) * size))
        if not found and page and self.state.switches.past_last_page == "error":
            return error(400, "page: Out of range")
        headers = []
        if request.has("withMaxPageNumber"):
            headers.append(("X-IW-Max-Page-Number", str(max(1, -(-len(rows) // size)))))
        return json_answer(200, [form(row) for row in found], headers)


def error(status: int, message: str, *, code: int | None = None) -> Answer:
    """Problem-like body, and the vendor's two headers: the code outranks the status."""
    headers = [("X-IW-ERROR-CODE", str(code or status)), ("X-IW-ERROR-JSON", json.dumps([message]))]
    return json_answer(status, {"title": "An error occurred", "detail": message}, headers)


def wrapped(request: Request, name: str) -> dict[str, Json]:
    """The object under `name` in the body. Raises Problem when it is not there."""
    try:
        body = request.json()
    except ValueError as problem:
        raise Problem(error(400, "Invalid JSON")) from problem
    if not isinstance(body, dict) or not isinstance(body.get(name), dict):
        raise Problem(error(400, f"{name}: This field is missing."))
    return dict(body[name])


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else -1


def _sortable(value: Json) -> tuple[bool, Json]:
    return (value is not None, value if value is not None else "")
