"""How Kaiten writes users, groups and audit events: which fields come in which answer."""

from membership.sandbox.kaiten_state import AuditEvent, Group, KaitenState, User
from membership.sandbox.state import words
from membership.sandbox.wire import Json

COMPANY_ID = 1
COMPANY_UID = "c0ffee00-0000-4000-8000-000000000001"
# The 18 attributes of the page "Remove user from group", and `uid`, which only its siblings' examples show.
USER_KEYS = words(
    "id uid full_name email username avatar_initials_url avatar_uploaded_url initials avatar_type lng timezone theme"
    " updated created activated ui_version virtual email_blocked email_blocked_reason delete_requested_at"
)
LISTED_TOO = ("delete_confirmation_sent_at", "sd_telegram_id", "news_subscription")
GROUP_KEYS = ("id", "uid", "name", "permissions", "add_to_cards_and_spaces_enabled", "created", "updated")


class Forms:
    def __init__(self, state: KaitenState) -> None:
        self._state = state

    def user(self, user: User) -> dict[str, Json]:
        """The answer to an addition or a removal."""
        return {key: _initials_url(user) if key == "avatar_initials_url" else getattr(user, key) for key in USER_KEYS}

    def listed(self, user: User) -> dict[str, Json]:
        """An item of a group's list: three fields more."""
        return {**self.user(user), **{key: getattr(user, key) for key in LISTED_TOO}}

    def company_user(self, user: User) -> dict[str, Json]:
        return {
            **self.listed(user),
            "user_id": user.id,
            "company_id": COMPANY_ID,
            "role": user.role,
            "permissions": self._state.permissions(user),
            "own_permissions": user.own_permissions,
            "apps_permissions": user.apps_permissions,
            "external": user.external,
            "temporarily_inactive": user.temporarily_inactive,
            "take_licence": not user.virtual,
            "locked": False,
            "last_request_date": None,
        }

    def with_groups(self, user: User) -> dict[str, Json]:
        groups = [{"id": group.id, "uid": group.uid, "name": group.name} for group in self._state.groups_of(user.id)]
        return {**self.company_user(user), "groups": groups}

    def group(self, group: Group) -> dict[str, Json]:
        return {key: getattr(group, key) for key in GROUP_KEYS}

    def event(self, event: AuditEvent) -> dict[str, Json]:
        author = self._state.users.get(event.author) if event.author is not None else None
        return {
            "id": event.id,
            "category": event.category,
            "action": event.action,
            "message": event.message,
            "created": event.created,
            "author_id": event.author,
            "author_uid": author.uid if author else None,
            "author_username": author.username if author else None,
            "author_remote_address": None,
            "author": self.user(author) if author else None,
            "app_name": "kaiten",
            "company_uid": COMPANY_UID,
            "details": event.details,
        }


def _initials_url(user: User) -> str:
    return f"https://files.kaiten.example/initials/{user.id}.png"
