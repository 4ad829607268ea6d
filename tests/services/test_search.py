import time

import pytest
from django.utils import timezone

from membership.models import Account, Change, Group, Person
from membership.services.search import Kind, find
from membership.vocab import ChangeKind, ChangeState
from tests import mirrored as m

pytestmark = pytest.mark.django_db


def change(actor, office, **fields):
    given = {"kind": ChangeKind.REMOVAL, "created_at": timezone.now(), "state": ChangeState.DONE, **fields}
    made = Change.objects.create(requested_by=actor, **given)
    made.parts.create(connection=office)
    return made


def found(text, user, kind, **fields):
    lines = {each.kind: each.lines for each in find(text, user=user, **fields)}
    return [line.label for line in lines.get(kind, ())]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Ada Lovelace", "ada"),
        ("Ada Lovelace", "lovelace ADA"),
        ("Ada Lovelace", "ada l"),
        ("Ada Lovelace", "a"),
        ("Zoë Müller", "ZOË"),
        ("Zoë Müller", "müll"),
        ("ИВАН Петров", "иван пет"),
        ("100% _sure_", "% _s"),
        ("a+b(c", "+b("),
    ],
)
def test_names_are_found_by_their_parts_whatever_the_case(vera, office, name, text):
    m.person(name, m.account(name, office))
    m.group(name, office)
    m.account("Somebody else", office)
    for kind in (Kind.PERSON, Kind.ACCOUNT, Kind.GROUP):
        assert found(text, vera, kind) == [name]


@pytest.mark.parametrize("text", ["", "   ", "\x00", "\ud800", "nobody at all"])
def test_what_is_nothing_or_matches_nothing_finds_nothing(vera, office, text):
    m.person("Ada", m.account("Ada", office))
    assert find(text, user=vera) == []


@pytest.mark.parametrize("text", ["%", "_", "\\", "'", '"; --', "x" * 10_000, "a" + "\u0301" * 300])
def test_hostile_texts_are_searched_like_any_other(vera, office, text):
    m.group("Ada", office)
    assert find(text, user=vera) == []


def test_what_begins_with_the_text_comes_first(vera, office):
    for name in ("Board of chess", "Chess club", "Also chess"):
        m.group(name, office)
    assert found("chess", vera, Kind.GROUP) == ["Chess club", "Also chess", "Board of chess"]


def test_people_are_found_by_the_e_mail_of_an_account(vera, office):
    m.person("Countess", m.account("Ada", office, email="Ada@Example.org"))
    assert found("ada@example", vera, Kind.PERSON) == ["Countess"]


def test_rows_are_found_by_their_id_there(vera, office):
    m.account("Ada", office, remote_id="usr_9")
    m.group("Chess", office, remote_id="usr_9")
    assert found("usr_9", vera, Kind.ACCOUNT) == ["Ada"]
    assert found("usr_9", vera, Kind.GROUP) == ["Chess"]


def test_a_number_finds_the_change_of_this_number_first(vera, office):
    wanted = change(vera, office)
    other = change(vera, office, reason=f"{wanted.pk} again")
    lines = find(str(wanted.pk), user=vera)[-1].lines
    assert [line.pk for line in lines] == [wanted.pk, other.pk]
    assert [line.pk for line in find(f"#{wanted.pk}", user=vera)[-1].lines] == [wanted.pk]


def test_a_number_too_large_for_any_row_finds_nothing(vera, office):
    change(vera, office)
    assert find("9" * 18, user=vera) == []
    assert find("9" * 30, user=vera) == []


def test_changes_are_found_by_reason_ticket_and_whom_they_name(vera, office):
    made = change(
        vera,
        office,
        kind=ChangeKind.REMOVAL_EVERYWHERE,
        reason="Left the CLUB",
        ticket="T-77",
        selection={"kind": "person", "id": 1, "label": "Ödön"},
        compiled_at=timezone.now(),
        operations_count=2,
        groups_count=2,
    )
    for text in ("the club", "t-77", "ÖDÖN", "ödön club"):
        assert [line.pk for line in find(text, user=vera)[0].lines] == [made.pk]


def test_a_ticket_is_one_line_that_leads_to_its_newest_change(vera, office):
    change(vera, office, ticket="T-77")
    newest = change(vera, office, ticket="T-77")
    change(vera, office, ticket="T-78")
    (group,) = [each for each in find("t-77", user=vera) if each.kind == Kind.TICKET]
    assert group.lines == ((Kind.TICKET, newest.pk, "T-77", "2 changes"),)


def test_only_what_the_user_may_see_is_found(vera, office, stranger):
    m.person("Ada", m.account("Ada", office, email="ada@example.org"))
    m.group("Ada's", office)
    change(vera, office, reason="Ada left", ticket="Ada-1")
    limited = m.user("limited", systems=[m.system("Club", "mudbase")])
    assert find("ada", user=limited) == []
    assert find("ada@example", user=limited) == []
    assert find("ada", user=stranger) == []
    assert len(find("ada", user=vera)) == 5


def test_accounts_out_of_sight_are_neither_counted_nor_lead_to_anybody(vera, office, club):
    m.person("Ada", m.account("Ada", office), m.account("Countess", club, email="secret@example.org"))
    limited = m.user("limited", systems=[office])
    told = {user.username: find("ada", user=user)[0].lines[0].detail for user in (vera, limited)}
    assert told == {"vera": "2 accounts", "limited": "1 account"}
    assert find("secret@example", user=limited) == []


def test_what_is_gone_is_not_found(vera, office):
    m.account("Ada", office, is_present=False)
    m.group("Ada", office, is_present=False)
    assert find("ada", user=vera) == []


def test_a_long_list_is_cut_and_says_so(vera, office):
    for number in range(9):
        m.group(f"Chess {number}", office)
    (cut,) = find("chess", user=vera)
    assert (len(cut.lines), cut.more) == (8, True)
    (whole,) = find("chess", user=vera, limit=9)
    assert (len(whole.lines), whole.more) == (9, False)


def test_hostile_names_are_inert(vera, office):
    m.group("Chess \u202eclub", office)
    assert found("chess", vera, Kind.GROUP) == ["Chess ‹U+202E›club"]


@pytest.mark.parametrize("text", ["ada", "ödön", "12", "a b c"])
def test_each_kind_costs_one_query(vera, office, django_assert_num_queries, text):
    m.person("Ada", m.account("Ada", office))
    change(vera, office, reason="Ada")
    vera.has_perm("membership.see_panel")
    find("warm", user=vera)
    with django_assert_num_queries(5):
        find(text, user=vera)


@pytest.mark.scale
def test_ten_thousand_people_are_searched_at_once(vera, office):
    now = timezone.now()
    Account.objects.bulk_create(
        Account(connection=office, remote_id=f"r{n}", label=f"Member {n}", email=f"m{n}@example.org", seen_at=now)
        for n in range(10_000)
    )
    Person.objects.bulk_create(Person(name=f"Member {n}") for n in range(10_000))
    Group.objects.bulk_create(
        Group(connection=office, remote_id=f"g{n}", name=f"Room {n}", seen_at=now) for n in range(1_000)
    )
    for text in ("member 49", "mëmber", "nobody"):
        began = time.monotonic()
        find(text, user=vera)
        assert time.monotonic() - began < 0.5
