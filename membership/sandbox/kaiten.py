"""The Kaiten sandbox: bare arrays, empty 403 and 404, a 401 that is a bare string, permission bits that matter.

Source: the vendor's reference pages for groups, group users, group admins, users, company users, audit logs.
"""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, TypeVar

from membership.sandbox.kaiten_forms import Forms
from membership.sandbox.kaiten_state import ADMINS, DEACTIVATED, MEMBERS_SECTION, OWNER, USERS, Group, KaitenState, User
from membership.sandbox.server import Problem, RemoteServer, route
from membership.sandbox.wire import Answer, Json, Request, empty_answer, json_answer, text_answer

Row = TypeVar("Row")
MAX_PAGE = 100
VERSIONS = ("latest", "v1")
TRUE = ("1", "true")


class KaitenServer(RemoteServer):
    kind = "kaiten"
    state: KaitenState

    def __init__(self, *, state: KaitenState, **place: Any) -> None:
        super().__init__(state=state, **place)
        self._forms = Forms(state)

    # every request

    def admit(self, request: Request) -> Answer | None:
        if request.segments[:1] != ("api",) or request.segments[1:2] not in [(version,) for version in VERSIONS]:
            return empty_answer(404)
        request.segments = request.segments[2:]
        allowed = self.state.switches.rate_per_s
        token = self._token(request)
        if allowed is not None:
            window = self.state.limits.take("all", token, allowed=allowed, seconds=1, now=self.state.now())
            if window.used > allowed:
                return json_answer(429, {"message": "Too many requests"})
        return None if self.state.user_of(token) is not None else self._not_signed_in()

    def no_route(self, _request: Request, *, other_method: bool) -> Answer:
        return empty_answer(405 if other_method else 404)

    def throttled(self, seconds: float, retry_after: bool) -> Answer:
        # The header is an absolute epoch, in whole seconds.
        headers = [("X-RateLimit-Remaining", "0"), ("X-RateLimit-Reset", str(int(self.state.now() + seconds + 0.999)))]
        if retry_after:
            headers.append(("Retry-After", f"{max(1, round(seconds))}"))
        return json_answer(429, {"message": "Too many requests"}, headers)

    def finish(self, request: Request, answer: Answer) -> Answer:
        switches = self.state.switches
        if switches.rate_per_s is not None and switches.rate_headers:
            used, ends_at = self.state.limits.look("all", self._token(request), now=self.state.now())
            left = max(0, switches.rate_per_s - used)
            answer.headers += [("X-RateLimit-Remaining", str(left)), ("X-RateLimit-Reset", str(int(ends_at + 0.999)))]
        return answer

    # groups

    @route("GET", "company/groups")
    def list_groups(self, request: Request) -> Answer:
        self._administrator(request)
        condition = request.first("condition") or str(self.state.switches.condition_default or "")
        sought = request.first("query").casefold()
        found = [
            group
            for group in self.state.groups
            if (not condition or group.active == (condition == "1")) and (not sought or sought in group.name.casefold())
        ]
        # Paged only when limit or offset is there and with_tree_entities is not.
        if (request.has("limit") or request.has("offset")) and not _flag(request, "with_tree_entities"):
            found = _page(request, found, most=self.state.switches.max_group_limit)
        return json_answer(200, [self._group(request, group) for group in found])

    @route("POST", "company/groups")
    def create_group(self, request: Request) -> Answer:
        caller = self._writer(request)
        values = _group_values(_body(request))
        if "name" not in values:
            raise _invalid("name is required")
        return json_answer(200, self._forms.group(self.state.add_group(values.pop("name"), author=caller.id, **values)))

    @route("GET", "company/groups/{uid}")
    def get_group(self, request: Request, uid: str) -> Answer:
        self._administrator(request)
        return json_answer(200, self._forms.group(self._found(uid)))

    @route("PATCH", "company/groups/{uid}")
    def update_group(self, request: Request, uid: str) -> Answer:
        caller = self._writer(request)
        group = self._found(uid)
        values = _group_values(_body(request))
        return json_answer(200, self._forms.group(self.state.change_group(group.uid, author=caller.id, **values)))

    @route("DELETE", "company/groups/{uid}")
    def delete_group(self, request: Request, uid: str) -> Answer:
        caller = self._administrator(request)
        group = self._found(uid)
        self.state.delete_group(group.uid, author=caller.id)
        return json_answer(200, self._forms.group(group))

    # the two lists of a group

    @route("GET", "groups/{uid}/users")
    def list_users_of_group(self, request: Request, uid: str) -> Answer:
        return self._list(request, uid, self.state.members)

    @route("GET", "groups/{uid}/admins")
    def list_admins_of_group(self, request: Request, uid: str) -> Answer:
        return self._list(request, uid, self.state.admins)

    @route("POST", "groups/{uid}/users")
    def add_user_to_group(self, request: Request, uid: str) -> Answer:
        return self._add(request, uid, USERS)

    @route("POST", "groups/{uid}/admins")
    def add_admin_to_group(self, request: Request, uid: str) -> Answer:
        return self._add(request, uid, ADMINS)

    @route("DELETE", "groups/{uid}/users/{user}")
    def remove_user_from_group(self, request: Request, uid: str, user: str) -> Answer:
        return self._remove(request, uid, user, USERS)

    @route("DELETE", "groups/{uid}/admins/{user}")
    def remove_admin_from_group(self, request: Request, uid: str, user: str) -> Answer:
        return self._remove(request, uid, user, ADMINS)

    # users

    @route("GET", "users/current")
    def get_current(self, request: Request) -> Answer:
        return json_answer(200, self._forms.company_user(self._caller(request)))

    @route("GET", "users")
    def list_users(self, request: Request) -> Answer:
        caller = self._caller(request)
        found = self._search(request, self.state.users)
        if not self._may_see_members(caller):  # partial, and nothing says so
            found = [user for user in found if user.shared or user.id == caller.id]
        if not _flag(request, "include_inactive"):
            found = [user for user in found if user.role != DEACTIVATED]
        if request.has("ids"):
            wanted = set(request.first("ids").split(","))
            found = [user for user in found if str(user.id) in wanted]
        return json_answer(200, [self._forms.company_user(user) for user in _page(request, found, most=MAX_PAGE)])

    @route("GET", "company/users")
    def list_company_users(self, request: Request) -> Answer:
        self._administrator(request)
        found: Iterable[User] = self.state.users
        is_section = _flag(request, "for_members_section")
        if not self.state.switches.deactivated_listed:
            found = [user for user in found if user.role != DEACTIVATED]
        if _flag(request, "only_virtual"):
            found = [user for user in found if user.virtual]
        if is_section:  # search and filters work only with it
            found = self._search(request, found)
            groups = {value for key, value in request.query if key in ("group_ids", "group_ids[]")}
            if groups:
                found = [user for user in found if groups & {str(g.id) for g in self.state.groups_of(user.id)}]
        if is_section or _flag(request, "only_virtual"):
            found = _page(request, found, most=MAX_PAGE)
        return json_answer(200, [self._forms.with_groups(user) for user in found])

    @route("PATCH", "company/users/{id}")
    def update_company_user(self, request: Request, user_id: str) -> Answer:
        self._administrator(request)
        user, body = self._user(user_id), _body(request)
        values: dict[str, Json] = {}
        if isinstance(body.get("apps_permissions"), int):
            values["apps_permissions"] = str(body["apps_permissions"])  # a number in, a string out
        if isinstance(body.get("temporarily_inactive"), bool):
            values["temporarily_inactive"] = body["temporarily_inactive"]
        return json_answer(200, self._forms.company_user(self.state.change_user(user.id, **values)))

    @route("DELETE", "company/users/{id}")
    def delete_company_user(self, request: Request, user_id: str) -> Answer:
        self._administrator(request)
        user = self._user(user_id)
        if not user.virtual:
            raise Problem(empty_answer(403))
        self.state.delete_user(user.id)
        return json_answer(200, {"id": user.id})

    # audit

    @route("GET", "audit-logs")
    def list_audit(self, request: Request) -> Answer:
        if not self.state.switches.audit_rights:
            raise Problem(empty_answer(403))
        self._caller(request)
        since, until = request.first("from"), request.first("to")
        actions = set(filter(None, request.first("actions").split(",")))
        categories = set(filter(None, request.first("categories").split(",")))
        found = [
            event
            for event in sorted(self.state.audit, key=lambda event: -event.number)
            if (not since or event.created >= since)
            and (not until or event.created <= until)
            and (not actions or event.action in actions)
            and (not categories or event.category in categories)
            and request.first("author_id") in ("", str(event.author))
        ]
        shown = _page(request, found, most=500)
        return json_answer(200, [self._forms.event(event) for event in shown])

    # inside

    def _list(self, request: Request, uid: str, ids_of: Callable[[str], list[int]]) -> Answer:
        self._administrator(request)
        ids = ids_of(self._found(uid).uid)
        paging = self.state.switches.users_paging
        if paging == "capped":
            ids = ids[:MAX_PAGE]
        elif paging == "paged":
            ids = _page(request, ids, most=MAX_PAGE, is_strict=True)
        return json_answer(200, [self._forms.listed(self.state.users.rows[user]) for user in ids])

    def _add(self, request: Request, uid: str, list_name: str) -> Answer:
        caller = self._writer(request)
        group = self._found(uid)
        user_id = _body(request).get("user_id")
        if not isinstance(user_id, int) or isinstance(user_id, bool):
            raise _invalid("user_id must be an integer")
        user = self._user(str(user_id))
        if self.state.is_on(group.uid, user.id, list_name):
            if self.state.switches.add_existing == 400:
                raise _invalid("User is already in the group")
        elif list_name == USERS:
            self.state.add_member(group.uid, user.id, author=caller.id)
        else:
            self.state.add_admin(group.uid, user.id, author=caller.id)
        return json_answer(200, self._forms.user(user))

    def _remove(self, request: Request, uid: str, user_id: str, list_name: str) -> Answer:
        caller = self._writer(request)
        group = self._found(uid)
        if not (user_id.isascii() and user_id.isdigit()):
            raise _invalid("user_id must be an integer")
        user = self._user(user_id)
        if not self.state.is_on(group.uid, user.id, list_name):
            raise Problem(empty_answer(404))  # the same as for a group that is gone
        self.state.remove_by_hand(group.uid, user.id, list=list_name, author=caller.id)
        return json_answer(200, self._forms.user(user))

    def _group(self, request: Request, group: Group) -> dict[str, Json]:
        shown = self._forms.group(group)
        if _flag(request, "with_users_count"):
            shown[self.state.switches.count_field] = len(self.state.members(group.uid))
        if _flag(request, "with_sync_group_attribute"):
            shown[self.state.switches.sync_field] = group.directory is not None
        return shown

    def _search(self, request: Request, users: Iterable[User]) -> Iterable[User]:
        sought = request.first("query").casefold()
        return [u for u in users if sought in f"{u.full_name} {u.email} {u.username}".casefold()] if sought else users

    def _token(self, request: Request) -> str:
        scheme, _, token = (request.header("Authorization") or "").partition(" ")
        return token if scheme == "Bearer" else ""

    def _not_signed_in(self) -> Answer:
        return text_answer(401, self.state.switches.unauthorized_text)

    def _caller(self, request: Request) -> User:
        caller = self.state.user_of(self._token(request))
        if caller is None:
            raise Problem(self._not_signed_in())
        return caller

    def _may_see_members(self, user: User) -> bool:
        return user.role == OWNER or bool(self.state.permissions(user) & MEMBERS_SECTION)

    def _administrator(self, request: Request) -> User:
        caller = self._caller(request)
        if not self._may_see_members(caller):
            raise Problem(empty_answer(403))
        return caller

    def _writer(self, request: Request) -> User:
        caller = self._administrator(request)
        if not self.state.switches.tariff:
            raise Problem(json_answer(402, {"message": "Feature is not supported by tariff"}))
        return caller

    def _found(self, uid: str) -> Group:
        group = self.state.groups.get(uid)
        if group is None:
            raise Problem(empty_answer(404))
        return group

    def _user(self, user_id: str) -> User:
        user = self.state.users.get(int(user_id)) if user_id.isascii() and user_id.isdigit() else None
        if user is None:
            raise Problem(empty_answer(404))
        return user


def _invalid(message: str) -> Problem:
    return Problem(json_answer(400, {"message": message}))


def _body(request: Request) -> dict[str, Json]:
    try:
        body = request.json()
    except ValueError as error:
        raise _invalid("Body is no JSON") from error
    if not isinstance(body, dict):
        raise _invalid("Body must be an object")
    return body


def _group_values(body: dict[str, Json]) -> dict[str, Json]:
    kinds = {"name": str, "permissions": int, "add_to_cards_and_spaces_enabled": bool}
    for key, kind in kinds.items():
        if key in body and type(body[key]) is not kind:
            raise _invalid(f"{key} has the wrong type")
    if "name" in body and not 1 <= len(body["name"]) <= 512:
        raise _invalid("name must have 1 to 512 characters")
    return {key: body[key] for key in kinds if key in body}


def _flag(request: Request, name: str) -> bool:
    return request.first(name).lower() in TRUE


def _page(request: Request, rows: Iterable[Row], *, most: int | None, is_strict: bool = False) -> list[Row]:
    """The page that limit and offset ask for; a limit above `most` is clamped, or refused when `is_strict`."""
    try:
        limit, offset = int(request.first("limit", "100")), int(request.first("offset", "0"))
    except ValueError:
        raise _invalid("limit and offset must be integers") from None
    if offset < 0 or limit < 0 or (is_strict and most is not None and not 1 <= limit <= most):
        raise _invalid("limit or offset is out of range")
    limit = min(limit or 100, most or limit)
    return list(islice(rows, offset, offset + limit))
