import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from membership.errors import Reason
from membership.models import Change, Presence
from membership.plans.compile import plan_removal
from membership.vocab import ChangeKind, ChangeState, OperationState, PresenceCause
from tests import mirrored as m

pytestmark = pytest.mark.django_db


def plan(*rows):
    return plan_removal(m.rows(*rows))


def why(plan):
    return {wish.label: refusal.reason for wish, refusal in plan.left_out}


def planned(plan):
    return [wish.label for wish in plan.kept]


@pytest.fixture
def office():
    return m.system("Office", "kaiten")


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


def test_a_plain_member_is_planned(office, chess):
    row = m.participant(m.account("Ada", office), chess)
    assert planned(plan(row)) == ["Ada"]


def test_musterbooks_own_account_stays(office, chess):
    row = m.participant(m.account("Service", office, is_own=True), chess)
    assert why(plan(row)) == {"Service": Reason.OWN_ACCOUNT}


def test_the_account_that_the_connection_names_as_its_own_stays(office, chess):
    service = m.account("Service", office)
    office.own_account_id = service.remote_id
    office.save()
    assert why(plan(m.participant(service, chess))) == {"Service": Reason.OWN_ACCOUNT}


def test_the_own_account_stays_even_where_its_account_is_not_mirrored(office, chess):
    office.own_account_id = "900"
    office.save()
    assert why(plan(m.participant("Service", chess, remote_id="900"))) == {"Service": Reason.OWN_ACCOUNT}


def test_an_inwendo_row_whose_number_equals_the_own_person_is_not_taken_for_it():
    nord = m.system("Nord", "inwendo", own_account_id="900")
    row = m.participant(m.account("Ada", nord), m.group("Room", nord), remote_id="900")
    assert planned(plan(row)) == ["Ada"]


def test_the_last_manager_by_order_stays(office, chess):
    managers = [m.participant(m.account(name, office), chess, is_manager=True) for name in ("Ada", "Bea", "Cem")]
    found = plan(*managers)
    assert planned(found) == ["Ada", "Bea"]
    assert why(found) == {"Cem": Reason.LAST_MANAGER}


def test_all_selected_managers_may_go_where_another_stays(office, chess):
    ada = m.participant(m.account("Ada", office), chess, is_manager=True)
    m.participant(m.account("Bea", office), chess, is_manager=True)
    assert planned(plan(ada)) == ["Ada"]


def test_a_group_that_nobody_manages_can_be_emptied(office, chess):
    rows = [m.participant(m.account(name, office), chess) for name in ("Ada", "Bea")]
    assert planned(plan(*rows)) == ["Ada", "Bea"]


def test_a_manager_who_leaves_by_another_change_does_not_count_as_staying(office, chess):
    ada, bea = (m.participant(m.account(name, office), chess, is_manager=True) for name in ("Ada", "Bea"))
    ask_for(bea)
    assert why(plan(ada)) == {"Ada": Reason.LAST_MANAGER}


def test_a_manager_who_is_gone_does_not_count_as_staying(office, chess):
    ada = m.participant(m.account("Ada", office), chess, is_manager=True)
    m.participant(m.account("Bea", office), chess, is_manager=True, is_present=False)
    assert why(plan(ada)) == {"Ada": Reason.LAST_MANAGER}


def test_a_protected_person_stays_and_the_plan_says_by_whom_and_why(office, chess):
    vera = m.user("vera")
    grace = m.account("Grace", office)
    at = timezone.now()
    m.person("Grace", grace, is_protected=True, protected_note="board member", protected_by_id=vera.pk, protected_at=at)
    ((_, refusal),) = plan(m.participant(grace, chess)).left_out
    assert refusal.reason == Reason.PERSON_PROTECTED
    assert refusal.params == {"by": "vera", "at": at.isoformat(), "note": "board member"}


def test_a_protected_group_stays_as_it_is(office):
    board = m.group("Board", office, is_protected=True, protected_note="elected")
    assert why(plan(m.participant(m.account("Ada", office), board))) == {"Ada": Reason.GROUP_PROTECTED}


def test_a_group_managed_elsewhere_stays_as_it_is(office):
    staff = m.group("Staff", office, managed_elsewhere=True)
    assert why(plan(m.participant(m.account("Ada", office), staff))) == {"Ada": Reason.MANAGED_ELSEWHERE}


@pytest.mark.parametrize("odd", ["..", ".", "a/b", "a\x07b"])
def test_an_id_that_a_url_cannot_carry_is_left_out(office, chess, odd):
    row = m.participant(m.account("Odd", office), chess, remote_id=odd)
    assert why(plan(row)) == {"Odd": Reason.ID_NOT_SENDABLE}


def test_a_group_id_that_a_url_cannot_carry_is_left_out(office):
    row = m.participant(m.account("Ada", office), m.group("Odd group", office, remote_id=".."))
    assert why(plan(row)) == {"Ada": Reason.ID_NOT_SENDABLE}


def test_an_odd_id_is_refused_also_where_it_would_travel_in_a_body():
    club = m.system("Club", "mudbase")
    row = m.participant(m.account("Odd", club), m.group("Chat", club), remote_id="a/b")
    assert why(plan(row)) == {"Odd": Reason.ID_NOT_SENDABLE}


def test_who_is_gone_is_left_out_with_when_and_how(office, chess):
    row = m.participant(m.account("Ada", office), chess, is_present=False)
    since, until = timezone.now(), timezone.now()
    Presence.objects.create(
        participant=row, since=since, until=until, began_by=PresenceCause.UNKNOWN, ended_by=PresenceCause.READING
    )
    ((_, refusal),) = plan(row).left_out
    assert refusal.reason == Reason.ALREADY_GONE
    assert refusal.params == {"at": until.isoformat(), "how": "reading"}


def test_a_group_that_is_gone_is_left_out(office):
    row = m.participant(m.account("Ada", office), m.group("Gone", office, is_present=False))
    assert why(plan(row)) == {"Ada": Reason.GROUP_NOT_FOUND}


def ask_for(row, state=ChangeState.QUEUED, step=OperationState.QUEUED):
    change = Change.objects.create(kind=ChangeKind.REMOVAL, state=state, created_at=timezone.now())
    change.operations.create(
        position=0,
        connection=row.group.connection,
        group=row.group,
        participant=row,
        verb="remove",
        subject=f"account:{row.account.remote_id}",
        state=step,
    )
    return change


@pytest.mark.parametrize(
    ("change", "step", "is_left_out"),
    [
        (ChangeState.QUEUED, OperationState.PLANNED, True),
        (ChangeState.RUNNING, OperationState.IN_DOUBT, True),
        (ChangeState.RUNNING, OperationState.FOREIGN, True),
        (ChangeState.RUNNING, OperationState.REFUSED, False),
        (ChangeState.DRAFT, OperationState.PLANNED, False),
        (ChangeState.STALE, OperationState.PLANNED, False),
        (ChangeState.DONE, OperationState.CONFIRMED, False),
    ],
)
def test_only_what_a_confirmed_change_still_asks_for_is_already_asked(office, chess, change, step, is_left_out):
    row = m.participant(m.account("Ada", office), chess)
    asked = ask_for(row, change, step)
    found = plan(row)
    assert why(found) == ({"Ada": Reason.ALREADY_ASKED} if is_left_out else {})
    assert [dict(refusal.params) for _, refusal in found.left_out] == ([{"change": asked.pk}] if is_left_out else [])


def test_an_archived_group_is_changed_all_the_same(office):
    row = m.participant(m.account("Ada", office), m.group("Old", office, archived=True))
    assert planned(plan(row)) == ["Ada"]


kinds = st.lists(
    st.tuples(
        st.sampled_from(["plain", "own", "protected", "gone", "odd id"]),
        st.booleans(),  # manager
        st.booleans(),  # selected
        st.sampled_from(["open", "protected group", "elsewhere"]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kinds=kinds)
def test_whatever_is_selected_nothing_guarded_becomes_an_operation(kinds):
    office = m.system(f"Office {m.next_number()}", "kaiten")
    groups = {
        "open": m.group("Open", office),
        "protected group": m.group("Protected", office, is_protected=True),
        "elsewhere": m.group("Elsewhere", office, managed_elsewhere=True),
    }
    selected, guarded = [], set()
    for kind, is_manager, is_selected, where in kinds:
        account = m.account("x", office, is_own=kind == "own")
        if kind == "protected":
            m.person("x", account, is_protected=True)
        row = m.participant(
            account,
            groups[where],
            is_manager=is_manager,
            is_present=kind != "gone",
            **({"remote_id": f"../{account.pk}"} if kind == "odd id" else {}),
        )
        if kind != "plain" or where != "open":
            guarded.add(row.pk)
        if is_selected:
            selected.append(row)
    found = plan(*selected)
    kept = {wish.participant_id for wish in found.kept}
    assert not kept & guarded
    assert len(found.kept) + len(found.left_out) == len(selected)
    for group in groups.values():
        managers = set(group.participants.filter(is_manager=True, is_present=True).values_list("pk", flat=True))
        assert not managers or managers - kept
