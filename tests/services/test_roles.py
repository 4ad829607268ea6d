import pytest
from django.contrib.auth.models import Group as AuthGroup
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from membership.audit import record
from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, Connection, Reach, has_right, reached_ids, visible_to
from membership.services.roles import RIGHTS, ensure_roles, give_role, role_of
from membership.services.users import create_user, set_active, set_password
from membership.vocab import AuditAction, Chain, Right, Role


@pytest.fixture
def club(db):
    return Connection.objects.create(provider="kaiten", name="Club", base_url="https://club.example")


@pytest.fixture
def works(db):
    return Connection.objects.create(provider="kaiten", name="Works", base_url="https://works.example")


def again(user):
    return type(user).objects.get(pk=user.pk)


@pytest.mark.parametrize("role", Role)
def test_a_role_has_exactly_its_rights(make_user, role):
    user = make_user("somebody", role)
    assert {right for right in Right if has_right(user, right)} == RIGHTS[role]


@pytest.mark.parametrize("role", Role)
def test_no_role_may_change_rows_of_ours_by_stock_rights(make_user, role):
    user = make_user("somebody", role)
    ours = {name for name in user.get_all_permissions() if name.startswith("membership.")}
    assert not {name for name in ours if name.split(".")[1].split("_")[0] in ("add", "change", "delete")}


def test_only_owners_may_edit_users_and_nobody_deletes_them(make_user):
    may = {role: make_user(role.value, role).get_all_permissions() for role in Role}
    assert [role for role in Role if "auth.change_user" in may[role]] == [Role.OWNER]
    assert not [role for role in Role if "auth.delete_user" in may[role]]


def test_somebody_without_a_role_may_nothing(stranger):
    assert not [right for right in Right if has_right(stranger, right)]


def test_rights_given_to_a_role_by_hand_are_taken_back(db):
    group = AuthGroup.objects.get(name=Role.VIEWER.value)
    group.permissions.add(Permission.objects.get(codename="delete_auditentry"))
    ensure_roles()
    assert "delete_auditentry" not in group.permissions.values_list("codename", flat=True)


def test_roles_are_kept_after_every_migrate(fresh_db):
    AuthGroup.objects.all().delete()
    call_command("migrate", verbosity=0)
    assert set(AuthGroup.objects.values_list("name", flat=True)) == set(Role.values)


def test_keeping_roles_twice_writes_nothing(db):
    ensure_roles()
    with CaptureQueriesContext(connection) as queries:
        ensure_roles()
    assert not [query["sql"] for query in queries if query["sql"].startswith(("INSERT", "UPDATE", "DELETE"))]


def test_a_user_has_one_role_at_a_time(owner, viewer):
    give_role(viewer, Role.AUDITOR, actor=owner)
    assert list(again(viewer).groups.values_list("name", flat=True)) == [Role.AUDITOR.value]
    assert role_of(viewer) == Role.AUDITOR


def test_new_rights_hold_at_once(owner, viewer):
    assert not has_right(viewer, Right.ACT)
    give_role(viewer, Role.OPERATOR, actor=owner)
    assert has_right(viewer, Right.ACT)


def test_a_limited_operator_sees_only_these_systems(owner, viewer, club, works):
    give_role(viewer, Role.OPERATOR, [club], actor=owner)
    assert list(visible_to(Connection.objects.all(), again(viewer))) == [club]


def test_limited_to_no_system_is_not_unlimited(owner, viewer, club):
    give_role(viewer, Role.OPERATOR, [], actor=owner)
    assert reached_ids(again(viewer)) == []


def test_a_limit_can_be_lifted(owner, limited_operator, club, works):
    user = limited_operator(club)
    give_role(user, Role.OPERATOR, actor=owner)
    assert not Reach.objects.exists()
    assert visible_to(Connection.objects.all(), user).count() == 2


def test_without_a_role_nobody_enters_the_panel(owner, viewer):
    give_role(viewer, None, actor=owner)
    assert not again(viewer).is_staff


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR, Role.APPROVER, Role.AUDITOR])
def test_others_than_owners_give_no_roles_and_the_attempt_is_recorded(make_user, stranger, role):
    user = make_user("somebody", role)
    with pytest.raises(NotAllowed):
        give_role(stranger, Role.OWNER, actor=user)
    entry = AuditEntry.objects.get(action=AuditAction.REQUEST_REFUSED)
    assert (entry.actor_id, entry.outcome) == (user.pk, Reason.NO_RIGHT)
    assert role_of(stranger) is None


def test_a_limited_owner_gives_no_more_than_the_own_reach(make_user, stranger, club, works):
    user = make_user("somebody", Role.OWNER, [club])
    for connections in (None, [works], [club, works]):
        with pytest.raises(NotAllowed):
            give_role(stranger, Role.VIEWER, connections, actor=user)
    give_role(stranger, Role.VIEWER, [club], actor=user)


def test_the_last_owner_stays(owner, make_user):
    with pytest.raises(ChangeRefused) as caught:
        give_role(owner, Role.VIEWER, actor=owner)
    assert caught.value.reason == Reason.LAST_OWNER
    with pytest.raises(ChangeRefused):
        set_active(owner, False, actor=owner)
    make_user("second", Role.OWNER)
    give_role(owner, Role.VIEWER, actor=owner)


def test_a_role_that_is_given_is_recorded(owner, viewer, club):
    give_role(viewer, Role.OPERATOR, [club], actor=owner)
    entry = AuditEntry.objects.get(action=AuditAction.USER_EDITED)
    assert entry.actor_id == owner.pk
    assert f'"connections":[{club.pk}],"role":"operator","role_before":"viewer","user":{viewer.pk}' in entry.sealed


def test_a_new_user_has_role_and_password_and_is_recorded(owner):
    user = create_user("ann", Role.OPERATOR, password="long enough to be one", actor=owner)
    assert user.check_password("long enough to be one")
    assert role_of(user) == Role.OPERATOR
    assert AuditEntry.objects.filter(action=AuditAction.USER_CREATED, actor_id=owner.pk).count() == 1


def test_a_user_without_a_password_cannot_log_in(owner):
    assert not create_user("ann", Role.VIEWER, actor=owner).has_usable_password()


@pytest.mark.parametrize(
    ("name", "password"), [("owner", "long enough to be one"), ("ann", "short"), ("", None), ("a b", None)]
)
def test_a_name_or_password_that_does_not_do_is_refused(owner, name, password):
    with pytest.raises(BadValue):
        create_user(name, Role.VIEWER, password=password, actor=owner)
    assert type(owner).objects.count() == 1


def test_a_password_that_was_set_is_recorded_without_it(owner, viewer):
    set_password(viewer, "another long password", actor=owner)
    assert again(viewer).check_password("another long password")
    assert "another" not in AuditEntry.objects.get(action=AuditAction.PASSWORD_SET).sealed


def test_others_passwords_are_the_owners_business(viewer, operator):
    with pytest.raises(NotAllowed):
        set_password(operator, "another long password", actor=viewer)
    set_password(viewer, "another long password", actor=viewer)


def test_somebody_shut_out_may_nothing(owner, operator):
    set_active(operator, False, actor=owner)
    assert not [right for right in Right if has_right(again(operator), right)]


def test_who_logged_in_is_for_auditors_and_owners_and_for_oneself(db, operator, auditor, owner):
    with transaction.atomic():
        for user in (operator, auditor):
            record.write(Chain.LOG_IN, [record.Entry(AuditAction.LOGGED_IN, actor=user)])

    def seen_by(user):
        return set(visible_to(AuditEntry.objects.filter(chain=Chain.LOG_IN), user).values_list("actor_id", flat=True))

    assert seen_by(operator) == {operator.pk}
    assert seen_by(auditor) == seen_by(owner) == {operator.pk, auditor.pk}
