"""Operations of every verb, written as plans write them, without the guards and the pages around."""

from django.db import transaction
from django.utils import timezone

from membership.audit import record
from membership.models import Change, Operation
from membership.operations.verbs import RIGHTS
from membership.plans import hashing, standing
from membership.plans.drafting import drafter
from membership.providers.base import AccountRef, GroupRef, ParticipantRef, Wanted
from membership.vocab import AuditAction, Chain, ChangeKind, ChangeState, Verb


def confirmed(*steps):
    """A confirmed change of these steps, in this order."""
    now = timezone.now()
    change = Change.objects.create(
        kind=ChangeKind.ALTERATION, state=ChangeState.QUEUED, created_at=now, confirmed_at=now
    )
    Operation.objects.bulk_create(
        Operation(change=change, position=n, salt="s", **step) for n, step in enumerate(steps)
    )
    return asked_for(change)


def asked_for(change):
    """Digests, the plan's hash and the entry of the log by which the worker knows that it may be sent."""
    for operation in change.operations.select_related("connection", "group"):
        Operation.objects.filter(pk=operation.pk).update(digest=hashing.digest(operation))
    change.plan_hash = standing.stored_hash(change)
    change.save()
    with transaction.atomic():
        log_asked(change)
    return change


def log_asked(change):
    """The entry of the log by which the worker knows that the plan was asked for. Inside a transaction."""
    entry = record.Entry(AuditAction.CHANGE_REQUESTED, change_id=change.pk, data={"plan_hash": change.plan_hash})
    record.write(Chain.PANEL, [entry])


def addition(group, account, **rights):
    wanted = Wanted(name=account.label, **rights)
    calls = drafter(group.connection).add(_of(group), AccountRef(account.remote_id), wanted)
    wanted, before = {"is_present": True, **rights}, {"is_present": False, "row": None}
    return _step(Verb.ADD, calls, group=group, account=account, wanted=wanted, before=before)


def alteration(row, **rights):
    calls = drafter(row.group.connection).update(_place(row), Wanted(**rights))
    return _step(Verb.UPDATE, calls, group=row.group, account=row.account, participant=row, wanted=rights)


def removal(row):
    calls = drafter(row.group.connection).remove(_place(row))
    wanted = {"is_present": False}
    return _step(Verb.REMOVE, calls, group=row.group, account=row.account, participant=row, wanted=wanted)


def creation(connection, name):
    wanted = {"name": name, "members": []}
    calls = drafter(connection).create_group(name)
    return _step(Verb.CREATE_GROUP, calls, connection=connection, subject=f"group:{name}", wanted=wanted)


def renaming(group, name):
    calls = drafter(group.connection).rename_group(_of(group), name)
    return _step(Verb.RENAME_GROUP, calls, group=group, before={"name": group.name}, wanted={"name": name})


def deletion(group):
    calls = drafter(group.connection).delete_group(_of(group))
    before, wanted = {"is_present": True, "name": group.name}, {"is_present": False}
    return _step(Verb.DELETE_GROUP, calls, group=group, before=before, wanted=wanted)


def _of(group):
    return GroupRef(group.remote_id, group.remote_number)


def _place(row):
    account_id = row.account.remote_id if row.account else None
    return ParticipantRef(_of(row.group), row.remote_id, account_id, row.is_member, row.is_manager)


def _step(verb, calls, **columns):
    row, account, group = (columns.get(name) for name in ("participant", "account", "group"))
    if row is not None:
        rights = {name: getattr(row, name) for name in RIGHTS}
        columns["before"] = {"is_present": True, "row": row.remote_id, **rights}
    whose = account or row
    return {
        "connection": group.connection if group else None,
        "subject": f"account:{account.remote_id}" if account else f"row:{row.remote_id}" if row else "group",
        "subject_label": whose.label if whose else "",
        "before": {},
        **columns,
        "verb": verb,
        "calls": [call.to_json() for call in calls],
    }
