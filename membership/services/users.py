"""People at the panel: made, shut out, and given passwords. Their roles are in `roles.py`."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from membership.audit import record
from membership.errors import BadValue, ChangeRefused, Reason
from membership.models import Connection
from membership.services.roles import give_role, has_other_owner, role_of
from membership.services.shell import audited, need_right
from membership.vocab import AuditAction, Chain, Right, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@audited
def create_user(
    username: str,
    role: Role,
    connections: Collection[Connection] | None = None,
    *,
    password: str | None = None,
    actor: "User | None",
) -> "User":
    """A new user with one role. Without a password nobody can log in as this user yet. Raises `BadValue`."""
    if actor is not None:
        need_right(actor, Right.MANAGE_USERS)
    users = get_user_model().objects
    with transaction.atomic():
        user = get_user_model()(username=users.model.normalize_username(username), is_staff=True)
        _put_password(user, password)
        try:
            user.clean_fields(exclude=["password"])
            with transaction.atomic():
                user.save()
        except (ValidationError, IntegrityError) as error:
            raise BadValue(Reason.BAD_VALUE, key="username", why=_first_line(error)) from error
        give_role(user, role, connections, actor=actor)
        record.write(Chain.PANEL, [_entry(AuditAction.USER_CREATED, user, actor, role=role)])
    return user


@audited
def set_password(user: "User", password: str, *, actor: "User | None") -> None:
    """Set somebody's password, or one's own. Raises `BadValue` with what the password rules say."""
    if actor is not None and actor.pk != user.pk:
        need_right(actor, Right.MANAGE_USERS)
    with transaction.atomic():
        _put_password(user, password)
        user.save(update_fields=["password"])
        record.write(Chain.PANEL, [_entry(AuditAction.PASSWORD_SET, user, actor)])


@audited
def set_active(user: "User", active: bool, *, actor: "User | None") -> None:
    """Shut a user out, or let one in again. Raises `ChangeRefused` where no active owner would be left."""
    if actor is not None:
        need_right(actor, Right.MANAGE_USERS)
    with transaction.atomic():
        if not active and role_of(user) == Role.OWNER and not has_other_owner(user):
            raise ChangeRefused(Reason.LAST_OWNER)
        user.is_active = active
        user.save(update_fields=["is_active"])
        record.write(Chain.PANEL, [_entry(AuditAction.USER_EDITED, user, actor, active=active)])


def _put_password(user: "User", password: str | None) -> None:
    if password is None:
        user.set_unusable_password()
        return
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise BadValue(Reason.BAD_VALUE, key="password", why=_first_line(error)) from error
    user.set_password(password)


def _first_line(error: Exception) -> str:
    return " ".join(error.messages) if isinstance(error, ValidationError) else "it is taken"


def _entry(action: AuditAction, user: "User", actor: "User | None", **data: object) -> record.Entry:
    return record.Entry(action, actor=actor, data={"user": user.pk, **data}, personal={"user": user.get_username()})
