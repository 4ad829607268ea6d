"""What the Kaiten sandbox knows: users, groups, who is on which list of a group, tokens, the audit log."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from membership.sandbox.limits import Limits
from membership.sandbox.state import State, Switches, Table, words
from membership.sandbox.store import Store
from membership.sandbox.wire import Json

MEMBERS_SECTION = 1  # permission bit
OWNER, USER, DEACTIVATED = 1, 2, 3  # company roles
USERS, ADMINS = "users", "admins"  # the two lists of a group


@dataclass(frozen=True, slots=True)
class KaitenSwitches(Switches):
    """Where the reference pages are silent, or a tenant may differ. The first value named is the default."""

    rate_per_s: int | None = None  # documented: 5; None: no limit
    rate_headers: bool = True  # X-RateLimit-* on each answer, where there is a limit
    tariff: bool = True  # False: writes to groups are answered 402
    unauthorized_text: str = "Invalid token"  # the 401 is a bare string
    users_paging: str = "paged"  # paged | legacy | capped: of a group's two lists
    add_existing: int = 200  # 200 | 400
    condition_default: int | None = None  # None: active and inactive groups; 1: active alone
    sync_field: str = "sync_group"  # what with_sync_group_attribute adds; the name is not documented
    count_field: str = "users_count"
    deactivated_listed: bool = True  # company users include role 3
    audit_rights: bool = True  # the token may read the audit log
    max_group_limit: int | None = None  # of company/groups; not stated


@dataclass(slots=True)
class User:
    id: int
    uid: str
    full_name: str
    email: str
    username: str
    initials: str
    created: str
    updated: str
    role: int = USER
    own_permissions: int = 0
    apps_permissions: str = "1"
    avatar_uploaded_url: str | None = None
    avatar_type: int = 2
    lng: str = "ru"
    timezone: str = "Europe/Berlin"
    theme: str = "auto"
    activated: bool = True
    ui_version: int = 2
    virtual: bool = False
    email_blocked: str | None = None
    email_blocked_reason: str | None = None
    delete_requested_at: str | None = None
    delete_confirmation_sent_at: str | None = None
    sd_telegram_id: int | None = None
    news_subscription: bool = False
    temporarily_inactive: bool = False
    external: bool = False
    shared: bool = False  # in a space that everybody sees: all that a weak token learns about


@dataclass(slots=True)
class Group:
    uid: str
    id: int
    name: str
    created: str
    updated: str
    permissions: int = 0
    add_to_cards_and_spaces_enabled: bool = True
    active: bool = True
    directory: list[int] | None = None  # users that the directory says are in; None: not synced


@dataclass(slots=True)
class Place:
    """One user on one list of a group."""

    key: str
    group: str
    user: int
    list: str


@dataclass(slots=True)
class Token:
    token: str
    user: int


@dataclass(slots=True)
class AuditEvent:
    id: str
    number: int
    category: str
    action: str
    message: str
    created: str
    author: int | None
    details: Json = None


class KaitenState(State):
    BY_HAND = frozenset(
        words(
            "add_user add_group add_member add_admin remove_by_hand change_user change_group delete_group delete_user"
            " sync_directory issue_token revoke_token revoke_all reset_limits"
        )
    )
    switches: KaitenSwitches

    def __init__(self, *, now: Callable[[], float], store: Store | None = None) -> None:
        self.users = Table("users", User)
        self.groups = Table("groups", Group, key="uid")
        self.places = Table("places", Place, key="key", indexes=("group", "user"))
        self.tokens = Table("tokens", Token, key="token")
        self.audit = Table("audit", AuditEvent)
        self.limits = Limits()
        super().__init__(now=now, store=store, tables=(self.users, self.groups, self.places, self.tokens, self.audit))
        # Not in the table's own counter: its keys are uids.
        self._last_group = max((group.id for group in self.groups), default=0)

    def default_switches(self) -> KaitenSwitches:
        return KaitenSwitches()

    # seeding

    def add_user(
        self,
        full_name: str,
        *,
        email: str = "",
        username: str = "",
        id: int | None = None,
        uid: str = "",
        **values: Any,
    ) -> User:
        """`values`: any other field of `User`."""
        with self.changing():
            number = id if id is not None else self.users.next_id()
            stamp = self.stamp_ms()
            initials = "".join(word[0] for word in full_name.split()[:2]).upper()
            login = username or f"user{number}"
            row = User(number, uid or str(uuid.uuid4()), full_name, email, login, initials, stamp, stamp)
            _set(row, values)
            return self.users.put(row)

    def add_group(
        self, name: str, *, uid: str = "", id: int | None = None, author: int | None = None, **values: Any
    ) -> Group:
        """`values`: any other field of `Group`; `directory=[]` makes it a synced one."""
        with self.changing():
            self._last_group = id if id is not None else self._last_group + 1
            stamp = self.stamp_ms()
            row = Group(uid or str(uuid.uuid4()), self._last_group, name, stamp, stamp)
            _set(row, values)
            self._record("create", author, row, None)
            return self.groups.put(row)

    def add_member(self, group: str, user: int, *, author: int | None = None) -> Place:
        return self._add(group, user, USERS, author)

    def add_admin(self, group: str, user: int, *, author: int | None = None) -> Place:
        return self._add(group, user, ADMINS, author)

    # by hand

    def remove_by_hand(self, group: str, user: int, *, list: str = USERS, author: int | None = None) -> None:
        with self.changing():
            self.places.drop(_place_key(group, user, list))
            self._record("delete_user" if list == USERS else "delete_admin", author, self.groups.rows[group], user)

    def change_user(self, user: int, **values: Any) -> User:
        with self.changing():
            row = self.users.rows[user]
            _set(row, values)
            row.updated = self.stamp_ms()
            return self.users.put(row)

    def change_group(self, group: str, *, author: int | None = None, **values: Any) -> Group:
        with self.changing():
            row = self.groups.rows[group]
            _set(row, values)
            row.updated = self.stamp_ms()
            if "permissions" in values:
                self._record("change_permissions", author, row, None)
            return self.groups.put(row)

    def delete_group(self, group: str, *, author: int | None = None) -> None:
        with self.changing():
            for place in self.places.where("group", group):
                self.places.drop(place.key)
            self._record("delete", author, self.groups.rows[group], None)
            self.groups.drop(group)

    def delete_user(self, user: int) -> None:
        with self.changing():
            for place in self.places.where("user", user):
                self.places.drop(place.key)
            self.users.drop(user)

    def sync_directory(self) -> None:
        """The directory has its way: synced groups get exactly the members that it names."""
        with self.changing():
            for group in self.groups:
                if group.directory is None:
                    continue
                here = set(self.members(group.uid))
                for user in here - set(group.directory):
                    self.remove_by_hand(group.uid, user)
                for user in set(group.directory) - here:
                    self.add_member(group.uid, user)

    # tokens

    def issue_token(self, user: int, *, token: str = "") -> str:
        with self.changing():
            return self.tokens.put(Token(token or str(uuid.uuid4()), user)).token

    def revoke_token(self, token: str) -> None:
        with self.changing():
            self.tokens.drop(token)

    def revoke_all(self) -> None:
        with self.changing():
            for token in list(self.tokens):
                self.tokens.drop(token.token)

    def user_of(self, token: str) -> User | None:
        """Whose token this is; None when it is unknown or its owner was deactivated."""
        found = self.tokens.get(token)
        user = self.users.get(found.user) if found is not None else None
        return user if user is not None and user.role != DEACTIVATED else None

    def reset_limits(self) -> None:
        self.limits.reset()

    # looking

    def members(self, group: str) -> list[int]:
        return self._on_list(group, USERS)

    def admins(self, group: str) -> list[int]:
        return self._on_list(group, ADMINS)

    def is_on(self, group: str, user: int, list: str = USERS) -> bool:
        return _place_key(group, user, list) in self.places.rows

    def groups_of(self, user: int) -> list[Group]:
        with self.lock:
            uids = {place.group: None for place in self.places.where("user", user) if place.list == USERS}
            return [self.groups.rows[uid] for uid in uids]

    def permissions(self, user: User) -> int:
        """Own bits and those of the user's groups: to be added to a group can make somebody an administrator."""
        bits = user.own_permissions
        for group in self.groups_of(user.id):
            bits |= group.permissions
        return bits

    def _on_list(self, group: str, list: str) -> list[int]:
        with self.lock:
            return [place.user for place in self.places.where("group", group) if place.list == list]

    def _add(self, group: str, user: int, list: str, author: int | None) -> Place:
        with self.changing():
            place = Place(_place_key(group, user, list), group, user, list)
            self._record("add_user" if list == USERS else "add_admin", author, self.groups.rows[group], user)
            return self.places.put(place)

    def _record(self, action: str, author: int | None, group: Group, user: int | None) -> None:
        number = len(self.audit) + 1
        details = {"group_uid": group.uid, "group_name": group.name, **({"user_id": user} if user is not None else {})}
        event = AuditEvent(
            id=str(uuid.uuid4()),
            number=number,
            category="group_management",
            action=action,
            message=f"{action}: {group.name}",
            created=self.stamp_ms(),
            author=author,
            details=details,
        )
        self.audit.put(event)


def _place_key(group: str, user: int, list: str) -> str:
    return f"{list} {user} {group}"


def _set(row: Any, values: dict[str, Any]) -> None:
    for name, value in values.items():
        if name not in row.__dataclass_fields__:
            raise TypeError(f"{type(row).__name__} has no field {name}")
        setattr(row, name, value)
