"""Lists: their filters and searches, how old they say they are, and how many questions they ask the database."""

import pytest
from django.core.cache import cache
from django.core.paginator import Paginator
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from membership.models import Change, Drift, Operation, Reading
from tests import mirrored


def found(client, query):
    return {row.label for row in client.get(f"/membership/participant/{query}").context["cl"].result_list}


@pytest.fixture
def board(office):
    return mirrored.group("Board", office)


@pytest.fixture
def grace(board):
    return mirrored.participant(
        "Grace Hopper", board, is_manager=True, can_write=True, is_muted=True, participant_type="person"
    )


@pytest.mark.parametrize(
    "query",
    [
        "?q=Hopper",
        "?system={system}",
        "?group={group}",
        "?group_name=boa",
        "?role=manager",
        "?can_write=yes",
        "?muted=yes",
        "?type=pers",
        "?matched=no",
    ],
)
def test_each_filter_finds_whom_it_means(as_, viewer, ada, grace, query):
    query = query.format(system=grace.group.connection_id, group=grace.group_id)
    assert found(as_(viewer), query) == {"Grace Hopper"}


@pytest.mark.parametrize("query", ["?system=x", "?group=-1", "?role=boss", "?muted=maybe", "?type=%00", "?q=%00"])
def test_nonsense_in_a_filter_finds_nobody_and_breaks_nothing(as_, viewer, ada, grace, query):
    everybody = {"Ada Lovelace", "Grace Hopper"}
    assert found(as_(viewer), query) == (everybody if "q=" in query else set())


def test_search_looks_into_addresses_ids_and_names_of_accounts(as_, viewer, ada, grace):
    client = as_(viewer)
    assert [found(client, f"?q={word}") for word in ("ada@", "usr_ada", "lovelace")] == [{"Ada Lovelace"}] * 3


def test_whoever_has_left_is_not_listed(as_, viewer, ada, zoe):
    type(zoe).objects.filter(pk=zoe.pk).update(is_present=False)
    assert found(as_(viewer), "") == {"Ada Lovelace"}


@pytest.mark.parametrize("name", ["participant", "group", "account", "person", "drift"])
def test_mirrored_lists_say_how_old_they_are(as_, viewer, ada, name):
    page = as_(viewer).get(f"/membership/{name}/").content.decode()
    assert "as of" in page


def test_all_that_match_are_drafted_by_their_query_not_by_their_ids(as_, operator, trainers, board):
    for number in range(60):
        mirrored.participant(f"Trainer {number}", trainers, remote_id=f"usr_{number}")
    mirrored.participant("Somebody else", board)
    data = {"action": "remove", "_selected_action": ["1"], "select_across": "1", "index": "0"}
    answer = as_(operator).post(f"/membership/participant/?group={trainers.pk}", data)
    change = Change.objects.get()
    assert answer["Location"] == f"/membership/change/{change.pk}/"
    assert change.selection == {"kind": "query", "query": f"group={trainers.pk}", "count": 60}
    assert Operation.objects.filter(change=change).count() == 60


def queries_of(client, address):
    cache.clear()
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


PAGES = [
    "/",
    "/membership/participant/",
    "/membership/group/",
    "/membership/account/",
    "/membership/person/",
    "/membership/change/",
    "/membership/drift/",
    "/membership/linkproposal/",
    "/membership/auditentry/",
    "/membership/connection/",
]


@pytest.mark.parametrize("address", PAGES)
def test_twenty_times_the_rows_ask_no_more_questions(as_, owner, office, address):
    client = as_(owner)

    def grow(times):
        for number in range(times):
            group = mirrored.group(f"Group {number}", office)
            account = mirrored.account(f"Account {number}", office)
            mirrored.person(f"Person {number}", account)
            mirrored.participant(account, group)
            Drift.objects.create(connection=office, group=group, kind="joined", label="x", noticed_at=timezone.now())
            Change.objects.create(kind="removal", requested_by=owner, created_at=timezone.now(), state="running")

    grow(1)
    few = queries_of(client, address)
    grow(20)
    assert queries_of(client, address) == few


SESSION_USER_RIGHTS = 5


@pytest.mark.parametrize("address", [page for page in PAGES if page not in ("/", "/membership/auditentry/")])
def test_a_list_asks_at_most_four_questions_beside_session_user_and_rights(as_, owner, ada, address):
    assert queries_of(as_(owner), address) <= 4 + SESSION_USER_RIGHTS


def test_the_audit_log_asks_three_more_for_its_sentences(as_, owner, ada):
    assert queries_of(as_(owner), "/membership/auditentry/") <= 7 + SESSION_USER_RIGHTS


def test_the_overview_asks_ten_questions_in_all(as_, owner, ada):
    assert queries_of(as_(owner), "/") <= 10


RARE = [
    "?read=no",
    "?read_before=2000-01-01",
    "?virtual=yes",
    "?email_blocked=yes",
    "?deletion=yes",
    "?deactivated=yes",
    "?as_of=never",
]


@pytest.mark.parametrize("query", RARE)
def test_rare_filters_stand_behind_more_filters_which_is_open_when_one_is_set(as_, viewer, ada, query):
    client = as_(viewer)
    closed = client.get("/membership/participant/").content.decode()
    page = client.get(f"/membership/participant/{query}").content.decode()
    assert '<details class="mu-filter-rare" >' in closed
    assert '<details class="mu-filter-rare" open>' in page


def test_each_filter_that_is_set_is_a_chip_that_takes_away_itself_alone(as_, viewer, ada):
    answer = as_(viewer).get(f"/membership/participant/?q=ada&group={ada.group_id}&role=member&p=1&o=1")
    chips = {chip.title: chip for chip in answer.context["cl"].chips}
    assert {title: chip.value for title, chip in chips.items()} == {
        "search": "ada",
        "group": "Trainers",
        "role": "member only",
    }
    assert chips["group"].without == "?q=ada&role=member&o=1"
    assert chips["search"].without == f"?group={ada.group_id}&role=member&o=1"
    assert 'href="?q=ada&amp;role=member&amp;o=1"' in answer.content.decode()


def test_a_chip_names_nothing_hidden(as_, limited_operator, office, ada):
    page = as_(limited_operator(office)).get(f"/membership/participant/?group={ada.group_id}")
    assert page.context["cl"].chips[0].value == str(ada.group_id)


def test_a_filter_by_text_knows_the_case_of_all_letters(as_, viewer, office):
    mirrored.participant("Иван", mirrored.group("Группа 2", office))
    assert found(as_(viewer), "?group_name=ГРУППА") == {"Иван"}


@pytest.mark.parametrize("page", ["participant", "group", "account", "person", "drift", "linkproposal"])
def test_a_panel_that_is_not_read_yet_looks_again_by_itself(as_, viewer, office, page):
    type(office).objects.update(read_at=None)
    said = as_(viewer).get(f"/membership/{page}/").content.decode()
    assert "is being read for the first time" in said
    assert 'hx-trigger="every 2s"' in said


@pytest.mark.parametrize(
    ("is_read", "state", "grows"), [(False, "running", True), (False, "failed", False), (True, "running", False)]
)
def test_a_list_looks_again_while_its_first_reading_is_under_way(as_, viewer, ada, is_read, state, grows):
    if not is_read:
        type(ada.group.connection).objects.update(read_at=None)
    Reading.objects.create(connection=ada.group.connection, kind="system", state=state, asked_at=timezone.now())
    said = as_(viewer).get("/membership/participant/").content.decode()
    assert ("more is still to come" in said) == ('hx-trigger="every 2s"' in said) == grows


def test_rows_that_come_while_a_list_is_made_come_with_the_next_look(as_, viewer, ada, monkeypatch):
    monkeypatch.setattr(Paginator, "count", 0)
    said = as_(viewer).get("/membership/participant/")
    assert not said.context["cl"].result_list
    assert "Ada" not in said.content.decode()


def test_an_empty_list_of_a_stopped_system_leads_to_the_systems(as_, viewer, office):
    type(office).objects.update(read_at=None, state="paused")
    said = as_(viewer).get("/membership/participant/").content.decode()
    assert "Look at the systems" in said
    assert "every 2s" not in said


LISTS = {
    "participant": "Add people on a group",
    "group": "no groups that their credentials may see",
    "account": "no accounts that their credentials may see",
    "person": "Look at what is proposed",
    "change": "Select people on the list of participants",
    "bundle": "Make one of the groups",
    "roster": "choose “From a list…”",
    "leaving": "",
    "erasure": "on the person",
    "drift": "Each reading looks again",
    "linkproposal": "",
}


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_says_what_to_do_next(as_, owner, name):
    mirrored.system()
    said = as_(owner).get(f"/membership/{name}/").content.decode()
    assert "There is nothing here yet" not in said
    assert "Nothing matches" not in said
    assert LISTS[name] in said
