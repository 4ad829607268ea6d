"""A panel on which everything happens at once: every state has a row, and names are as hostile as they come."""

from datetime import timedelta

from django.utils import timezone

from membership.models import (
    Account,
    Change,
    Connection,
    Drift,
    Group,
    Operation,
    Participant,
    Person,
    Reading,
    Roster,
    RosterColumns,
)
from membership.services import changes, link_proposals, people, removal
from membership.services.rosters import uploading, work
from membership.vocab import ChangeState, OperationState

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
    link_proposals.propose()
    present = Participant.objects.filter(is_present=True)
    shown = {
        "preview": removal.draft_removal(present, actor=actor, selection={"kind": "query", "query": "", "count": 11})
    }
    shown["reading"] = removal.draft_removal_everywhere(person=person, actor=actor)
    shown["running"] = _running(present, actor, now)
    stale = removal.draft_removal(present, actor=actor, selection={"kind": "query", "query": "", "count": 11})
    Change.objects.filter(pk=stale.pk).update(state=ChangeState.STALE, finished_at=now)
    shown["stale"] = stale
    return shown


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
