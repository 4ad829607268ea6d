"""What the Mudbase sandbox knows: projects, users, chats with their members, sessions and tokens."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from membership.sandbox.limits import Limits
from membership.sandbox.state import State, Switches, Table, words
from membership.sandbox.store import Store
from membership.sandbox.wire import Json

SIGNING_KEY = b"mudbase sandbox"  # tokens of a sandbox protect nothing
ROLES = ("admin", "member")
KINDS = ("direct", "group", "channel", "broadcast")


@dataclass(frozen=True, slots=True)
class MudbaseSwitches(Switches):
    """Where the reference pages are silent or contradict each other. The first value named is the default."""

    token_ttl_s: float = 1800
    login_limit: int | None = 5  # per address in 15 minutes; None: no limit
    auth_limit: int | None = None  # documented: 20
    refresh_limit: int | None = None  # documented: 60
    general_limit: int | None = None  # documented: 2000
    retry_after_header: bool = True  # a 429 names its seconds in the header, too
    foreign_chat: int = 404  # 404 | 403: details of a chat that the caller is not in
    write_needs_admin: bool = True  # a member who is no admin of the chat gets 403
    add_existing: str = "400"  # 400 | update | unchanged
    remove_missing: int = 400  # 400 | 404 | 200
    unknown_user: int = 404  # 404 | 400: adding somebody who is no user of the project
    last_admin: str = "allowed"  # allowed | 400
    add_answer: str = "all"  # all | added: which participants the answer of an addition lists
    create_answer: str = "objects"  # objects | strings: participants in the answer of createChat
    max_limit: int = 100  # chats per page
    org_suspended: bool = False  # every call is answered 503
    email_verification: bool = False  # a log-in with an unverified e-mail is refused


@dataclass(slots=True)
class Project:
    id: str
    org: str
    name: str


@dataclass(slots=True)
class User:
    """A user of a project; of the organisation when `project` is empty."""

    id: str
    project: str
    first_name: str | None
    last_name: str | None
    email: str | None
    created_at: str
    password: str = ""
    avatar: str | None = None
    email_verified: bool = True
    role: str = "user"
    custom_role: str | None = None
    phone: str | None = None
    phone_verified: bool = False
    last_login: str | None = None
    is_active: bool = True
    account_status: str = "active"
    is_anonymous: bool = False


@dataclass(slots=True)
class Chat:
    id: str
    project: str
    name: str | None
    type: str
    created_at: str
    description: str | None = None
    settings: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class Member:
    key: str
    chat: str
    user: str
    role: str
    added_at: str


@dataclass(slots=True)
class Session:
    """One log-in. `refresh` is the token that counts; those in `used` were rotated away."""

    id: str
    user: str
    refresh: str
    used: list[str] = field(default_factory=list)
    revoked: bool = False


@dataclass(frozen=True, slots=True)
class Tokens:
    token: str
    refresh_token: str
    expires_in: int


class MudbaseState(State):
    BY_HAND = frozenset(
        words(
            "add_project add_user add_chat add_participant remove_by_hand change_role_by_hand change_user delete_chat"
            " rename_chat issue_token revoke_all reset_limits"
        )
    )
    switches: MudbaseSwitches

    def __init__(self, *, now: Callable[[], float], store: Store | None = None) -> None:
        self.projects = Table("projects", Project)
        self.users = Table("users", User, indexes=("project", "email"))
        self.chats = Table("chats", Chat, indexes=("project",))
        self.members = Table("members", Member, key="key", indexes=("chat", "user"))
        self.sessions = Table("sessions", Session, indexes=("refresh",))
        self.limits = Limits()
        tables = (self.projects, self.users, self.chats, self.members, self.sessions)
        super().__init__(now=now, store=store, tables=tables)

    def default_switches(self) -> MudbaseSwitches:
        return MudbaseSwitches()

    # seeding

    def add_project(self, id: str, *, org: str = "org_1", name: str = "Project") -> Project:
        with self.changing():
            return self.projects.put(Project(id, org, name))

    def add_user(
        self,
        first_name: str | None,
        last_name: str | None,
        *,
        project: str,
        email: str | None = None,
        id: str | None = None,
        **values: Any,
    ) -> User:
        """`values`: any other field of `User`, such as password and role."""
        with self.changing():
            user_id = id if id is not None else f"usr_{secrets.token_hex(7)}"
            return self.users.put(User(user_id, project, first_name, last_name, email, self.stamp_ms(), **values))

    def add_chat(
        self, name: str | None, *, project: str, id: str | None = None, type: str = "group", admin: str | None = None
    ) -> Chat:
        with self.changing():
            chat_id = id if id is not None else secrets.token_hex(8)
            chat = self.chats.put(Chat(chat_id, project, name, type, self.stamp_ms()))
            if admin is not None:
                self.add_participant(chat.id, admin, role="admin")
            return chat

    def add_participant(self, chat: str, user: str, *, role: str = "member") -> Member:
        with self.changing():
            return self.members.put(Member(_member_key(chat, user), chat, user, role, self.stamp_ms()))

    # by hand

    def remove_by_hand(self, chat: str, user: str) -> None:
        with self.changing():
            self.members.drop(_member_key(chat, user))

    def change_role_by_hand(self, chat: str, user: str, role: str) -> Member:
        with self.changing():
            member = self.members.rows[_member_key(chat, user)]
            member.role = role
            return self.members.put(member)

    def change_user(self, user: str, **values: Any) -> User:
        with self.changing():
            row = self.users.rows[user]
            for name, value in values.items():
                if name not in User.__dataclass_fields__:
                    raise TypeError(f"User has no field {name}")
                setattr(row, name, value)
            return self.users.put(row)

    def rename_chat(self, chat: str, name: str | None) -> Chat:
        with self.changing():
            row = self.chats.rows[chat]
            row.name = name
            return self.chats.put(row)

    def delete_chat(self, chat: str) -> None:
        with self.changing():
            for member in self.members.where("chat", chat):
                self.members.drop(member.key)
            self.chats.drop(chat)

    # sessions

    def sign_in(self, user: str) -> Tokens:
        with self.changing():
            session = self.sessions.put(Session(secrets.token_hex(8), user, f"rt_{secrets.token_urlsafe(24)}"))
            return self._tokens(session)

    def issue_token(self, user: str) -> str:
        """An access token of a new session."""
        return self.sign_in(user).token

    def refresh(self, refresh_token: str) -> Tokens | None:
        """New tokens for the current refresh token. An old one revokes its session: somebody else holds a copy."""
        with self.changing():
            current = self.sessions.where("refresh", refresh_token)
            if current and not current[0].revoked:
                session = current[0]
                session.used.append(session.refresh)
                session.refresh = f"rt_{secrets.token_urlsafe(24)}"
                return self._tokens(self.sessions.put(session))
            for session in self.sessions:
                if refresh_token in session.used:
                    session.revoked = True
                    self.sessions.put(session)
            return None

    def revoke_all(self) -> None:
        """No token and no refresh token is accepted any more."""
        with self.changing():
            for session in self.sessions:
                session.revoked = True
                self.sessions.put(session)

    def user_of(self, token: str) -> User | None:
        """Whose token this is; None when it is forged, has run out, or its session was revoked."""
        try:
            head, body, signature = token.split(".")
            if not hmac.compare_digest(signature, _sign(f"{head}.{body}")):
                return None
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        except ValueError:
            return None
        session = self.sessions.get(claims["sid"])
        if session is None or session.revoked or claims["exp"] <= self.now():
            return None
        user = self.users.get(claims["sub"])
        return user if user is not None and user.account_status == "active" else None

    def reset_limits(self) -> None:
        self.limits.reset()

    # looking

    def member(self, chat: str, user: str) -> Member | None:
        return self.members.get(_member_key(chat, user))

    def roles(self, chat: str) -> dict[str, str]:
        """`{user id: role}` of a chat."""
        with self.lock:
            return {member.user: member.role for member in self.members.where("chat", chat)}

    def _tokens(self, session: Session) -> Tokens:
        seconds = self.switches.token_ttl_s
        user = self.users.rows[session.user]
        claims = {
            "sub": user.id,
            "email": user.email,
            "sid": session.id,
            "exp": self.now() + seconds,
            "jti": secrets.token_hex(4),
        }
        signed = f"{_base64(json.dumps({'alg': 'HS256', 'typ': 'JWT'}))}.{_base64(json.dumps(claims))}"
        return Tokens(f"{signed}.{_sign(signed)}", session.refresh, int(seconds))


def _member_key(chat: str, user: str) -> str:
    return json.dumps([chat, user])


def _base64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _sign(text: str) -> str:
    digest = hmac.new(SIGNING_KEY, text.encode(), hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
