from datetime import UTC, datetime

import pytest

from membership.errors import Reason
from membership.providers.base import AccountRef, GroupRef, ParticipantRef
from membership.providers.errors import Incomplete, Misconfigured, NotFound, OutcomeUnknown, ProviderError, Refused

DESIGN, GONE = GroupRef("g-1", 101), GroupRef("g-99")
USERS = "/api/latest/groups/g-1/users"


def add_members(company, number):
    with company.state.changing():
        for each in range(1000, 1000 + number):
            company.state.add_user(f"User {each}", id=each)
            company.state.add_member("g-1", each)


def add_groups(company, number):
    with company.state.changing():
        for each in range(number):
            company.state.add_group(f"Group {each}", uid=f"g-x{each}")


def reason_of(reading):
    with pytest.raises(ProviderError) as caught:
        list(reading)
    return type(caught.value), caught.value.reason


def queries(company, path):
    return [dict(entry.query) for entry in company.journal.entries if entry.path == path]


def users(ids):
    return [{"id": each, "full_name": f"User {each}"} for each in ids]


def test_groups_are_read_with_explicit_pages_and_the_synchronisation_flag(company):
    add_groups(company, 120)
    company.state.change_group("g-x5", directory=[1])
    company.state.change_group("g-x6", permissions=3)
    groups = {group.remote_id: group for group in company.provider.groups()}
    assert len(groups) == 121
    assert [uid for uid, group in groups.items() if group.managed_elsewhere] == ["g-x5"]
    assert (groups["g-x6"].grants, groups["g-1"].remote_number) == (3, 101)
    first = queries(company, "/api/latest/company/groups")[0]
    assert first == {"with_sync_group_attribute": "true", "condition": "1", "limit": "100", "offset": "0"}


def test_inactive_groups_are_found_by_the_filter(company):
    company.state.add_group("Old", uid="g-old", active=False)
    assert {group.remote_id: group.archived for group in company.provider.groups()} == {"g-1": False, "g-old": True}


def test_a_filter_that_is_ignored_doubles_no_group(company):
    company.fault("status", status=200, body=[{"uid": "g-1", "id": 101}], path_contains="company/groups")
    assert [(group.remote_id, group.archived) for group in company.provider.groups()] == [("g-1", False)]


@pytest.mark.parametrize("field", ["sync", "sync_group", "synced_with"])
def test_the_undocumented_name_of_the_flag_may_vary(company, field):
    company.state.switch(sync_field=field)
    company.state.change_group("g-1", directory=[])
    [group] = company.provider.groups()
    assert group.managed_elsewhere


def test_a_smaller_limit_of_the_group_list_loses_no_group(company):
    company.state.switch(max_group_limit=30)
    add_groups(company, 74)
    assert len(list(company.provider.groups())) == 75


def test_members_and_managers_are_one_list(company):
    rows = {row.remote_id: (row.is_member, row.is_manager) for row in company.provider.participants(DESIGN)}
    assert rows == {"1": (True, False), "2": (True, True), "3": (False, True)}


def test_members_are_read_page_by_page(company):
    add_members(company, 218)
    assert len(list(company.provider.participants(DESIGN))) == 221
    assert [query["offset"] for query in queries(company, USERS)] == ["0", "100", "200", "220"]
    assert {query["limit"] for query in queries(company, USERS)} == {"100"}


def test_a_hundred_members_are_all_if_the_next_page_is_empty(company):
    add_members(company, 98)
    assert len(list(company.provider.participants(DESIGN))) == 101


def test_the_whole_list_from_before_paging_came_is_taken(company):
    company.state.switch(users_paging="legacy")
    add_members(company, 150)
    assert len(list(company.provider.participants(DESIGN))) == 153
    assert len(queries(company, USERS)) == 1


@pytest.mark.parametrize("paging", ["legacy", "capped"])
def test_a_hundred_rows_where_paging_is_ignored_may_be_capped(company, paging):
    company.state.switch(users_paging=paging)
    add_members(company, 98)
    assert reason_of(company.provider.participants(DESIGN)) == (Incomplete, Reason.MAYBE_CAPPED)


def test_a_later_page_that_repeats_rows_makes_the_reading_incomplete(company):
    company.fault("status", status=200, body=users(range(100)), regex="users.*offset=0$")
    company.fault("status", status=200, body=users(range(50, 150)), regex="users.*offset=100$")
    assert reason_of(company.provider.participants(DESIGN)) == (Incomplete, Reason.PAGE_REPEATED)


def test_a_later_page_longer_than_asked_for_makes_the_reading_incomplete(company):
    company.fault("status", status=200, body=users(range(100)), regex="users.*offset=0$")
    company.fault("status", status=200, body=users(range(100, 250)), regex="users.*offset=100$")
    assert reason_of(company.provider.participants(DESIGN)) == (Incomplete, Reason.PAGING_IGNORED)


def test_a_short_page_in_the_middle_leaves_no_gap(company):
    company.fault("status", status=200, body=users(range(100)), regex="users.*offset=0$")
    company.fault("status", status=200, body=users(range(100, 130)), regex="users.*offset=100$")
    company.fault("status", status=200, body=users(range(130, 200)), regex="users.*offset=130$")
    company.fault("status", status=200, body=[], regex="users.*offset=200$")
    assert len(list(company.provider.participants(DESIGN))) == 200


def test_members_without_the_managers_are_not_shown_as_all(company):
    company.fault("status", status=500, path_contains="/admins")
    seen = []
    with pytest.raises(OutcomeUnknown):
        seen.extend(company.provider.participants(DESIGN))
    assert seen == []


def test_a_group_that_is_gone_is_not_an_empty_one(company):
    assert reason_of(company.provider.participants(GONE)) == (NotFound, Reason.GROUP_NOT_FOUND)
    with pytest.raises(NotFound):
        company.provider.get_group(GONE)
    with pytest.raises(NotFound):
        company.provider.find(GONE, [])


@pytest.mark.parametrize("is_list", [True, False])
def test_one_group_may_come_as_an_object_or_a_list(company, is_list):
    group = {"uid": "g-1", "id": 101, "name": "Design"}
    company.fault("status", status=200, body=[group] if is_list else group, path_contains="groups/g-1")
    assert company.provider.get_group(DESIGN).name == "Design"


def test_one_group_asked_for_tells_as_much_as_in_the_list(company):
    company.state.change_group("g-1", directory=[1], active=False, permissions=3)
    [listed] = company.provider.groups()
    assert company.provider.get_group(DESIGN) == listed
    assert (listed.managed_elsewhere, listed.archived, listed.grants) == (True, True, 3)


def test_a_group_that_is_there_but_not_listed_is_not_told_of(company):
    company.fault("status", status=200, body=[], regex=r"groups\?")
    with pytest.raises(Incomplete) as caught:
        company.provider.get_group(DESIGN)
    assert caught.value.reason is Reason.GROUP_VANISHED


@pytest.mark.parametrize("body", [{"message": "?"}, "<html></html>", "null"])
def test_an_answer_that_is_no_list_shows_no_members(company, body):
    company.fault("status", status=200, body=body)
    assert reason_of(company.provider.participants(DESIGN)) == (OutcomeUnknown, Reason.ANSWER_UNREADABLE)


def test_a_row_without_an_id_makes_the_reading_incomplete(company):
    company.fault("status", status=200, body=[{"full_name": "Nobody"}])
    assert reason_of(company.provider.participants(DESIGN)) == (Incomplete, Reason.ANSWER_UNREADABLE)


def test_accounts_say_who_is_deactivated_virtual_or_leaving(company):
    company.state.change_user(1, role=3)
    company.state.change_user(2, temporarily_inactive=True)
    company.state.change_user(
        3, virtual=True, delete_requested_at="2026-05-04T09:42:00.000Z", email_blocked="2026-05-04"
    )
    accounts = {account.remote_id: account for account in company.provider.accounts()}
    assert [accounts[each].active for each in ("1", "2", "3", "4")] == [False, False, True, True]
    assert accounts["3"].virtual
    assert accounts["3"].delete_requested_at == datetime(2026, 5, 4, 9, 42, tzinfo=UTC)
    assert accounts["3"].email_blocked_at == datetime(2026, 5, 4, tzinfo=UTC)
    assert accounts["1"].email == "user1@k.example"
    assert queries(company, "/api/latest/company/users")[0]["for_members_section"] == "true"


def test_pictures_inside_the_answer_are_left_out(company):
    picture = {"id": 1, "full_name": "Ada", "avatar_initials_url": "data:image/png;base64,AAAA", "theme": "auto"}
    company.fault("status", status=200, body=[picture], times=1)
    company.fault("status", status=200, body=[])
    [account] = company.provider.accounts()
    assert account.attributes == {"theme": "auto"}


def test_a_weak_token_reads_nothing_and_tries_nothing_else(company):
    company.state.change_user(9, own_permissions=0)
    for reading in (company.provider.accounts(), company.provider.groups(), company.provider.participants(DESIGN)):
        assert reason_of(reading) == (Incomplete, Reason.WEAK_TOKEN)
    assert "GET /api/latest/users" not in company.journal.seen


def test_a_wrong_token_stops_the_reading_and_the_connection(company):
    company.state.revoke_all()
    assert reason_of(company.provider.groups()) == (Misconfigured, Reason.TOKEN_NOT_ACCEPTED)


@pytest.mark.parametrize("kind", ["bad_json", "truncated", "lost_answer"])
def test_a_cut_page_ends_the_reading(company, kind):
    company.fault(kind)
    assert reason_of(company.provider.accounts())[0] is OutcomeUnknown


def test_doubts_are_settled_by_one_reading_of_both_lists(company):
    subjects = [ParticipantRef(DESIGN, user, user) for user in ("1", "3", "4")]
    found = company.provider.find(DESIGN, subjects)
    assert {user: row and (row.is_member, row.is_manager) for user, row in found.items()} == {
        "1": (True, False),
        "3": (False, True),
        "4": None,
    }
    assert len(company.journal.entries) == 2
    assert company.provider.find_added(DESIGN, AccountRef("4"), []) is None
    assert company.provider.find_added(DESIGN, AccountRef("2"), []).is_manager


def test_places_are_not_told(company):
    with pytest.raises(Refused):
        company.provider.places(AccountRef("1"))
