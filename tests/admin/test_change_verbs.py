"""Previews and pages of changes of every verb: what they warn of, what their buttons say, the way back."""

import re

import pytest
from django.utils import timezone

from membership.models import Change, Operation, Participant
from membership.services import addition, alteration, bundles, changes, groups, matrix, same_groups, transfer
from membership.vocab import ChangeKind, ChangeState, OperationState, Verb
from tests import mirrored

HARSH = "mu-button-danger"


@pytest.fixture
def board(office):
    return mirrored.group("Board", office, grants=1 | 2)


@pytest.fixture
def grace(office):
    return mirrored.account("Grace Hopper", office)


@pytest.fixture
def joins(operator, board, grace):
    return addition.draft_addition(accounts=[grace], groups=[board], actor=operator)


def page(client, change):
    return client.get(f"/membership/change/{change.pk}/").content.decode()


def text(client, change):
    return " ".join(re.sub(r"<[^>]+>", "", page(client, change)).split())


def submit(client, change):
    """The button that confirms: its classes and its words."""
    found = re.search(r'<button class="mu-button ([^"]*)" type="submit">([^<]*)</button>', page(client, change))
    return found.groups()


def rows(*participants):
    return Participant.objects.filter(pk__in=[row.pk for row in participants])


def altered(operator, wanted, *participants):
    selection = {"kind": "ids", "ids": [row.pk for row in participants]}
    return alteration.draft_alteration(rows(*participants), wanted, actor=operator, selection=selection)


# what the preview says


def test_somebody_who_joins_a_group_that_administers_is_warned_of_in_red_with_what_it_gives(as_, operator, joins):
    body = page(as_(operator), joins)
    warning = re.search(r'<div class="mu-note mu-note-bad">(.*?)</div>', body, re.S)[1]
    assert "Board in Office administers: 1 person gets rights beyond the group." in warning
    assert "administers members" in warning
    assert "billing" in warning


def test_somebody_who_leaves_it_is_not_warned_of(as_, operator, board, grace):
    there = mirrored.participant(grace, board, is_manager=True)
    mirrored.participant(mirrored.account("Otto", board.connection), board, is_manager=True)
    assert "administers:" not in page(as_(operator), altered(operator, {"is_manager": False}, there))


def test_each_verb_has_its_sentence_question_and_button(as_, operator, ada, zoe, board, grace):
    other = mirrored.group("Other chat", ada.group.connection)
    mirrored.participant(mirrored.account("Otto", ada.group.connection), ada.group, is_manager=True)
    selection = {"kind": "ids", "ids": [ada.pk]}
    person = mirrored.person("Ivan", mirrored.account("Ivan", ada.group.connection))
    model = mirrored.person("Ada Lovelace", ada.account)
    bundle = bundles.save_bundle(None, name="Pack", lines=[bundles.Line(other)], actor=operator)
    drafts = {
        "Make 2 people managers of Trainers": altered(operator, {"is_manager": True}, ada, zoe),
        "Move 1 person to Other chat": transfer.draft_transfer(
            rows(ada), other, keep=False, actor=operator, selection=selection
        ),
        "Copy 1 person to Other chat": transfer.draft_transfer(
            rows(ada), other, keep=True, actor=operator, selection=selection
        ),
        "Create the group Chat in Club app": groups.draft_create(ada.group.connection, "Chat", actor=operator),
        "Rename the group Board in Office to Bord": groups.draft_rename(board, "Bord", actor=operator),
        "Give the bundle “Pack” to 1 person": bundles.draft_bundle(bundle, [person], actor=operator),
        "Give 1 person the same groups as Ada Lovelace": same_groups.draft_same_groups(model, [person], actor=operator),
        "Change where Ada Lovelace takes part: Trainers": matrix.draft_matrix(
            model, {ada.group_id: {"is_manager": True}}, actor=operator
        ),
    }
    client = as_(operator)
    for title, change in drafts.items():
        assert f"{title}?" in text(client, change)
        assert submit(client, change)[1] == title


def test_only_what_takes_away_has_a_red_button(as_, operator, ada, zoe, board, joins):
    client = as_(operator)
    other = mirrored.group("Other chat", ada.group.connection)
    selection = {"kind": "ids", "ids": [ada.pk]}
    harsh = [
        transfer.draft_transfer(rows(ada), other, keep=False, actor=operator, selection=selection),
        groups.draft_delete(board, actor=operator),
    ]
    mild = [joins, altered(operator, {"is_manager": True}, ada)]
    assert [HARSH in submit(client, change)[0] for change in (*harsh, *mild)] == [True, True, False, False]


def test_a_new_group_stands_in_its_preview_without_a_group(as_, operator, ada):
    change = groups.draft_create(ada.group.connection, "Chat", members=[ada.account], actor=operator)
    said = text(as_(operator), change)
    assert "The group Chat is created in Club app (with 1 person)" in said


# where it goes back to


@pytest.mark.parametrize("name", ["addition", "matrix", "group", "bundle", "same groups", "ids", "query"])
def test_a_thrown_away_preview_leads_back_to_where_it_came_from(as_, operator, ada, board, grace, name):
    model = mirrored.person("Ada Lovelace", ada.account)
    ivan = mirrored.person("Ivan", mirrored.account("Ivan", ada.group.connection), grace)
    bundle = bundles.save_bundle(None, name="Pack", lines=[bundles.Line(board)], actor=operator)
    query = {"kind": "query", "query": "group=3&q=x", "count": 1}
    change, back = {
        "addition": lambda: (
            addition.draft_addition(accounts=[grace], groups=[board], actor=operator),
            f"/membership/account/{grace.pk}/",
        ),
        "matrix": lambda: (
            matrix.draft_matrix(model, {ada.group_id: {"is_manager": True}}, actor=operator),
            f"/membership/person/{model.pk}/",
        ),
        "group": lambda: (groups.draft_rename(board, "Bord", actor=operator), f"/membership/group/{board.pk}/"),
        "bundle": lambda: (
            bundles.draft_bundle(bundle, [ivan, model], actor=operator),
            f"/membership/bundle/{bundle.pk}/",
        ),
        "same groups": lambda: (
            same_groups.draft_same_groups(model, [ivan], actor=operator),
            f"/membership/person/{ivan.pk}/",
        ),
        "ids": lambda: (altered(operator, {"is_manager": True}, ada), f"/membership/participant/{ada.pk}/"),
        "query": lambda: (
            alteration.draft_alteration(rows(ada), {"is_manager": True}, actor=operator, selection=query),
            "/membership/participant/?group=3&q=x",
        ),
    }[name]()
    client = as_(operator)
    assert f'href="{back.replace("&", "&amp;")}"' in page(client, change)
    assert client.post(f"/membership/change/{change.pk}/throw_away/")["Location"] == back


def test_a_page_that_can_no_longer_be_seen_is_not_gone_back_to(as_, limited_operator, ada, operator):
    change = altered(operator, {"is_manager": True}, ada)
    Change.objects.filter(pk=change.pk).update(selection={"kind": "person", "id": 999999})
    body = page(as_(limited_operator(ada.group.connection)), change)
    assert 'href="/membership/person/"' in body


# half done


@pytest.fixture
def half(operator, ada, zoe):
    """Zoë was to become a manager: the first of two calls was done, the second refused."""
    mirrored.participant(mirrored.account("Otto", zoe.group.connection), zoe.group, is_manager=True)
    change = altered(operator, {"is_manager": True}, zoe)
    changes.confirm_change(change, actor=operator, reason="new season", expected_hash=change.plan_hash)
    Operation.objects.update(
        state=OperationState.REFUSED, outcome="remote_said_no", calls_done=1, settled_at=timezone.now(),
        outcome_params={"status": 400, "said": "no", "half_done": True},
    )  # fmt: skip
    Change.objects.update(state=ChangeState.DONE_WITH_FAILURES, finished_at=timezone.now())
    Participant.objects.filter(pk=zoe.pk).update(is_present=False)
    return change


def test_a_half_done_step_offers_the_way_back_as_a_preview(as_, operator, half):
    client, step = as_(operator), Operation.objects.get()
    assert "Put back as before…" in page(client, half)
    answer = client.post(f"/membership/change/{half.pk}/way_back/", {"step": step.pk})
    back = Change.objects.get(kind=ChangeKind.WAY_BACK)
    assert answer["Location"] == f"/membership/change/{back.pk}/"
    assert "Put back as before: Zoë Müller in Trainers?" in text(client, back)
    assert Operation.objects.get(change=back).verb == Verb.ADD


def test_a_way_back_that_exists_is_linked_instead_of_offered_again(as_, operator, half):
    client = as_(operator)
    client.post(f"/membership/change/{half.pk}/way_back/", {"step": Operation.objects.get().pk})
    back = Change.objects.get(kind=ChangeKind.WAY_BACK)
    body = page(client, half)
    assert "Put back as before…" not in body
    assert f'href="/membership/change/{back.pk}/"' in body
    client.post(f"/membership/change/{back.pk}/throw_away/")
    assert "Put back as before…" in page(client, half)


def test_a_whole_step_has_no_way_back(as_, operator, half):
    Operation.objects.update(outcome_params={"status": 400, "said": "no"}, calls_done=0)
    client = as_(operator)
    assert "Put back as before…" not in page(client, half)
    said = client.post(f"/membership/change/{half.pk}/way_back/", {"step": Operation.objects.get().pk}, follow=True)
    assert "This step is not half done" in said.content.decode()


def test_a_viewer_is_not_offered_the_way_back(as_, viewer, half):
    assert "Put back as before…" not in page(as_(viewer), half)
    answer = as_(viewer).post(f"/membership/change/{half.pk}/way_back/", {"step": Operation.objects.get().pk})
    assert answer.status_code == 403


@pytest.mark.parametrize("step", ["", "x", "999999"])
def test_a_step_that_is_not_of_this_change_has_no_way_back_here(as_, operator, half, step):
    assert as_(operator).post(f"/membership/change/{half.pk}/way_back/", {"step": step}).status_code == 403


# buttons with numbers


def test_the_button_says_how_many_steps_are_tried_again(as_, operator, half):
    assert "Try 1 step again (a new change)" in page(as_(operator), half)


def test_the_button_says_how_many_steps_are_cancelled(as_, operator, ada, zoe):
    change = altered(operator, {"is_manager": True}, ada, zoe)
    changes.confirm_change(change, actor=operator, reason="new season", expected_hash=change.plan_hash)
    assert "Cancel the rest (2 steps)" in page(as_(operator), change)


def test_steps_of_a_change_stand_below_their_group(as_, operator, ada, zoe):
    change = altered(operator, {"is_manager": True}, ada, zoe)
    changes.confirm_change(change, actor=operator, reason="new season", expected_hash=change.plan_hash)
    heads = re.findall(r'<tr class="mu-group-row"><th[^>]*>(.*?)</th>', page(as_(operator), change))
    assert [re.sub(r"<[^>]+>", "", head).strip() for head in heads] == ["Club app · Trainers"]


@pytest.mark.parametrize(("verb", "words"), [(Verb.UPDATE, "Change it all the same"), (Verb.ADD, "Add all the same")])
def test_what_somebody_else_changed_is_decided_in_words_of_its_verb(as_, operator, ada, verb, words):
    change = altered(operator, {"is_manager": True}, ada)
    changes.confirm_change(change, actor=operator, reason="new season", expected_hash=change.plan_hash)
    Operation.objects.update(state=OperationState.FOREIGN, verb=verb, found={"is_present": True, "fits": True})
    assert words in page(as_(operator), change)


def test_what_somebody_else_changed_is_shown_before_and_now_with_three_ways_on(as_, operator, ada):
    change = altered(operator, {"is_manager": True}, ada)
    changes.confirm_change(change, actor=operator, reason="new season", expected_hash=change.plan_hash)
    found = {"is_present": True, "is_member": False, "is_manager": True, "fits": True}
    Operation.objects.update(state=OperationState.FOREIGN, found=found)
    [step] = Operation.objects.filter(change=change)
    body = page(as_(operator), change)
    before, now = re.search(r"Before:\s*(.*?)\. Now:\s*(.*?)\.</p>", body, re.S).groups()
    assert before and now and before != now
    buttons = re.findall(rf'id="\w+-{step.pk}" name="decision" value="(\w+)"', body)
    assert buttons == ["accept", "again", "leave"]
