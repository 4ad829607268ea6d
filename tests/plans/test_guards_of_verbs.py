import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membership.errors import Reason
from membership.models import Account, Change, Participant
from membership.plans import compile as plan_compiler
from membership.plans.wishes import Add, CreateGroup, DeleteGroup, Remove, RenameGroup, Update
from membership.vocab import ChangeKind, ChangeState, ConnectionState, OperationState, Verb
from tests import mirrored as m

pytestmark = pytest.mark.django_db

DEMOTED = {"is_manager": False}
PROMOTED = {"is_manager": True}


def plan(*wishes):
    return plan_compiler.plan(wishes)


def why(*wishes):
    return {case.label: refusal.reason for case, refusal in plan(*wishes).left_out}


def planned(*wishes):
    return [(case.verb, case.label) for case in plan(*wishes).kept]


@pytest.fixture
def office():
    return m.system("Office", "kaiten")


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


@pytest.fixture
def nord():
    return m.system("Nord", "inwendo")


@pytest.fixture
def room(nord):
    return m.group("Room", nord)


@pytest.fixture
def ada(office):
    return m.account("Ada", office)


def member(name, group, **fields):
    return m.participant(m.account(name, group.connection), group, **fields)


# who joins


def test_an_account_of_another_system_is_refused(chess):
    stranger = m.account("Stranger", m.system("Club", "mudbase"))
    ((_, refusal),) = plan(Add(stranger.pk, chess.pk)).left_out
    assert (refusal.reason, refusal.params) == (Reason.ACCOUNT_ELSEWHERE, {"system": "Office"})


def test_a_group_is_not_created_with_an_account_of_another_system():
    one, other = m.system("One", "mudbase"), m.system("Other", "mudbase")
    assert why(CreateGroup(one.pk, "New", [m.account("Ada", other).pk])) == {"New": Reason.ACCOUNT_ELSEWHERE}


def test_an_account_that_is_gone_does_not_join(office, chess):
    assert why(Add(m.account("Ada", office, is_present=False).pk, chess.pk)) == {"Ada": Reason.ACCOUNT_GONE}


def test_nobody_joins_a_group_that_is_gone(office, ada):
    assert why(Add(ada.pk, m.group("Gone", office, is_present=False).pk)) == {"Ada": Reason.GROUP_NOT_FOUND}


def test_nobody_joins_an_archived_group_but_who_is_there_may_be_changed(office, ada):
    old = m.group("Old", office, archived=True)
    bea = member("Bea", old)
    assert why(Add(ada.pk, old.pk)) == {"Ada": Reason.GROUP_ARCHIVED}
    assert planned(Update(bea.pk, PROMOTED)) == [(Verb.UPDATE, "Bea")]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [({"is_protected": True}, Reason.GROUP_PROTECTED), ({"managed_elsewhere": True}, Reason.MANAGED_ELSEWHERE)],
)
def test_a_guarded_group_is_left_as_it_is_by_every_verb(office, ada, fields, reason):
    board = m.group("Board", office, **fields)
    bea = member("Bea", board)
    assert why(Add(ada.pk, board.pk), Update(bea.pk, PROMOTED), RenameGroup(board.pk, "New")) == {
        "Ada": reason,
        "Bea": reason,
        "Board": reason,
    }
    assert why(Remove(bea.pk)) == {"Bea": reason}
    assert why(DeleteGroup(board.pk)) == {"Board": reason}


def test_a_retired_system_is_left_as_it_is_by_every_verb(office, chess, ada):
    bea = member("Bea", chess)
    office.state = ConnectionState.RETIRED
    office.save()
    wishes = [Add(ada.pk, chess.pk), Update(bea.pk, PROMOTED), DeleteGroup(chess.pk), CreateGroup(office.pk, "New")]
    assert set(why(*wishes).values()) == {Reason.SYSTEM_RETIRED} and not planned(*wishes)


@pytest.mark.parametrize("odd", ["..", "a/b", "a\x07b"])
def test_an_id_that_a_url_cannot_carry_is_left_out_of_every_verb(office, chess, odd):
    account = m.account("Odd", office, remote_id=odd)
    where = m.group("Odd group", office, remote_id=odd)
    row = m.participant("Row", chess, remote_id=odd)
    wishes = [Add(account.pk, chess.pk), DeleteGroup(where.pk), Update(row.pk, PROMOTED)]
    assert set(why(*wishes).values()) == {Reason.ID_NOT_SENDABLE} and not planned(*wishes)


# our own account, and protected people


def test_our_own_account_is_never_demoted_muted_or_silenced(room, nord):
    member("Boss", room, is_manager=True)
    own = m.participant(m.account("Service", nord, is_own=True), room, is_manager=True, can_write=True, is_muted=False)
    for taken in (DEMOTED, {"is_muted": True}, {"can_write": False}):
        assert why(Update(own.pk, taken)) == {"Service": Reason.OWN_ACCOUNT}


def test_our_own_account_may_join_and_be_promoted(office, chess):
    own = m.account("Service", office, is_own=True)
    assert planned(Add(own.pk, chess.pk)) == [(Verb.ADD, "Service")]
    assert planned(Update(m.participant(own, chess).pk, PROMOTED)) == [(Verb.UPDATE, "Service")]


@pytest.fixture
def grace(nord, room):
    member("Boss", room, is_manager=True)
    account = m.account("Grace", nord)
    m.person("Grace", account, is_protected=True, protected_note="board")
    return m.participant(account, room, is_manager=True, is_muted=False, can_write=True)


@pytest.mark.parametrize("taken", [DEMOTED, {"is_muted": True}, {"can_write": False}])
def test_nothing_is_taken_from_a_protected_person(grace, taken):
    assert why(Update(grace.pk, taken)) == {"Grace": Reason.PERSON_PROTECTED}


def test_a_protected_person_may_be_given_something(grace, nord, office, chess):
    Participant.objects.filter(pk=grace.pk).update(is_muted=True)
    assert planned(Update(grace.pk, {"is_muted": False})) == [(Verb.UPDATE, "Grace")]
    assert planned(Add(grace.account_id, m.group("Other", nord).pk)) == [(Verb.ADD, "Grace")]


def test_a_group_with_somebody_protected_in_it_is_not_deleted(office, chess):
    account = m.account("G.", office)
    m.person("Grace", account, is_protected=True)
    m.participant(account, chess)
    ((_, refusal),) = plan(DeleteGroup(chess.pk)).left_out
    assert (refusal.reason, refusal.params) == (Reason.PROTECTED_INSIDE, {"name": "Grace"})


# the last manager


def test_the_last_manager_is_not_demoted(chess):
    boss = member("Boss", chess, is_manager=True)
    assert why(Update(boss.pk, DEMOTED)) == {"Boss": Reason.LAST_MANAGER}


def test_one_leaves_and_one_is_demoted_and_the_last_by_order_stays(chess):
    ada, bea, cem = (member(name, chess, is_manager=True) for name in ("Ada", "Bea", "Cem"))
    wishes = [Remove(ada.pk), Update(bea.pk, DEMOTED), Remove(cem.pk)]
    assert planned(*wishes) == [(Verb.UPDATE, "Bea"), (Verb.REMOVE, "Ada")]
    assert why(*wishes) == {"Cem": Reason.LAST_MANAGER}


def test_the_last_manager_may_go_when_the_same_plan_brings_another(chess, ada):
    boss = member("Boss", chess, is_manager=True)
    assert planned(Add(ada.pk, chess.pk, PROMOTED), Remove(boss.pk)) == [(Verb.ADD, "Ada"), (Verb.REMOVE, "Boss")]
    bea = member("Bea", chess)
    assert planned(Update(bea.pk, PROMOTED), Update(boss.pk, DEMOTED)) == [(Verb.UPDATE, "Bea"), (Verb.UPDATE, "Boss")]


def test_a_manager_who_cannot_be_brought_does_not_count(chess):
    boss = member("Boss", chess, is_manager=True)
    stranger = m.account("Stranger", m.system("Club", "mudbase"))
    assert why(Add(stranger.pk, chess.pk, PROMOTED), Remove(boss.pk)) == {
        "Stranger": Reason.ACCOUNT_ELSEWHERE,
        "Boss": Reason.LAST_MANAGER,
    }


# moves


def test_both_halves_of_a_move_are_done_or_none(office, chess):
    target, boss = m.group("Target", office), member("Boss", chess, is_manager=True)
    move = [Add(boss.account_id, target.pk, together=1), Remove(boss.pk, together=1)]
    assert planned(*move) == []
    assert sorted(refusal.reason for _, refusal in plan(*move).left_out) == ["last_manager", "move_incomplete"]


def test_who_cannot_join_does_not_leave(office, chess):
    target, bea = m.group("Target", office, archived=True), member("Bea", chess)
    move = [Add(bea.account_id, target.pk, together=1), Remove(bea.pk, together=1)]
    assert planned(*move) == []


def test_who_is_in_the_target_already_leaves_all_the_same(office, chess):
    target, bea = m.group("Target", office), member("Bea", chess)
    m.participant(bea.account, target)
    move = [Add(bea.account_id, target.pk, together=1), Remove(bea.pk, together=1)]
    assert planned(*move) == [(Verb.REMOVE, "Bea")]


def test_a_move_that_falls_away_takes_along_what_counted_on_it(office, chess):
    target = m.group("Target", office)
    boss_there = member("There", target, is_manager=True)
    boss = member("Boss", chess, is_manager=True)
    wishes = [
        Add(boss.account_id, target.pk, PROMOTED, together=1),
        Remove(boss.pk, together=1),
        Remove(boss_there.pk),
    ]
    assert planned(*wishes) == []


# already asked


def ask_for(verb, group, *, subject="group", **fields):
    change = Change.objects.create(kind=ChangeKind.GROUP, state=ChangeState.RUNNING, created_at=timezone.now())
    change.operations.create(
        position=0,
        connection=group.connection,
        group=group,
        verb=verb,
        subject=subject,
        state=OperationState.QUEUED,
        **fields,
    )
    return change


def test_the_opposite_of_an_open_wish_may_be_planned_and_the_same_is_named(chess, ada):
    row = m.participant(ada, chess)
    change = ask_for(Verb.ADD, chess, subject=f"account:{ada.remote_id}", account=ada)
    assert [case.verb for case in plan(Remove(row.pk)).kept] == [Verb.REMOVE]
    newer = ask_for(Verb.REMOVE, chess, subject=f"account:{ada.remote_id}", account=ada, participant=row)
    ((_, refusal),) = plan(Remove(row.pk)).left_out
    assert (refusal.reason, refusal.params) == (Reason.ALREADY_ASKED, {"change": newer.pk})
    assert newer.pk > change.pk
    assert planned(Add(ada.pk, chess.pk)) == [(Verb.ADD, "Ada")]


def test_nobody_joins_a_group_that_is_being_deleted_but_one_that_is_being_renamed(office, chess, ada):
    ask_for(Verb.RENAME_GROUP, chess)
    assert planned(Add(ada.pk, chess.pk)) == [(Verb.ADD, "Ada")]
    assert why(DeleteGroup(chess.pk)) == {"Chess": Reason.ALREADY_ASKED}
    other = m.group("Other", office)
    ask_for(Verb.DELETE_GROUP, other)
    assert why(Add(ada.pk, other.pk)) == {"Ada": Reason.ALREADY_ASKED}


def test_a_group_is_not_created_twice_at_once(office):
    change = Change.objects.create(kind=ChangeKind.GROUP, state=ChangeState.QUEUED, created_at=timezone.now())
    change.operations.create(position=0, connection=office, verb=Verb.CREATE_GROUP, subject="group:New")
    assert why(CreateGroup(office.pk, "New")) == {"New": Reason.ALREADY_ASKED}
    assert planned(CreateGroup(office.pk, "Newer")) == [(Verb.CREATE_GROUP, "Newer")]


def test_a_manager_who_is_being_demoted_by_another_change_does_not_count_as_staying(chess):
    ada, bea = (member(name, chess, is_manager=True) for name in ("Ada", "Bea"))
    ask_for(Verb.UPDATE, chess, subject=f"account:{bea.account.remote_id}", participant=bea, wanted=DEMOTED)
    assert why(Remove(ada.pk)) == {"Ada": Reason.LAST_MANAGER}


def test_a_manager_who_is_being_muted_by_another_change_counts_as_staying(room):
    ada, bea = (member(name, room, is_manager=True) for name in ("Ada", "Bea"))
    ask_for(Verb.UPDATE, room, subject=f"account:{bea.account.remote_id}", participant=bea, wanted={"is_muted": True})
    assert planned(Remove(ada.pk)) == [(Verb.REMOVE, "Ada")]


# whatever is wished together

places = st.lists(
    st.tuples(
        st.sampled_from(["plain", "own", "protected"]),
        st.booleans(),  # manager
        st.sampled_from(["nothing", "remove", "demote", "promote", "move"]),
        st.sampled_from(["one", "other", "protected group"]),
    ),
    min_size=1,
    max_size=10,
)
newcomers = st.lists(st.tuples(st.booleans(), st.sampled_from(["one", "other"])), max_size=3)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=places, newcomers=newcomers)
def test_no_mix_of_wishes_harms_what_is_guarded(places, newcomers):
    office = m.system(f"Office {m.next_number()}", "kaiten")
    groups = {name: m.group(name, office) for name in ("one", "other")}
    groups["protected group"] = m.group("protected", office, is_protected=True)
    wishes = []
    for kind, is_manager, what, where in places:
        account = m.account("x", office, is_own=kind == "own")
        if kind == "protected":
            m.person("x", account, is_protected=True)
        row = m.participant(account, groups[where], is_manager=is_manager)
        target = groups["other" if where == "one" else "one"]
        wishes += {
            "nothing": [],
            "remove": [Remove(row.pk)],
            "demote": [Update(row.pk, DEMOTED)],
            "promote": [Update(row.pk, PROMOTED)],
            "move": [Add(account.pk, target.pk, together=account.pk), Remove(row.pk, together=account.pk)],
        }[what]
    wishes += [
        Add(m.account("n", office).pk, groups[where].pk, {"is_manager": is_manager}) for is_manager, where in newcomers
    ]
    before = managers()
    found = plan(*wishes)
    removed = {case.participant_id for case in found.kept if case.verb == Verb.REMOVE}
    added = {(case.account_id, case.group_id) for case in found.kept if case.verb == Verb.ADD}
    guarded = Participant.objects.filter(group__connection=office).exclude(
        account__is_own=False, account__person=None, group__is_protected=False
    )
    assert not removed & set(guarded.values_list("pk", flat=True))
    assert not {case.group_id for case in found.kept} & {groups["protected group"].pk}
    for case in found.kept:
        if case.verb == Verb.REMOVE and case.together:
            assert any(account == case.account_id for account, _ in added)
    apply(found)
    for group_id, number in managers().items():
        assert number or not before.get(group_id)
    assert len(found.kept) + len(found.left_out) == len(wishes)


def managers():
    rows = Participant.objects.filter(is_present=True, is_manager=True).values_list("group_id", flat=True)
    found = dict.fromkeys(Participant.objects.values_list("group_id", flat=True), 0)
    for group_id in rows:
        found[group_id] += 1
    return found


def apply(found):
    """What would be true if every step went through."""
    for case in found.kept:
        if case.verb == Verb.REMOVE:
            Participant.objects.filter(pk=case.participant_id).update(is_present=False)
        elif case.verb == Verb.UPDATE:
            Participant.objects.filter(pk=case.participant_id).update(**case.values)
        else:
            m.participant(Account.objects.get(pk=case.account_id), m.Group.objects.get(pk=case.group_id), **case.values)


# what waits for what


def after(*wishes):
    """`{who waits: for whom}`, each with what they do."""
    change = Change.objects.create(kind=ChangeKind.MOVE, created_at=timezone.now())
    plan_compiler.store(change, plan(*wishes))
    steps = {step.position: step for step in change.operations.all()}
    return {
        (step.verb, step.subject_label): (steps[step.before["after"]].verb, steps[step.before["after"]].subject_label)
        for step in steps.values()
        if "after" in step.before
    }


def test_nobody_leaves_by_a_move_before_they_have_joined(office, chess):
    target, bea, cem = m.group("Target", office), member("Bea", chess), member("Cem", chess)
    move = [Add(bea.account_id, target.pk, together=1), Remove(bea.pk, together=1), Remove(cem.pk)]
    assert after(*move) == {("remove", "Bea"): ("add", "Bea")}


def test_a_manager_waits_for_the_successor_that_makes_room(chess, ada):
    boss, bea, cem = (member(name, chess, is_manager=True) for name in ("Boss", "Bea", "Cem"))
    wishes = [Add(ada.pk, chess.pk, PROMOTED), Update(bea.pk, DEMOTED), Remove(boss.pk), Remove(cem.pk)]
    assert len(planned(*wishes)) == 4
    assert after(*wishes) == {("remove", "Cem"): ("add", "Ada")}


def test_where_managers_stay_nothing_waits(chess, ada):
    boss, _bea = (member(name, chess, is_manager=True) for name in ("Boss", "Bea"))
    assert after(Add(ada.pk, chess.pk, PROMOTED), Remove(boss.pk)) == {}
