"""A change taken back, at the wires of all three systems."""

import os
import re
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import Account, Change, Connection, Group, LeftOut, Operation, Participant
from membership.plans.wishes import RIGHTS, Add, CreateGroup, Remove, RenameGroup, Update
from membership.sandbox.faults import Fault
from membership.services import change_pages, changes, drafts, groups, taking_back, titles
from membership.services.addition import draft_addition
from membership.services.alteration import draft_alteration, draft_edit, shown_state
from membership.services.transfer import draft_transfer
from membership.vocab import AuditAction, ChangeKind, ChangeState, OperationState, Verb
from tests import mirrored as m
from tests.hurry import work_in_a_hurry
from tests.services.asking import confirm, draft, entries
from tests.world import GROUP_UID

LONG = bool(os.environ.get("LONG"))
ZOE, ADA, IVAN = "Zoë Müller", "Ada Lovelace", "Иван Петров"
OFFICE = "Группа 2"


@pytest.fixture
def vera(world):
    kaiten = world.sandbox.kaiten.state
    with kaiten.changing():
        kaiten.add_user(ZOE, email="zoe@example.org", id=6)
        kaiten.add_member(GROUP_UID, 5)  # Grace: a manager who is a member, too
    with world.sandbox.mudbase.state.changing():
        world.sandbox.mudbase.state.add_user("José", "Ñandú", project="proj_1", id="usr_jose", email="jose@example.org")
    world.read()
    return m.user("vera")


@pytest.fixture
def done(world, vera):
    """Confirm a draft, work it, and see all of it done."""

    def do(change, **answers):
        for server in world.sandbox.servers:
            server.journal.clear()
        confirm(change, vera, **answers)
        work_in_a_hurry()
        assert world.state_of(change) == ChangeState.DONE
        return Change.objects.get(pk=change.pk)

    return do


def there(label, group):
    return Participant.objects.get(label=label, group__name=group, is_present=True)


def is_there(label, group):
    return Participant.objects.filter(label=label, group__name=group, is_present=True).exists()


def back(change, vera):
    return taking_back.draft_taking_back(change, actor=vera)


def left_out(change):
    return [(row.subject_label, row.reason) for row in LeftOut.objects.filter(change=change).order_by("position")]


def does(change):
    return [(step.verb, step.subject_label, step.wanted) for step in change.operations.order_by("position")]


def by_hand(**fields):
    """A participant of the mirror as somebody over there made it, and a reading told."""
    return lambda row: Participant.objects.filter(pk=row.pk).update(**fields)


# a plan and its inverse


def remotes(world):
    """Who is in which group with which rights, as the sandbox has it: `{group: {person: rights}}`, rows by no id."""
    inwendo, mudbase, kaiten = (server.state for server in world.sandbox.servers)
    found = {}
    for room in inwendo.rooms:
        live = inwendo.live(room.id)
        found[room.name] = {row.person: (bool(row.room_admin), row.can_write, bool(row.is_muted)) for row in live}
    for chat in mudbase.chats:
        found[chat.name] = dict(mudbase.roles(chat.id))
    for group in kaiten.groups:
        users, admins = set(kaiten.members(group.uid)), set(kaiten.admins(group.uid))
        found[group.name] = {user: (user in users, user in admins) for user in users | admins}
    return found


def sent_in_order(world, change):
    """Each journal holds exactly the calls of the plan: steps begin in its order, but what waits for another step, and
    each step's own calls follow one another."""
    steps = Operation.objects.filter(change=change).select_related("connection").order_by("position")
    for server in world.sandbox.servers:
        own = [list(lines(step)) for step in steps if step.connection.provider == server.kind]
        waits = ["after" in step.before for step in steps if step.connection.provider == server.kind]
        begun = []
        for line in server.journal.written:
            going_on = next((rest for rest in begun if rest and re.fullmatch(rest[0], line)), None)
            if going_on is None:
                place = next(place for place, rest in enumerate(own) if re.fullmatch(rest[0], line))
                assert all(waits[:place]), (server.kind, line, own)
                going_on = own.pop(place)
                del waits[place]
                begun.append(going_on)
            del going_on[0]
        assert not any(own) and not any(begun), (server.kind, own, begun)


def lines(step):
    for call in step.calls:
        said = f"{call['method']} /{'/'.join(quote(part, safe='') for part in call['path'])}"
        yield re.escape(said).replace(re.escape(quote("{id_from_call_1}", safe="")), "[0-9]+")


choices = st.lists(st.integers(0, 9), min_size=9, max_size=9)
sizes = st.sampled_from([(), (3,)])
ROUNDS = 4 if LONG else 2


def wishes(choices):
    """A wish for each account in each group of its system, or none; for Kaiten a new name and a new group, too."""
    found = []
    pairs = [
        (account, group)
        for account in Account.objects.filter(is_own=False, is_present=True).order_by("pk")
        for group in Group.objects.filter(connection=account.connection_id, is_present=True).order_by("pk")
    ]
    for number, (account, group) in enumerate(pairs):
        choice = (choices[number % len(choices)] + number) % 10
        row = Participant.objects.filter(account=account, group=group, is_present=True).first()
        rights = RIGHTS if group.connection.provider == "inwendo" else RIGHTS[:1]
        right = rights[choice % len(rights)]
        if row is None and choice < 3:
            found.append(Add(account.pk, group.pk, {right: right != "can_write"} if choice % 2 else {}))
        elif row is not None and choice < 2:
            found.append(Remove(row.pk))
        elif row is not None and choice < 5:
            found.append(Update(row.pk, {right: not getattr(row, right)}))
    office = Group.objects.get(name=OFFICE)
    if choices[0] % 2:
        found.append(RenameGroup(office.pk, "Another name"))
    if choices[1] % 2:
        found.append(CreateGroup(office.connection_id, "New group"))
    return found


@pytest.mark.timeout(3600 if LONG else 120)
@settings(
    max_examples=60 if LONG else 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.generate],
)
@example(choices=[1, 3, 5, 0, 2, 7, 4, 9, 1], sizes=(3,))
@given(choices=choices, sizes=sizes)
def test_a_plan_and_its_inverse_give_the_remotes_their_first_state_back(world, vera, done, choices, sizes):
    """Over all three systems, for every verb that a remote can undo; and what was taken back can be taken back."""
    Connection.objects.update(concurrency=1)
    change = drafts.draft(ChangeKind.MATRIX, wishes(choices), {"kind": "matrix", "label": "x"}, actor=vera)
    has_new_group = change.operations.filter(verb=Verb.CREATE_GROUP).exists()
    states = [remotes(world)]
    for _round in range(2 if has_new_group else ROUNDS):
        change = done(change, typed_name=change_pages.name_to_type(change), stage_sizes=sizes)
        assert set(change.operations.values_list("state", flat=True)) == {OperationState.CONFIRMED}
        sent_in_order(world, change)
        states.append(remotes(world))
        change = back(change, vera)
        # No remote gives a deleted group back.
        assert {reason for _who, reason in left_out(change)} <= {Reason.GROUP_DELETED}
    assert all(state == states[0] for state in states[::2])
    assert all(state == states[1] != states[0] for state in states[1::2])


# what somebody changed since


def test_who_was_removed_comes_back_with_the_rights_of_before(world, vera, done):
    ada = there(ADA, "Chess club")
    zoe = there(ZOE, "Chess club")
    done(draft_alteration(m.rows(zoe), {"is_manager": True}, actor=vera, selection=m.ids(zoe)))
    done(draft_alteration(m.rows(ada), {"is_muted": True}, actor=vera, selection=m.ids(ada)))
    change = done(draft(vera, ada))
    taken = back(change, vera)
    assert does(taken) == [("add", ADA, {"is_present": True, "is_manager": True, "is_muted": True})]
    assert titles.title(taken) == f"Take back change {change.pk}: 1 person in 1 group"
    done(taken)
    row = there(ADA, "Chess club")
    assert (row.is_manager, row.is_muted, row.can_write) == (True, True, True) and row.remote_id != ada.remote_id
    assert taking_back.taken_back_in(change) == [taken]
    requested = entries(AuditAction.CHANGE_REQUESTED).get(change_id=taken.pk)
    assert '"take_back"' in requested.sealed


def test_what_somebody_changed_since_stays_and_is_named(world, vera, done):
    added = done(draft_addition(accounts=[world.account(ZOE, world.kaiten)], groups=[world.group(OFFICE)], actor=vera))
    row = there(ZOE, OFFICE)
    by_hand(is_manager=True)(row)
    assert left_out(back(added, vera)) == [(ZOE, Reason.CHANGED_SINCE)]
    by_hand(is_manager=False)(row)
    assert does(back(added, vera)) == [("remove", ZOE, {"is_present": False})]


def test_who_left_and_came_again_since_stays(world, vera, done):
    zoe = [world.account(ZOE, world.kaiten)]
    added = done(draft_addition(accounts=zoe, groups=[world.group(OFFICE)], actor=vera))
    done(draft(vera, there(ZOE, OFFICE)))
    assert left_out(back(added, vera)) == [(ZOE, Reason.ALREADY_GONE)]
    done(draft_addition(accounts=zoe, groups=[world.group(OFFICE)], actor=vera))
    assert left_out(back(added, vera)) == [(ZOE, Reason.CHANGED_SINCE)]


def test_who_came_back_since_by_other_hands_is_not_added_twice(world, vera, done):
    row = there(ADA, OFFICE)
    removed = done(draft(vera, row))
    with world.sandbox.kaiten.state.changing():
        world.sandbox.kaiten.state.add_member(GROUP_UID, 3)
        world.sandbox.kaiten.state.add_admin(GROUP_UID, 3)
    world.read()
    assert left_out(back(removed, vera)) == [(ADA, Reason.CHANGED_SINCE)]


def test_an_alteration_goes_back_unless_it_was_altered_since(world, vera, done):
    row = there(ZOE, "Chess club")
    change = done(draft_alteration(m.rows(row), {"is_muted": True}, actor=vera, selection=m.ids(row)))
    assert does(back(change, vera)) == [("update", ZOE, {"is_muted": False})]
    done(draft_alteration(m.rows(row), {"is_muted": False}, actor=vera, selection=m.ids(row)))
    assert left_out(back(change, vera)) == [(ZOE, Reason.ALREADY_SO)]


def test_fields_go_back_and_secrets_are_said_not_to(world, vera, done):
    row = there(ZOE, "Chess club")
    values = {"auto_reply": True, "ai_prompt": "Be brief, aardvark"}
    change = done(draft_edit(row, values, shown=shown_state(row), actor=vera))
    world.read()
    taken = back(change, vera)
    assert does(taken) == [("update", ZOE, {"auto_reply": False})]
    assert left_out(taken) == [(ZOE, Reason.SECRET_NOT_KEPT)]
    done(taken)
    stored = world.sandbox.inwendo.state.participants.get(int(row.remote_id))
    assert (stored.auto_reply, stored.ai_prompt) == (False, "Be brief, aardvark")


def test_a_new_group_goes_where_the_remote_can_unless_somebody_came_since(world, vera, done):
    made = done(groups.draft_create(world.kaiten, "Trainers U12", actor=vera))
    assert does(back(made, vera)) == [("delete_group", "Trainers U12", {"is_present": False})]
    done(draft_addition(accounts=[world.account(ZOE, world.kaiten)], groups=[world.group("Trainers U12")], actor=vera))
    assert left_out(back(made, vera)) == [("Trainers U12", Reason.CHANGED_SINCE)]
    chat = done(groups.draft_create(world.mudbase, "Newcomers", actor=vera))
    assert left_out(back(chat, vera)) == [("Newcomers", Reason.NOT_OFFERED)]


def test_a_deleted_group_cannot_come_back_and_that_is_said(world, vera, done):
    done(groups.draft_create(world.kaiten, "Short lived", actor=vera))
    gone = done(groups.draft_delete(world.group("Short lived"), actor=vera), typed_name="Short lived")
    taken = back(gone, vera)
    assert left_out(taken) == [("Short lived", Reason.GROUP_DELETED)]
    assert not taken.operations_count and "nothing to do" in titles.title(taken)


def test_a_move_is_taken_back_whole_or_not_at_all(world, vera, done):
    row = there(ZOE, "Chess club")
    move = done(draft_transfer(m.rows(row), world.group("Board"), keep=False, actor=vera, selection=m.ids(row)))
    taken = back(move, vera)
    assert [(step.verb, step.group.name) for step in taken.operations.order_by("position")] == [
        (Verb.ADD, "Chess club"),
        (Verb.REMOVE, "Board"),
    ]
    Participant.objects.filter(label=ZOE, group__name="Board").update(is_muted=True)
    assert sorted(left_out(back(move, vera))) == [(ZOE, Reason.CHANGED_SINCE), (ZOE, Reason.MOVE_INCOMPLETE)]
    Participant.objects.filter(label=ZOE, group__name="Board").update(is_muted=False)
    done(taken)
    assert is_there(ZOE, "Chess club") and not is_there(ZOE, "Board")


def test_only_what_was_done_is_taken_back(world, vera):
    world.sandbox.mudbase.faults.add(Fault("status", method="DELETE", status=403))
    change = confirm(draft(vera, there(ZOE, "Trainers"), there(ADA, OFFICE)), vera)
    work_in_a_hurry()
    assert does(back(change, vera)) == [("add", ADA, {"is_present": True})]


def test_half_a_step_is_taken_back_with_the_rest(world, vera):
    world.sandbox.mudbase.faults.add(
        Fault("status", method="POST", path_contains="participants", status=403, body={"error": "forbidden"}, times=1)
    )
    row = there(ZOE, "Trainers")
    change = draft_alteration(m.rows(row), {"is_manager": True}, actor=vera, selection=m.ids(row))
    confirm(change, vera)
    work_in_a_hurry()
    assert not is_there(ZOE, "Trainers")
    assert does(back(change, vera)) == [("add", ZOE, {"is_present": True})]


def test_the_preview_says_in_words_what_cannot_come_back(world, vera, done):
    with world.sandbox.kaiten.state.changing():
        world.sandbox.kaiten.state.remove_by_hand(GROUP_UID, 5)
    world.read()
    change = done(draft(vera, there(ZOE, "Chess club"), there("Grace Hopper", OFFICE)))
    said = " ".join(note.text for note in change_pages.preview(back(change, vera), actor=vera).notes)
    assert "Verein Nord gives whoever comes back a new row: its old id does not come back." in said
    assert "In Verein Nord places and rights come back, but not these fields, nor secrets:" in said
    assert "Old messages, and what was read of them, are no part of this" in said
    assert "1 person managed without being a member, and comes back as both." in said
    assert "Office gives" not in said
    assert not any("Old messages" in note.text for note in change_pages.preview(change, actor=vera).notes)


def test_a_preview_of_it_that_is_too_old_is_made_anew_and_guards_hold(world, vera, done):
    removed = done(draft(vera, there(ZOE, "Chess club")))
    taken = back(removed, vera)
    changes.throw_away(taken, actor=vera)
    assert does(changes.recompile(taken, actor=vera)) == does(taken)
    Group.objects.filter(name="Chess club").update(is_protected=True)
    assert left_out(back(removed, vera)) == [(ZOE, Reason.GROUP_PROTECTED)]


def test_what_has_not_ended_or_did_nothing_is_refused(world, vera, viewer):
    change = draft(vera, there(ZOE, "Chess club"))
    with pytest.raises(ChangeRefused, match=Reason.NOT_FINISHED):
        back(change, vera)
    with pytest.raises(NotAllowed):
        back(change, viewer)
    confirm(change, vera)
    changes.cancel_rest(change, actor=vera)
    with pytest.raises(ChangeRefused, match=Reason.NOTHING_TO_TAKE_BACK):
        back(change, vera)
    assert entries(AuditAction.REQUEST_REFUSED).filter(change_id=change.pk).count() == 3
