"""How Mudbase writes users, projects and tokens: one thing, another shape in each answer, as its OpenAPI file says."""

from membership.sandbox.mudbase_state import Member, Project, Tokens, User
from membership.sandbox.wire import Json


def tokens(given: Tokens) -> dict[str, Json]:
    return {"token": given.token, "refreshToken": given.refresh_token, "expiresIn": given.expires_in}


def added(member: Member) -> dict[str, Json]:
    """A participant in the answer to an addition."""
    return {"userId": member.user, "role": member.role, "addedAt": member.added_at}


def project(row: Project) -> dict[str, Json]:
    return {"_id": row.id, "name": row.name, "slug": row.id.lower()}


def listed_user(user: User, of: Project | None) -> dict[str, Json]:
    """A user in the users lists."""
    shown = {
        **_common(user),
        "phone": user.phone,
        "isActive": user.is_active,
        "accountStatus": user.account_status,
        "project": project(of) if of is not None else None,
    }
    return _known(shown)


def own_user(user: User, org: str) -> dict[str, Json]:
    """The caller, in answers about the caller."""
    return _known({**_common(user), "fullName": _full_name(user), "org": {"_id": org, "name": org}})


def local_user(user: User) -> dict[str, Json]:
    """The user in the answer to a project log-in: here the key is `id`."""
    shown = {
        "id": user.id,
        "email": user.email,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "role": user.role,
        "emailVerified": user.email_verified,
        "twoFactorEnabled": False,
    }
    return _known(shown)


def _common(user: User) -> dict[str, Json]:
    return {
        "_id": user.id,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "avatar": user.avatar,
        "emailVerified": user.email_verified,
        "role": user.role,
        "customRole": user.custom_role,
        "phoneVerified": user.phone_verified,
        "lastLogin": user.last_login,
        "isAnonymous": user.is_anonymous,
        "createdAt": user.created_at,
    }


def _full_name(user: User) -> str:
    return f"{user.first_name or ''} {user.last_name or ''}".strip()


def _known(shown: dict[str, Json]) -> dict[str, Json]:
    """All fields are optional in the schema: what is missing is left out."""
    return {key: value for key, value in shown.items() if value is not None}
