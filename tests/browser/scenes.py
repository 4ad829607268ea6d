"""A panel on which everything happens at once: every state has a row, and names are as hostile as they come."""

from datetime import timedelta

from django.contrib.auth import get_user_model
from django.utils import timezone

from membership.models import (
    Account,
    Change,
    Connection,
    Drift,
    Erasure,
    Group,
    GuardRule,
    Operation,
    Participant,
    Person,
    Reading,
    Roster,
    RosterColumns,
)
from membership.services import approval, changes, drafts, endings, guarding, link_proposals, pending, people, removal
from membership.services.rosters import uploading, work
from membership.vocab import ChangeKind, ChangeState, Guard, GuardLevel, OperationState

HOSTILE = '<b>Eve</b> \u202egnp.exe\u200b & "co" שלום'
LONG = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft " * 2


def everything(world, actor):
    """Returns the changes of which pages are shown: `{name: change}`."""
    world.read()
    now = timezone.now()
    person = world.link(HOSTILE, *Account.objects.filter(label__in=["Ada Lovelace", "Łukasz Żak"]))
    people.protect_person(Person.objects.create(name="Grace Hopper"), "board member", actor=actor)
    board = world.group("Board")
    people.protect_group(board, "the board changes by vote", actor=actor)
    Group.objects.filter(name="Группа 2").update(grants=1 | 1024, incomplete_reason="maybe_capped")
    Participant.objects.filter(label="José Ñandú").update(label=HOSTILE, account=None)
    Group.objects.filter(name="Trainers").update(name=LONG)
    Drift.objects.create(
        connection=world.kaiten, group=board, kind="altered", label=HOSTILE, noticed_at=now,
        before={"is_muted": False}, after={"is_muted": True},
    )  # fmt: skip
    Drift.objects.create(connection=world.kaiten, group=board, kind="left", label="Grace Hopper", noticed_at=now)
    Reading.objects.create(
        connection=world.kaiten, kind="group", group=board, state="incomplete", reason="maybe_capped", asked_at=now,
        asked_by=actor, started_at=now, ended_at=now, rows_seen=100,
    )  # fmt: skip
    Connection.objects.filter(pk=world.kaiten.pk).update(
        state="paused", state_reason="tariff", state_params={"said": "free plan"}, state_since=now
    )
    Connection.objects.filter(pk=world.mudbase.pk).update(
        slowed_until=now + timedelta(seconds=90), slowed_reason="throttled", slowed_params={}
    )
    Drift.objects.update(remote_actor=f"admin {HOSTILE}", remote_at=now)
    Account.objects.filter(label="Zoë Müller").update(person=None)
    Erasure.objects.create(person_id=person.pk, label=HOSTILE, note=LONG, asked_by_id=actor.pk + 1, asked_at=now)
    link_proposals.propose()
    present = Participant.objects.filter(is_present=True)
    shown = {
        "preview": removal.draft_removal(present, actor=actor, selection={"kind": "query", "query": "", "count": 11})
    }
    shown["reading"] = removal.draft_removal_everywhere(person=person, actor=actor)
    shown["paused"] = _paused(actor)
    shown["running"] = _running(present, actor, now)
    stale = removal.draft_removal(present, actor=actor, selection={"kind": "query", "query": "", "count": 11})
    Change.objects.filter(pk=stale.pk).update(state=ChangeState.STALE, finished_at=now)
    shown["stale"] = stale
    return {**shown, **_guarded(world, present, actor)}


def _guarded(world, present, actor):
    """Previews that a guard stops in each of its ways, with everything that a page may say of that."""
    asks = {"guard": Guard.MANY_PEOPLE, "count": 0}
    rule = GuardRule.objects.create(level=GuardLevel.FORBID, **asks)
    selection = {"kind": "query", "query": "", "count": 11}
    found = {"forbidden": removal.draft_removal(present, actor=actor, selection=selection)}
    overridden = removal.draft_removal(present, actor=actor, selection=selection)
    given = {"expected_hash": overridden.plan_hash, "reason": f"closed {HOSTILE}"}
    guarding.override_guards(overridden, actor=actor, **given)
    found["overridden"] = overridden
    GuardRule.objects.filter(pk=rule.pk).update(level=GuardLevel.APPROVAL)
    other = get_user_model().objects.create_user("other", is_superuser=True)
    for name in ("rejected", "waiting"):
        change = removal.draft_removal(present, actor=other, selection=selection)
        given = {"expected_hash": change.plan_hash, "reason": f"Season ended {HOSTILE}", "ticket": "812"}
        found[name] = changes.confirm_change(change, actor=other, **given)
        if name == "rejected":
            approval.reject_change(change, actor=actor, expected_hash=change.plan_hash, comment=f"no {HOSTILE}")
    rule.delete()
    waits = drafts.new_draft(ChangeKind.REMOVAL, {"kind": "ids", "ids": []}, actor=actor)
    row = pending.put(waits, [])
    type(row).objects.update(total=25_000, done=11_000, touched_at=timezone.now(), touched_by="x")
    return {**found, "compiling": waits}


def _paused(actor):
    """In stages; the first one was read back and differs. Its group's other people have an end date."""
    rows = Participant.objects.filter(group__name="Chess club", is_present=True, is_manager=False)
    change = removal.draft_removal(rows, actor=actor, selection={"kind": "query", "query": "", "count": 2})
    changes.confirm_change(change, actor=actor, reason="In stages", expected_hash=change.plan_hash, stage_sizes=(1,))
    step = Operation.objects.filter(change=change).earliest("position")
    Operation.objects.filter(pk=step.pk).update(state=OperationState.CONFIRMED, settled_at=timezone.now())
    change.stages.filter(number=1).update(
        state="differs", differing=[step.pk], differences=1, failures=1, unread=1, judged_at=timezone.now()
    )
    Change.objects.filter(pk=change.pk).update(
        state=ChangeState.PAUSED, pause_reason="stage_differs", pause_params={"stage": 1, "count": 1}
    )
    endings.set_end(
        Participant.objects.filter(is_present=True, account__person__isnull=False).earliest("pk"),
        timezone.localdate(), actor=actor,
    )  # fmt: skip
    return change


def lists(world, actor):
    """Lists from files in every state that asks or tells something: `{state: list}`."""
    group, found = world.group("Группа 2"), {}
    content = f"Name;E-Mail\r\n{HOSTILE};\r\nИван Петров;\r\n;grace@example.org\r\n;nobody@example.org\r\n".encode()
    for state in ("columns", "asking", "failed", "done"):
        row = uploading.upload(
            group, "exactly", f"{HOSTILE}.csv", [b"%PDF" if state == "failed" else content], actor=actor
        )
        work.work_on_lists()
        if state in ("asking", "done"):
            uploading.choose_columns(row, {"name": 0, "email": 1}, actor=actor)
            RosterColumns.objects.all().delete()
            work.work_on_lists()
        if state == "done":
            uploading.confirm_rows(row, (), actor=actor)
            work.work_on_lists()
        found[state] = Roster.objects.get(pk=row.pk, state=state)
    found["working"] = uploading.upload(group, "add", "new.csv", [content], actor=actor)
    return found


def _running(present, actor, now):
    change = removal.draft_removal(present, actor=actor, selection={"kind": "query", "query": "", "count": 11})
    changes.confirm_change(
        change, actor=actor, reason=f"Season ended {HOSTILE}", ticket="812", expected_hash=change.plan_hash
    )
    states = [
        (OperationState.CONFIRMED, {"settled_at": now}),
        (
            OperationState.REFUSED,
            {
                "settled_at": now,
                "outcome": "remote_said_no",
                "outcome_params": {"status": 400, "said": "no", "half_done": True},
            },
        ),
        (OperationState.IN_DOUBT, {"outcome": "answer_lost", "not_before": now + timedelta(seconds=21)}),
        (OperationState.FOREIGN, {"found": {"is_present": True, "is_manager": True, "is_member": True, "fits": True}}),
        (OperationState.NOT_NEEDED, {"settled_at": now}),
        (OperationState.QUEUED, {}),
    ]
    for step, (state, fields) in zip(
        Operation.objects.filter(change=change).order_by("position"), states, strict=False
    ):
        Operation.objects.filter(pk=step.pk).update(state=state, **fields)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.RUNNING)
    return change
