from io import StringIO

import pytest
from django.contrib.auth import authenticate
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from membership.models import AuditEntry
from membership.services.panel_users import create_first_owner
from membership.services.roles import role_of
from membership.vocab import AuditAction, Role

pytestmark = pytest.mark.usefixtures("fresh_db")


def logs_in(name, password):
    return authenticate(RequestFactory().get("/"), username=name, password=password) is not None


def new_password(*words):
    said = StringIO()
    call_command("password", *words, stdout=said)
    return said.getvalue().split("Password: ")[1].strip()


def test_the_first_user_is_an_owner_with_a_password_that_works():
    user, password = create_first_owner()
    assert role_of(user) == Role.OWNER
    assert not user.is_superuser
    assert logs_in("owner", password)


def test_there_is_only_one_first_user():
    create_first_owner()
    assert create_first_owner() is None


def test_a_new_password_replaces_the_old_one():
    _user, old = create_first_owner()
    new = new_password()
    assert logs_in("owner", new)
    assert not logs_in("owner", old)


def test_a_user_is_named(make_user):
    create_first_owner()
    make_user("ann", Role.OPERATOR)
    assert logs_in("ann", new_password("ann"))


def test_nobody_of_that_name_is_said_in_one_sentence():
    with pytest.raises(CommandError, match="there is no user of this name"):
        call_command("password", "nobody")


def test_setting_a_password_is_recorded():
    create_first_owner()
    new_password()
    assert AuditEntry.objects.filter(action=AuditAction.PASSWORD_SET).count() == 1
    assert AuditEntry.objects.filter(action=AuditAction.COMMAND_RUN).count() == 1
