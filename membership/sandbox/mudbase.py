"""The Mudbase sandbox: chats of the caller, participants, users, rotating tokens; envelopes as different as documented.

Source: the vendor's reference pages for the chat, users and auth operations, and the OpenAPI file of its SDK.
"""

import uuid
from typing import Any

from membership.sandbox import mudbase_forms as forms
from membership.sandbox.mudbase_state import KINDS, ROLES, Chat, MudbaseState, User
from membership.sandbox.server import Problem, RemoteServer, route
from membership.sandbox.wire import Answer, Json, Pairs, Request, json_answer

WINDOW_S = 15 * 60
CHATS = "/api/chat/projects/{project}/chats"
LOGINS = ("/api/auth/local/login", "/api/auth/login")
REFRESH = "/api/auth/refresh"
CODES = {
    400: "VALIDATION_ERROR",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    429: "RATE_LIMITED",
    500: "INTERNAL_ERROR",
    503: "SERVICE_UNAVAILABLE",
}


class MudbaseServer(RemoteServer):
    kind = "mudbase"
    sign_in_paths = (*LOGINS, REFRESH)
    state: MudbaseState

    # every request

    def admit(self, request: Request) -> Answer | None:
        if self.state.switches.org_suspended:
            return self._error(503, "Organization is suspended", request)
        return self._over_limit(request)

    def no_route(self, request: Request, *, other_method: bool) -> Answer:
        status = 405 if other_method else 404
        return self._error(status, "Method not allowed" if other_method else "Route not found", request)

    def throttled(self, seconds: float, retry_after: bool) -> Answer:
        body = {"error": "Too many requests", "code": CODES[429], "retryAfter": seconds}
        return json_answer(429, body, [("Retry-After", f"{max(1, round(seconds))}")] if retry_after else ())

    # chats

    @route("GET", CHATS)
    def list_chats(self, request: Request, project: str) -> Answer:
        caller = self._caller(request, project)
        try:
            page, limit = int(request.first("page", "1")), int(request.first("limit", "20"))
        except ValueError:
            raise self._problem(400, "page and limit must be numbers", request) from None
        if page < 1 or limit < 1:
            raise self._problem(400, "page and limit start at 1", request)
        limit = min(limit, self.state.switches.max_limit)
        mine = [self.state.chats.rows[member.chat] for member in self.state.members.where("user", caller.id)]
        mine = [chat for chat in mine if chat.project == project]
        shown = [
            {"_id": chat.id, "name": chat.name, "type": chat.type, "lastMessage": None, "unreadCount": 0}
            for chat in mine[(page - 1) * limit : page * limit]
        ]
        return json_answer(200, {"success": True, "data": {"chats": shown, "total": len(mine)}})

    @route("POST", CHATS)
    def create_chat(self, request: Request, project: str) -> Answer:
        caller, body = self._caller(request, project), self._body(request)
        wanted = body.get("participants")
        if not body.get("name") or body.get("type") not in KINDS or not isinstance(wanted, list):
            raise self._problem(400, "name, type and participants are required", request)
        chat = self.state.add_chat(str(body["name"]), project=project, type=body["type"], admin=caller.id)
        for user_id in wanted:
            if isinstance(user_id, str) and user_id in self.state.users.rows and user_id != caller.id:
                self.state.add_participant(chat.id, user_id)
        members = self.state.members.where("chat", chat.id)
        as_objects = self.state.switches.create_answer == "objects"
        data = {
            "_id": chat.id,
            "name": chat.name,
            "type": chat.type,
            # The page's example shows objects, its schema says strings.
            "participants": [{"user": m.user, "role": m.role} if as_objects else m.user for m in members],
            "createdAt": chat.created_at,
        }
        return json_answer(201, {"success": True, "data": data})

    @route("GET", CHATS + "/{chat}")
    def get_chat(self, request: Request, project: str, chat_id: str) -> Answer:
        chat, _caller = self._chat(request, project, chat_id)
        members = self.state.members.where("chat", chat.id)
        data = {
            "_id": chat.id,
            "name": chat.name,
            "type": chat.type,
            "participants": [{"userId": member.user, "role": member.role} for member in members],
            "createdAt": chat.created_at,
        }
        return json_answer(200, {"success": True, "data": data})

    @route("POST", CHATS + "/{chat}/participants")
    def add_participant(self, request: Request, project: str, chat_id: str) -> Answer:
        chat, caller = self._chat(request, project, chat_id)
        self._may_write(request, chat, caller)
        body, switches = self._body(request), self.state.switches
        user_id, role = self._user_id(request, body), body.get("role", "member")
        if role not in ROLES:
            raise self._problem(400, "role must be admin or member", request)
        user = self.state.users.get(user_id)
        if user is None or user.project not in (project, ""):
            raise self._problem(switches.unknown_user, "User not found", request)
        existing = self.state.member(chat.id, user_id)
        if existing is not None and switches.add_existing == "400":
            raise self._problem(400, "User is already a participant", request)
        if existing is None:
            existing = self.state.add_participant(chat.id, user_id, role=role)
        elif switches.add_existing == "update":
            existing = self.state.change_role_by_hand(chat.id, user_id, role)
        shown = [existing] if switches.add_answer == "added" else self.state.members.where("chat", chat.id)
        return json_answer(200, {"success": True, "data": {"participants": [forms.added(member) for member in shown]}})

    @route("DELETE", CHATS + "/{chat}/participants")
    def remove_participant(self, request: Request, project: str, chat_id: str) -> Answer:
        chat, caller = self._chat(request, project, chat_id)
        user_id, switches = self._user_id(request, self._body(request)), self.state.switches
        if user_id != caller.id:
            self._may_write(request, chat, caller)
        member = self.state.member(chat.id, user_id)
        if member is None and switches.remove_missing != 200:
            raise self._problem(switches.remove_missing, "User is not a participant", request)
        if member is not None:
            admins = [user for user, role in self.state.roles(chat.id).items() if role == "admin"]
            if admins == [user_id] and switches.last_admin == "400":
                raise self._problem(400, "The last admin cannot be removed", request)
            self.state.remove_by_hand(chat.id, user_id)
        return json_answer(200, {"message": "Participant removed successfully"})  # no envelope here

    # users and projects

    @route("GET", "/api/orgs/{org}/projects/{project}/users")
    def list_project_users(self, request: Request, org: str, project_id: str) -> Answer:
        self._administrator(request)
        project = self.state.projects.get(project_id)
        if project is None or project.org != org:
            raise self._problem(404, "Project not found", request)
        users = self._with_status(request, self.state.users.where("project", project_id))
        shown = [forms.listed_user(user, project) for user in users]
        return json_answer(200, {"users": shown, "total": len(shown), "project": forms.project(project)})

    @route("GET", "/api/orgs/{org}/users")
    def list_org_users(self, request: Request, _org: str) -> Answer:
        self._administrator(request)
        users = self._with_status(request, list(self.state.users))
        shown = [forms.listed_user(user, self.state.projects.get(user.project)) for user in users]
        return json_answer(200, {"users": shown, "total": len(shown)})

    @route("GET", "/api/orgs/{org}/users/{user}/overview")
    def get_overview(self, request: Request, _org: str, user_id: str) -> Answer:
        self._administrator(request)
        user = self.state.users.get(user_id)
        if user is None:
            raise self._problem(404, "User not found", request)
        footprint = {"fileCount": 0, "storageUsed": 0, "sessionCount": 0, "apiKeyCount": 0}
        return json_answer(200, {"user": forms.listed_user(user, None), "footprint": footprint})

    @route("PATCH", "/api/orgs/{org}/users/{user}/status")
    def set_status(self, request: Request, _org: str, user_id: str) -> Answer:
        self._administrator(request)
        status = self._body(request).get("accountStatus")
        if user_id not in self.state.users.rows:
            raise self._problem(404, "User not found", request)
        if status not in ("active", "suspended"):
            raise self._problem(400, "accountStatus must be active or suspended", request)
        user = self.state.change_user(user_id, account_status=status)
        return json_answer(200, {"message": "Status updated", "user": forms.listed_user(user, None)})

    @route("GET", "/api/projects/{org}/projects")
    def list_projects(self, request: Request, org: str) -> Answer:
        caller = self._signed_in(request)
        if caller.project:
            raise self._problem(403, "An organization token is needed", request)
        shown = [forms.project(project) for project in self.state.projects if project.org == org]
        return json_answer(200, {"projects": shown, "total": len(shown)})

    @route("GET", "/api/users/me")
    def get_me(self, request: Request) -> Answer:
        return json_answer(200, {"user": forms.own_user(self._signed_in(request), self._org)})

    @route("GET", "/api/me/bootstrap")
    def get_bootstrap(self, request: Request) -> Answer:
        caller, org = self._signed_in(request), {"_id": self._org, "name": self._org}
        projects = [forms.project(project) for project in self.state.projects if caller.project in ("", project.id)]
        body = {"user": forms.own_user(caller, self._org), "organizations": [org], "defaultOrg": org}
        return json_answer(200, {**body, "projects": projects})

    # sessions

    @route("POST", "/api/auth/local/login")
    def log_in_to_project(self, request: Request) -> Answer:
        body = self._body(request)
        project = body.get("projectId")
        user = self._credentials(request, body, lambda user: user.project and project in (None, user.project))
        return self._welcome(user, forms.local_user(user))

    @route("POST", "/api/auth/login")
    def log_in_to_org(self, request: Request) -> Answer:
        user = self._credentials(request, self._body(request), lambda user: not user.project)
        return self._welcome(user, forms.own_user(user, self._org))

    @route("POST", REFRESH)
    def refresh(self, request: Request) -> Answer:
        try:
            given = request.json().get("refreshToken")
        except (ValueError, AttributeError):
            given = None
        if not isinstance(given, str) or not given:
            return json_answer(400, {"error": "Refresh token is required"})
        tokens = self.state.refresh(given)
        if tokens is None:
            return json_answer(401, {"error": "Invalid refresh token"})
        return json_answer(200, {"message": "Token refreshed", **forms.tokens(tokens)})

    # inside

    @property
    def _org(self) -> str:
        return next((project.org for project in self.state.projects), "org_1")

    def _credentials(self, request: Request, body: dict[str, Json], fits: Any) -> User:
        if not isinstance(body.get("email"), str) or not isinstance(body.get("password"), str):
            raise self._problem(400, "email and password are required", request)
        found = [user for user in self.state.users.where("email", body["email"]) if fits(user)]
        user = next((user for user in found if user.password and user.password == body["password"]), None)
        if user is None:
            raise self._problem(401, "Invalid credentials", request)
        if user.account_status != "active":
            raise self._problem(403, "Account is suspended", request)
        if self.state.switches.email_verification and not user.email_verified:
            raise Problem(json_answer(403, {"error": "Verify your e-mail", "code": "EMAIL_VERIFICATION_REQUIRED"}))
        return user

    def _welcome(self, user: User, shown: dict[str, Json]) -> Answer:
        self.state.change_user(user.id, last_login=self.state.stamp_ms())
        tokens = self.state.sign_in(user.id)
        return json_answer(200, {"message": "Login successful", **forms.tokens(tokens), "user": shown})

    def _signed_in(self, request: Request) -> User:
        scheme, _, token = (request.header("Authorization") or "").partition(" ")
        user = self.state.user_of(token) if scheme == "Bearer" else None
        if user is None:
            raise self._problem(401, "Invalid or expired token" if token else "Authentication required", request)
        return user

    def _caller(self, request: Request, project: str) -> User:
        caller = self._signed_in(request)
        if project not in self.state.projects.rows or caller.project not in ("", project):
            raise self._problem(404, "Project not found", request)
        return caller

    def _administrator(self, request: Request) -> User:
        caller = self._signed_in(request)
        if caller.role not in ("owner", "admin"):
            denial = {"resource": "users", "action": "list", "message": "Your role does not allow this"}
            raise Problem(json_answer(403, {"success": False, "error": "feature_not_allowed", **denial}))
        return caller

    def _chat(self, request: Request, project: str, chat_id: str) -> tuple[Chat, User]:
        """The chat, if the caller is in it."""
        caller = self._caller(request, project)
        chat = self.state.chats.get(chat_id)
        if chat is None or chat.project != project:
            raise self._problem(404, "Chat not found", request)
        if self.state.member(chat.id, caller.id) is None:
            raise self._problem(self.state.switches.foreign_chat, "Chat not found", request)
        return chat, caller

    def _may_write(self, request: Request, chat: Chat, caller: User) -> None:
        member = self.state.member(chat.id, caller.id)
        if self.state.switches.write_needs_admin and (member is None or member.role != "admin"):
            raise self._problem(403, "Only admins can do this", request)

    def _body(self, request: Request) -> dict[str, Json]:
        try:
            body = request.json() if request.body else None
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise self._problem(400, "A JSON body is required", request)
        return body

    def _user_id(self, request: Request, body: dict[str, Json]) -> str:
        user_id = body.get("userId")
        if not isinstance(user_id, str) or not user_id:
            raise self._problem(400, "userId is required", request)
        return user_id

    def _with_status(self, request: Request, users: list[User]) -> list[User]:
        status = request.first("status")
        return [user for user in users if user.account_status == status] if status else users

    def _over_limit(self, request: Request) -> Answer | None:
        switches = self.state.switches
        rules = [
            ("general", switches.general_limit, True),
            ("auth", switches.auth_limit, request.path.startswith("/api/auth/")),
            ("login", switches.login_limit, request.path in LOGINS),
            ("refresh", switches.refresh_limit, request.path == REFRESH),
        ]
        for name, allowed, concerns in rules:
            if not concerns or allowed is None:
                continue
            now = self.state.now()
            window = self.state.limits.take(name, request.peer, allowed=allowed, seconds=WINDOW_S, now=now)
            if window.used > allowed:
                return self.throttled(round(window.ends_at - now, 3), switches.retry_after_header)
        return None

    def _problem(self, status: int, message: str, request: Request) -> Problem:
        return Problem(self._error(status, message, request))

    def _error(self, status: int, message: str, request: Request, headers: Pairs = ()) -> Answer:
        body = {
            "error": message,
            "code": CODES[status],
            "timestamp": self.state.stamp_ms(),
            "path": request.path,
            "requestId": uuid.uuid4().hex,
        }
        return json_answer(status, body, headers)
