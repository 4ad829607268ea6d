"""Plans that the worker compiles: too large to wait for, or waiting for a reading."""

import time

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from membership.errors import Reason
from membership.models import AuditEntry, Change, Group, Operation, PendingPlan, Reading
from membership.plans import packing, standing
from membership.plans.wishes import Add, Barred, CreateGroup, DeleteGroup, Refusal, Remove, RenameGroup, Update
from membership.services import changes, drafts, guarding, pending
from membership.services.change_pages import preview
from membership.services.drafts import compile_ready
from membership.services.rereading import read_and_recompile
from membership.vocab import AuditAction, ChangeState, Guard, OperationState
from tests import mirrored as m
from tests.services.asking import confirm, draft

texts = st.text(max_size=9)
ids = st.integers(1, 10**9)
together = st.none() | ids
wishes = st.lists(
    st.builds(Add, ids, ids, st.dictionaries(texts, st.booleans(), max_size=2), together)
    | st.builds(Update, ids, st.dictionaries(texts, texts), st.dictionaries(texts, texts, max_size=1))
    | st.builds(Remove, ids, together)
    | st.builds(CreateGroup, ids, texts, st.lists(ids, max_size=3))
    | st.builds(RenameGroup, ids, texts)
    | st.builds(DeleteGroup, ids)
    | st.builds(
        Barred,
        texts,
        ids,
        st.builds(Refusal, st.sampled_from(Reason), st.dictionaries(texts, texts, max_size=2)),
        together,
    ),
    max_size=6,
)


@pytest.mark.pure
@given(wishes)
def test_wishes_survive_being_packed_and_no_secret_stands_among_them(given_wishes):
    packed, secrets = packing.pack(given_wishes)
    assert packing.unpack(packed, secrets) == given_wishes
    assert all("secrets" not in fields for _kind, fields in packed)


@pytest.fixture
def worker_compiles(settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "COMPILE_IN_WORKER_ABOVE": 3}


@pytest.fixture
def rows(fresh_db):
    office = m.system("Office")
    groups = [m.group(name, office) for name in ("One", "Two")]
    return [m.participant(m.account(f"N{n}", office), groups[n % 2]) for n in range(8)]


def work_off():
    while compile_ready():
        time.sleep(0.01)


def test_a_large_plan_is_compiled_by_the_worker_and_is_the_same_plan(rows, worker_compiles, settings):
    vera = m.user("vera")
    later = draft(vera, *rows)
    assert (later.compiled_at, later.operations_count) == (None, 0)
    page = preview(later, actor=vera)
    assert (page.is_reading, page.may_confirm, page.pending.total) == (True, False, 8)
    work_off()
    later.refresh_from_db()
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "COMPILE_IN_WORKER_ABOVE": 100}
    at_once = draft(vera, *rows)
    columns = ("position", "subject", "calls", "before", "wanted", "group_id")
    plans = [list(change.operations.values_list(*columns)) for change in (later, at_once)]
    assert plans[0] == plans[1]
    assert later.plan_hash == standing.stored_hash(later)
    drafted = AuditEntry.objects.filter(action=AuditAction.CHANGE_DRAFTED).order_by("pk")
    assert list(drafted.values_list("change_id", flat=True)) == [later.pk, at_once.pk]
    assert not PendingPlan.objects.exists()
    assert confirm(later, vera).state == ChangeState.QUEUED


def test_how_far_it_is_grows_while_it_is_compiled(rows, worker_compiles, monkeypatch):
    monkeypatch.setattr("membership.plans.compile.STORED_AT_ONCE", 2)
    change = draft(m.user("vera"), *rows)
    seen = []
    real = pending._touch
    monkeypatch.setattr(pending, "_touch", lambda row, token, done: (seen.append(done), real(row, token, done)))
    work_off()
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 8
    assert Change.objects.get(pk=change.pk).operations_count == 8


def test_a_preview_thrown_away_while_it_is_compiled_stays_away(rows, worker_compiles, monkeypatch):
    monkeypatch.setattr("membership.plans.compile.STORED_AT_ONCE", 2)
    vera = m.user("vera")
    change = draft(vera, *rows)
    real = pending._touch

    def throw_away_then(row, token, done):
        if done >= 6:
            changes.throw_away(change, actor=vera)
        real(row, token, done)

    monkeypatch.setattr(pending, "_touch", throw_away_then)
    work_off()
    change.refresh_from_db()
    assert (change.state, change.compiled_at) == (ChangeState.CANCELLED, None)
    assert set(change.operations.values_list("state", flat=True)) <= {OperationState.CANCELLED}


def test_what_a_dead_worker_left_is_compiled_anew_and_whole(rows, worker_compiles, monkeypatch):
    monkeypatch.setattr("membership.plans.compile.STORED_AT_ONCE", 2)
    change = draft(m.user("vera"), *rows)

    def dies(row, token, done):
        if done > 5:
            raise SystemExit
        real(row, token, done)

    real = pending._touch
    monkeypatch.setattr(pending, "_touch", dies)
    with pytest.raises(SystemExit):
        pending.compile_one(drafts._finish_pending)
    assert 0 < Operation.objects.filter(change=change).count() < 8
    monkeypatch.setattr(pending, "_touch", real)
    assert not pending.waits().exists()  # it may still be at it
    PendingPlan.objects.update(touched_at=timezone.now() - pending.TAKEN_OVER_AFTER * 2)
    work_off()
    change.refresh_from_db()
    assert change.operations_count == Operation.objects.filter(change=change).count() == 8
    assert change.plan_hash == standing.stored_hash(change)


def test_two_workers_compile_it_once(rows, worker_compiles):
    change = draft(m.user("vera"), *rows)
    row = pending.waits().get()
    assert bool(pending._claim(row)) and not pending._claim(row)
    assert Change.objects.get(pk=change.pk).compiled_at is None


# a reading first


def test_groups_that_were_not_read_of_late_are_read_and_the_preview_comes_back(world):
    world.read()
    vera = m.user("vera")
    row = world.row("Ada Lovelace", "Группа 2")
    Group.objects.filter(pk=row.group_id).update(read_at=None)
    old = draft(vera, row)
    assert guarding.is_forbidden(old)
    new = read_and_recompile(old, actor=vera)
    assert Change.objects.get(pk=old.pk).state == ChangeState.STALE
    assert preview(new, actor=vera).is_reading
    world.work(compile_ready)
    new.refresh_from_db()
    assert Reading.objects.get(change=new).state == "complete"
    assert not guarding.is_forbidden(new)
    assert [row.guard for row in guarding.findings(new) if row.guard == Guard.OLD_READING] == []
    assert confirm(new, vera).state == ChangeState.QUEUED
