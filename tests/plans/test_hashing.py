import copy

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from membership.models import Change, LeftOut, Operation, Participant
from membership.plans import hashing, standing
from membership.plans.compile import compile_removal
from membership.vocab import ChangeKind
from tests import mirrored as m

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
parts = st.fixed_dictionaries(
    {
        "position": st.integers(0, 10_000),
        "connection_id": st.integers(1, 1000),
        "provider": st.sampled_from(["inwendo", "mudbase", "kaiten"]),
        "group": st.none() | st.text(max_size=8),
        "verb": st.just("remove"),
        "subject": st.text(max_size=8),
        "wanted": json_values,
        "before": json_values,
        "calls": json_values,
        "salt": st.text("0123456789abcdef", min_size=4, max_size=4),
    }
)


@given(one=parts, other=parts)
def test_two_operations_have_one_digest_only_if_they_are_the_same(one, other):
    # JSON tells True from 1, Python does not.
    same = repr(sorted_deep(one)) == repr(sorted_deep(other))
    assert (hashing.digest_of(**one) == hashing.digest_of(**other)) == same


def sorted_deep(value):
    if isinstance(value, dict):
        return {"a dictionary": sorted((key, sorted_deep(each)) for key, each in value.items())}
    return [sorted_deep(each) for each in value] if isinstance(value, list) else value


@given(one=parts, key=st.sampled_from(["position", "connection_id", "group", "verb", "subject", "wanted", "salt"]))
def test_every_part_of_an_operation_changes_its_digest(one, key):
    other = copy.deepcopy(one)
    other[key] = ["something else"]
    assert hashing.digest_of(**one) != hashing.digest_of(**other)


digests = st.lists(st.text("0123456789abcdef", min_size=1, max_size=8), max_size=5)


@given(one=digests, left=digests, two=digests, right=digests)
def test_a_plans_hash_tells_order_number_and_what_is_left_out(one, left, two, right):
    same = (one, left) == (two, right)
    assert (hashing.plan_hash(one, left) == hashing.plan_hash(two, right)) == same


@pytest.fixture
def change(db):
    office, club = m.system(), m.system("Club", "mudbase")
    chess = m.group("Chess", office)
    m.crowd(3, chess)
    m.participant(m.account("Zoë", club), m.group("Chat", club))
    m.participant(m.account("Own", office, is_own=True), chess)
    made = Change.objects.create(kind=ChangeKind.REMOVAL, created_at=timezone.now())
    compile_removal(made, Participant.objects.all())
    return made


def test_the_stored_rows_give_the_plans_hash_again(change):
    assert standing.stored_hash(change) == change.plan_hash


def test_a_stored_operation_gives_its_digest_again(change):
    for operation in Operation.objects.filter(change=change):
        assert hashing.digest(operation) == operation.digest


@pytest.mark.parametrize(
    "altered",
    [
        {"calls": []},
        {"subject": "account:other"},
        {"wanted": {"is_present": True}},
        {"before": {}},
        {"salt": "00"},
        {"position": 900},
        {"verb": "add"},
    ],
    ids=lambda altered: next(iter(altered)),
)
def test_whatever_is_altered_in_a_stored_operation_shows(change, altered):
    Operation.objects.filter(pk=change.operations.first().pk).update(**altered)
    assert standing.stored_hash(change) != change.plan_hash


def test_an_operation_taken_out_or_a_left_out_one_forgotten_shows(change):
    whole = standing.stored_hash(change)
    LeftOut.objects.filter(change=change).delete()
    without_left_out = standing.stored_hash(change)
    Operation.objects.filter(change=change, position=0).delete()
    assert len({whole, without_left_out, standing.stored_hash(change)}) == 3


def test_an_erased_label_leaves_the_hash_true(change):
    Operation.objects.filter(change=change).update(subject_label="erased")
    LeftOut.objects.filter(change=change).update(subject_label="erased")
    assert standing.stored_hash(change) == change.plan_hash
