import pytest

from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, AuditPersonal, Change, LeftOut, Operation, Participant
from membership.services import titles
from membership.services.alteration import draft_alteration, draft_edit, shown_state
from membership.services.change_pages import left_outs, preview
from membership.services.changes import draft_retry, recompile, throw_away
from membership.services.step_words import left_out_sentence, step_text, today_there
from membership.vocab import ChangeKind, ChangeState, OperationState
from tests import mirrored as m
from tests.services.asking import assert_refused, confirm

pytestmark = pytest.mark.django_db


@pytest.fixture
def nord():
    return m.system("Nord", "inwendo", options={**m.OPTIONS["inwendo"], "put_body": "newer"})


@pytest.fixture
def room(nord):
    return m.group("Room", nord)


@pytest.fixture
def ada(nord, room):
    return m.participant(m.account("Ada", nord), room, can_write=True, is_muted=False)


@pytest.fixture
def chess(office):
    return m.group("Chess", office)


def alter(actor, wanted, *rows):
    return draft_alteration(m.rows(*rows), wanted, actor=actor, selection=m.ids(*rows))


def edit(actor, row, **values):
    return draft_edit(row, values, shown=shown_state(Participant.objects.get(pk=row.pk)), actor=actor)


@pytest.mark.parametrize(
    ("wanted", "title", "step"),
    [
        ({"is_manager": True}, "Make 1 person a manager of Room", "Ada becomes manager of Room in Nord"),
        ({"is_muted": True}, "Mute 1 person in Room", "Ada is muted in Room in Nord"),
        ({"can_write": False}, "Forbid 1 person to write in Room", "Ada may no longer write in Room in Nord"),
        (
            {"is_manager": True, "is_muted": True},
            "Change the rights of 1 person in Room",
            "Ada in Room of Nord: manager, muted",
        ),
    ],
)
def test_a_right_is_given_or_taken_and_called_so(vera, ada, wanted, title, step):
    change = alter(vera, wanted, ada)
    assert (change.kind, titles.title(change)) == (ChangeKind.ALTERATION, title)
    assert step_text(change.operations.get()) == step


@pytest.mark.parametrize(
    ("now", "wanted", "title", "step"),
    [
        ({"is_muted": True}, {"is_muted": False}, "Unmute 1 person in Room", "Ada is no longer muted in Room in Nord"),
        ({"can_write": False}, {"can_write": True}, "Let 1 person write in Room", "Ada may write in Room in Nord"),
        (
            {"is_manager": True},
            {"is_manager": False},
            "Make 1 manager an ordinary member of Room",
            "Ada is no longer manager of Room in Nord",
        ),
    ],
)
def test_the_way_back_of_each_right_is_called_so(vera, room, nord, ada, now, wanted, title, step):
    m.participant(m.account("Boss", nord), room, is_manager=True)
    Participant.objects.filter(pk=ada.pk).update(**now)
    change = alter(vera, wanted, ada)
    assert titles.title(change) == title
    assert step_text(change.operations.get()) == step


def test_many_in_several_groups_are_counted(vera, office, chess):
    other = m.group("Other", office)
    rows = [m.participant(m.account(f"N{n}", office), group) for n, group in enumerate((chess, chess, other))]
    assert titles.title(alter(vera, {"is_manager": True}, *rows)) == "Make 3 people managers of 2 groups"


def test_a_preview_says_what_is_so_today(vera, ada):
    Participant.objects.filter(pk=ada.pk).update(is_manager=True, can_write=False, is_muted=True)
    step = alter(vera, {"can_write": True}, ada).operations.get()
    assert today_there(step) == "manager, member, may not write, muted"


def test_a_promotion_in_a_group_that_administers_is_said_in_red(vera, office):
    admins = m.group("Admins", office, grants=1024)
    change = alter(vera, {"is_manager": True}, m.participant(m.account("Ada", office), admins))
    (warning,) = preview(change, actor=vera).warnings
    assert (warning.tone, warning.items) == ("bad", ["invites users"])


def test_a_mute_where_the_remote_cannot_is_left_out_by_name(vera, office, chess):
    change = alter(vera, {"is_muted": True}, m.participant(m.account("Ada", office), chess))
    assert [left_out_sentence(row) for row in left_outs(change)] == ["Kaiten cannot mute anybody."]
    assert titles.title(change) == "Nothing to change"


def test_something_that_is_no_right_is_refused(vera, ada):
    assert_refused(Reason.BAD_VALUE, alter, vera, {"is_present": False}, ada, error=BadValue)
    assert_refused(Reason.NOTHING_SELECTED, alter, vera, {}, ada)


def test_a_row_out_of_sight_is_refused(ada, office):
    assert_refused(
        Reason.NOT_VISIBLE, alter, m.user("limited", systems=[office]), {"is_muted": True}, ada, error=NotAllowed
    )


def test_a_right_that_changed_meanwhile_makes_the_preview_stale(vera, ada):
    change = alter(vera, {"is_muted": True}, ada)
    Participant.objects.filter(pk=ada.pk).update(can_write=False)
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)


def test_an_alteration_is_planned_anew_with_what_was_left_out(vera, nord, room, ada):
    boss = m.participant(m.account("Boss", nord), room, is_manager=True)
    change = alter(vera, {"is_manager": False}, boss)
    assert change.operations_count == 0
    throw_away(change, actor=vera)
    Participant.objects.filter(pk=ada.pk).update(is_manager=True)
    assert [step.subject_label for step in recompile(change, actor=vera).operations.all()] == ["Boss"]


def test_a_refused_alteration_is_tried_again(vera, ada):
    change = confirm(alter(vera, {"is_muted": True}, ada), vera)
    change.operations.update(state=OperationState.REFUSED)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE_WITH_FAILURES)
    again = draft_retry(change, actor=vera)
    assert (titles.title(again), again.operations.get().wanted) == (
        "Try again: Mute 1 person in Room",
        {"is_muted": True},
    )


# one participant


PROMPT = "The word is aardvark"


def test_one_participant_is_edited_in_one_step(vera, ada):
    Participant.objects.filter(pk=ada.pk).update(attributes={"nickname": "A.", "auto_reply": False})
    change = edit(vera, ada, nickname="Ada", preferred_color_hex="#1a2b3c", auto_reply=True, is_muted=True)
    step = change.operations.get()
    assert step.wanted == {
        "nickname": "Ada",
        "preferred_color_hex": "#1a2b3c",
        "auto_reply": True,
        "is_muted": True,
    }
    assert titles.title(change) == "Edit Ada in Room"
    assert "muted" in step_text(step) and "Nickname: “Ada”" in step_text(step)
    assert "Nickname: “A.”" in today_there(step)


def test_a_secret_is_in_no_plan_no_page_and_no_log(vera, ada):
    change = edit(vera, ada, ai_prompt=PROMPT)
    confirm(change, vera)
    step = Operation.objects.get(change=change)
    assert step.secrets == {"ai_prompt": PROMPT}
    said = [step_text(step), today_there(step), titles.title(change), str(change.selection)]
    stored = [str(Operation.objects.filter(pk=step.pk).values("wanted", "before", "calls", "subject_label").get())]
    logged = [entry.sealed for entry in AuditEntry.objects.all()] + [row.data for row in AuditPersonal.objects.all()]
    assert not any("aardvark" in str(text) for text in [*said, *stored, *logged])
    assert "is set anew" in step_text(step)


def test_a_secret_of_a_preview_is_planned_anew_with_it(vera, ada):
    change = edit(vera, ada, ai_prompt=PROMPT)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.STALE)
    assert recompile(change, actor=vera).operations.get().secrets == {"ai_prompt": PROMPT}


def test_a_secret_that_is_no_longer_stored_has_to_be_entered_again(vera, ada):
    change = edit(vera, ada, ai_prompt=PROMPT)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.STALE)
    Operation.objects.filter(change=change).update(secrets={})
    recompile(change, actor=vera)
    assert LeftOut.objects.latest("pk").reason == Reason.VALUE_NOT_KEPT


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"nickname": "x" * 600}, "it is longer than 255 characters"),
        ({"preferred_color_hex": "red"}, "it is not of the form #1a2b3c"),
        ({"ai_number_of_context_messages": "many"}, "it is not a whole number"),
        ({"ai_number_of_context_messages": "-1"}, "it is not a whole number"),
        ({"ai_number_of_context_messages": "²"}, "it is not a whole number"),
        ({"ai_number_of_context_messages": "9" * 30}, "it is not a whole number"),
        ({"auto_reply": "perhaps"}, "it is neither yes nor no"),
        ({"nickname": "a\x00b"}, "it holds control characters"),
        ({"shoe_size": "43"}, "inwendo has no such field"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_one_sentence(vera, ada, values, why):
    with pytest.raises(BadValue) as refused:
        edit(vera, ada, **values)
    assert refused.value.params["why"] == why
    assert not Change.objects.exists()


def test_a_number_that_was_typed_is_a_number(vera, ada):
    assert edit(vera, ada, ai_number_of_context_messages=" 12 ").operations.get().wanted == {
        "ai_number_of_context_messages": 12
    }


def test_two_operators_who_edit_the_same_person_are_told(vera, ada):
    shown = shown_state(Participant.objects.get(pk=ada.pk))
    Participant.objects.filter(pk=ada.pk).update(is_muted=True)
    assert_refused(Reason.EDITED_MEANWHILE, draft_edit, ada, {"can_write": False}, shown=shown, actor=vera)


def test_that_somebody_read_a_message_meanwhile_is_no_conflict(vera, ada):
    shown = shown_state(Participant.objects.get(pk=ada.pk))
    Participant.objects.filter(pk=ada.pk).update(last_read_at="2026-11-23T10:00Z", content_hash="other")
    assert draft_edit(ada, {"is_muted": True}, shown=shown, actor=vera).operations_count == 1


def test_the_second_of_two_edits_that_were_previewed_at_once_is_named_as_already_asked(vera, ada):
    first, second = edit(vera, ada, is_muted=True), edit(m.user("tom"), ada, can_write=False)
    confirm(first, vera)
    with pytest.raises(ChangeRefused) as refused:
        confirm(second, vera)
    assert refused.value.reason == Reason.PLAN_STALE
    second.refresh_from_db()
    again = recompile(second, actor=vera)
    assert [left_out_sentence(row) for row in left_outs(again)] == [f"Already asked for in change {first.pk}."]


def test_a_field_that_changed_meanwhile_makes_the_preview_stale(vera, ada):
    change = edit(vera, ada, nickname="Ada")
    Participant.objects.filter(pk=ada.pk).update(attributes={"nickname": "Countess"})
    assert_refused(Reason.PLAN_STALE, confirm, change, vera)


def test_nothing_edited_is_refused(vera, ada):
    assert_refused(Reason.NOTHING_SELECTED, edit, vera, ada)
