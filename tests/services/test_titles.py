import pytest

from membership.models import Change
from membership.plans.wishes import RIGHTS
from membership.services import step_sentences, titles
from membership.vocab import ChangeKind, Verb

pytestmark = pytest.mark.pure

OVERRIDE = "\u202e"


def change(kind, count=2, **about):
    return Change(kind=kind, people_count=3, groups_count=2, operations_count=count, compiled_at="now", selection=about)


@pytest.mark.parametrize("kind", list(ChangeKind))
def test_every_kind_of_change_has_a_title_with_and_without_steps(kind):
    for count in (0, 2):
        said = titles.title(change(kind, count))
        assert said and "%(" not in said


def test_every_verb_and_every_value_of_a_right_has_a_sentence():
    assert set(step_sentences._SENTENCES) == set(Verb)
    every = {(name, value) for name in RIGHTS for value in (True, False)}
    assert set(step_sentences._RIGHT) == set(step_sentences.RIGHT_WORDS) == set(titles._RIGHT_TITLES) == every


@pytest.mark.parametrize("kind", [kind for kind in ChangeKind if kind != ChangeKind.RETRY])
def test_another_try_of_each_kind_says_so(kind):
    assert titles.title(change(ChangeKind.RETRY, what={"kind": kind.value})).startswith("Try again: ")


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        (ChangeKind.ADDITION, "group"),
        (ChangeKind.ALTERATION, "group"),
        (ChangeKind.MOVE, "target"),
        (ChangeKind.BUNDLE, "bundle"),
        (ChangeKind.SAME_GROUPS, "label"),
        (ChangeKind.MATRIX, "label"),
        (ChangeKind.GROUP, "system"),
        (ChangeKind.WAY_BACK, "label"),
        (ChangeKind.ROSTER, "label"),
        (ChangeKind.LEAVER, "label"),
    ],
)
def test_a_name_cannot_turn_a_title_around(kind, key):
    said = titles.title(change(kind, **{key: f"a{OVERRIDE}b %(count)s %d"}))
    assert OVERRIDE not in said and "a‹U+202E›b %(count)s %d" in said


def test_the_titles_of_what_is_done_to_many():
    assert titles.title(change(ChangeKind.REVERT)) == "Undo what was changed outside: 3 people in 2 groups"
    assert titles.title(change(ChangeKind.BUNDLE, bundle="Trainers")) == "Give the bundle “Trainers” to 3 people"
    assert titles.title(change(ChangeKind.COPY, target="Chess")) == "Copy 3 people to Chess"
