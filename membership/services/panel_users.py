"""The first person at the panel, and passwords set from the command line."""

import secrets
from typing import TYPE_CHECKING

from axes.utils import reset
from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _

from membership.errors import BadValue, Reason
from membership.services.users import create_user, set_password
from membership.vocab import Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

FIRST_OWNER = "owner"
ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that looks like something else


def new_password() -> str:
    """Four groups of five: 100 bits."""
    return "-".join("".join(secrets.choice(ALPHABET) for _letter in range(5)) for _group in range(4))


def create_first_owner() -> tuple["User", str] | None:
    """The first user, an owner, and the password. None where somebody is there already."""
    if get_user_model().objects.exists():
        return None
    password = new_password()
    return create_user(FIRST_OWNER, Role.OWNER, password=password, actor=None), password


def first_user_name() -> str:
    """Who is named where log-in is explained: the oldest user who may enter; empty where there is none."""
    users = get_user_model().objects.filter(is_active=True, is_staff=True)
    return users.order_by("pk").values_list("username", flat=True).first() or ""


def renew_password(username: str = "") -> tuple["User", str]:
    """A new password for a user (else the first one), and an end to a lock-out. Raises `BadValue` without a user."""
    user = get_user_model().objects.filter(username=username or first_user_name()).first()
    if user is None:
        raise BadValue(Reason.BAD_VALUE, key="user", why=_("there is no user of this name"))
    password = new_password()
    set_password(user, password, actor=None)
    reset(username=user.get_username())
    return user, password
