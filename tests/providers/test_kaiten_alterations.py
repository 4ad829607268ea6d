import pytest

from membership.errors import Reason
from membership.providers.base import AccountRef, GroupRef, ParticipantRef, RemoteAnswer, Verdict, Wanted
from tests.providers.remotes import outcome

DESIGN, GONE = GroupRef("g-1", 101), GroupRef("g-99")
ADA = ParticipantRef(DESIGN, "1", "1")
GRACE = ParticipantRef(DESIGN, "2", "2", is_member=True, is_manager=True)
JOAN = ParticipantRef(DESIGN, "3", "3", is_member=False, is_manager=True)


@pytest.mark.parametrize(
    ("who", "is_manager", "sent"),
    [
        (ADA, True, ["POST admins"]),
        (GRACE, False, ["DELETE admins/2"]),
        (JOAN, False, ["POST users", "DELETE admins/3"]),
        (ADA, False, []),
        (ADA, None, []),
        (JOAN, True, []),
    ],
)
def test_a_manager_is_who_is_on_the_admins(company, who, is_manager, sent):
    calls = company.provider.update(who, Wanted(is_manager=is_manager))
    assert company.outcomes(calls) == [Verdict.CONFIRMED] * len(sent)
    assert company.journal.written == [f"{line.split()[0]} /api/latest/groups/g-1/{line.split()[1]}" for line in sent]


def test_an_admin_who_becomes_a_member_is_never_out_of_the_group(company):
    first, _second = company.provider.update(JOAN, Wanted(is_manager=False))
    assert company.outcome(first) is Verdict.CONFIRMED
    assert (3 in company.state.members("g-1"), 3 in company.state.admins("g-1")) == (True, True)


@pytest.mark.parametrize("wanted", [Wanted(is_muted=True), Wanted(can_write=False), Wanted(fields={"nickname": "x"})])
def test_a_right_that_groups_do_not_know_is_refused_in_the_plan(company, wanted):
    refused = ("Refused", Reason.NOT_OFFERED)
    assert outcome(lambda: company.provider.update(ADA, wanted)) == refused
    assert outcome(lambda: company.provider.add(DESIGN, AccountRef("4"), wanted)) == refused


def test_the_row_of_an_addition_is_told_by_its_answer(company):
    calls = company.provider.add(DESIGN, AccountRef("4"), Wanted(is_manager=True))
    rows = [company.provider.added(call, company.provider.send(call), DESIGN, AccountRef("4")) for call in calls]
    assert [(row.remote_id, row.label, row.is_member, row.is_manager) for row in rows] == [
        ("4", "Alan Turing", True, False),
        ("4", "Alan Turing", True, True),
    ]


def test_an_empty_answer_tells_no_row(company):
    [call] = company.provider.add(DESIGN, AccountRef("4"), Wanted())
    assert company.provider.added(call, RemoteAnswer(204, {}), DESIGN, AccountRef("4")) is None


# groups


def test_a_group_is_created_renamed_and_deleted(company):
    provider = company.provider
    [creation] = provider.create_group("Дизайн 2")
    answer = provider.send(creation)
    assert provider.judge(creation, answer) is Verdict.CONFIRMED
    made = provider.created(creation, answer)
    assert made.name == "Дизайн 2"
    [renaming] = provider.rename_group(GroupRef(made.remote_id), "Design 3")
    answer = provider.send(renaming)
    assert provider.judge(renaming, answer) is Verdict.CONFIRMED
    assert provider.created(renaming, answer).name == "Design 3"
    [deletion] = provider.delete_group(GroupRef(made.remote_id))
    assert company.outcome(deletion) is Verdict.CONFIRMED
    assert outcome(lambda: provider.get_group(GroupRef(made.remote_id))) == ("NotFound", Reason.GROUP_NOT_FOUND)
    assert company.journal.written == [
        "POST /api/latest/company/groups",
        f"PATCH /api/latest/company/groups/{made.remote_id}",
        f"DELETE /api/latest/company/groups/{made.remote_id}",
    ]
    assert [entry.json for entry in company.journal.writes()] == [{"name": "Дизайн 2"}, {"name": "Design 3"}, None]


def test_a_renamed_group_keeps_what_is_not_named(company):
    company.state.change_group("g-1", permissions=256, add_to_cards_and_spaces_enabled=False)
    [call] = company.provider.rename_group(DESIGN, "Design 2")
    assert company.outcome(call) is Verdict.CONFIRMED
    group = company.state.groups.rows["g-1"]
    assert (group.name, group.permissions, group.add_to_cards_and_spaces_enabled) == ("Design 2", 256, False)


def test_a_group_deleted_twice_is_looked_at(company):
    [call] = company.provider.delete_group(GONE)
    assert company.outcome(call) is Verdict.LOOK


def test_a_group_that_is_gone_is_not_renamed(company):
    [call] = company.provider.rename_group(GONE, "x")
    assert company.outcome(call) == ("NotFound", Reason.NOT_FOUND)


def test_without_the_tariff_groups_are_not_created(company):
    company.state.switch(tariff=False)
    [call] = company.provider.create_group("x")
    assert company.outcome(call) == ("Misconfigured", Reason.TARIFF)


@pytest.mark.parametrize("name", ["", " x", "x\n", "x" * 513, "a\0b", "a\u2028b"])
def test_a_name_that_no_group_can_have_is_refused_in_the_plan(company, name):
    refused = ("Refused", Reason.BAD_VALUE)
    assert outcome(lambda: company.provider.create_group(name)) == refused
    assert outcome(lambda: company.provider.rename_group(DESIGN, name)) == refused
    assert company.journal.seen == []


@pytest.mark.parametrize("name", ["x", "x" * 512, "👩‍👩‍👧 Familie"])
def test_a_name_of_up_to_512_characters_is_taken(company, name):
    [call] = company.provider.create_group(name)
    assert company.outcome(call) is Verdict.CONFIRMED


def test_members_are_not_put_into_a_new_group_at_once(company):
    members = [AccountRef("1")]
    assert outcome(lambda: company.provider.create_group("x", members)) == ("Refused", Reason.NOT_OFFERED)


MADE = {"id": 102, "uid": "g-2", "name": "New"}
CREATION_ANSWERS = [
    (200, MADE, Verdict.CONFIRMED),
    (201, MADE, Verdict.CONFIRMED),
    (200, {**MADE, "name": "Other"}, Verdict.LOOK),
    (200, {"id": 102, "name": "New"}, Verdict.LOOK),
    (200, {**MADE, "uid": 7}, Verdict.LOOK),
    (200, {**MADE, "uid": "g" * 201}, Verdict.LOOK),
    (200, "", Verdict.LOOK),
    (204, "", Verdict.LOOK),
    (202, "", Verdict.LOOK),
    (409, "", Verdict.LOOK),
    (200, [MADE], ("OutcomeUnknown", Reason.ANSWER_UNREADABLE)),
    (400, {"message": "Validation error"}, ("Refused", Reason.REMOTE_SAID_NO)),
    (402, {"message": "tariff"}, ("Misconfigured", Reason.TARIFF)),
    (403, "", ("Refused", Reason.FORBIDDEN)),
    (500, "", ("OutcomeUnknown", Reason.REMOTE_FAILED)),
]


@pytest.mark.parametrize(("status", "body", "expected"), CREATION_ANSWERS)
def test_what_an_answer_to_a_creation_proves(company, status, body, expected):
    company.fault("status", status=status, body=body)
    [call] = company.provider.create_group("New")
    assert company.outcome(call) == expected


RENAMING_ANSWERS = [
    (200, {"uid": "g-1", "name": "New"}, Verdict.CONFIRMED),
    (200, {"uid": "g-2", "name": "New"}, Verdict.LOOK),
    (200, {"uid": "g-1", "name": "Design"}, Verdict.LOOK),
    (204, "", Verdict.LOOK),
    (400, {"message": "Validation error"}, ("Refused", Reason.REMOTE_SAID_NO)),
    (404, "", ("NotFound", Reason.NOT_FOUND)),
]


@pytest.mark.parametrize(("status", "body", "expected"), RENAMING_ANSWERS)
def test_what_an_answer_to_a_renaming_proves(company, status, body, expected):
    company.fault("status", status=status, body=body)
    [call] = company.provider.rename_group(DESIGN, "New")
    assert company.outcome(call) == expected


DELETION_ANSWERS = [
    (200, {"uid": "g-1", "name": "Design"}, Verdict.CONFIRMED),
    (200, "", Verdict.CONFIRMED),
    (204, "", Verdict.CONFIRMED),
    (200, {"uid": "g-2"}, Verdict.LOOK),
    (404, "", Verdict.LOOK),
    (409, "", Verdict.LOOK),
    (400, {"message": "Validation error"}, ("Refused", Reason.REMOTE_SAID_NO)),
    (403, "", ("Refused", Reason.FORBIDDEN)),
]


@pytest.mark.parametrize(("status", "body", "expected"), DELETION_ANSWERS)
def test_what_an_answer_to_a_deletion_proves(company, status, body, expected):
    company.fault("status", status=status, body=body)
    [call] = company.provider.delete_group(DESIGN)
    assert company.outcome(call) == expected


@pytest.mark.parametrize("path", ["api/latest", "api/v1"])
def test_groups_are_told_from_their_lists_in_both_versions_of_the_api(company, path):
    provider = company.ask(api_path=path)
    [call] = provider.create_group("New")
    company.fault("status", status=400, body={"message": "Validation error"})
    assert company.outcome(call, provider) == ("Refused", Reason.REMOTE_SAID_NO)
