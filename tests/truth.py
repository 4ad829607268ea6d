"""What has to be true once a worker is idle, whatever happened on the way. The sandbox decides what was done."""

from collections import Counter

from membership.audit import verify
from membership.models import AuditEntry, Drift, Group, Operation, Participant
from membership.sandbox.faults import KINDS
from membership.vocab import AuditAction, OperationState

FINAL_ENTRIES = (
    AuditAction.OPERATION_CONFIRMED,
    AuditAction.OPERATION_REFUSED,
    AuditAction.OPERATION_NOT_NEEDED,
    AuditAction.OPERATION_SUPERSEDED,
    AuditAction.OPERATION_OVERTAKEN,
)


def mirrored():
    """`{group: {(row id, is a member, is a manager)}}` as the mirror has it."""
    groups = {group.name: set() for group in Group.objects.filter(is_present=True)}
    rows = Participant.objects.filter(is_present=True, group__is_present=True).select_related("group")
    for row in rows:
        groups[row.group.name].add((row.remote_id, row.is_member, row.is_manager))
    return groups


def remote(sandbox):
    """The same as the remotes have it."""
    inwendo, mudbase, kaiten = (server.state for server in sandbox.servers)
    groups = {
        room.name: {(str(row.id), True, bool(row.room_admin)) for row in inwendo.live(room.id)}
        for room in inwendo.rooms
    }
    for chat in mudbase.chats:
        groups[chat.name] = {(user, True, role == "admin") for user, role in mudbase.roles(chat.id).items()}
    for group in kaiten.groups:
        users, admins = set(kaiten.members(group.uid)), set(kaiten.admins(group.uid))
        groups[group.name] = {(str(user), user in users, user in admins) for user in users | admins}
    return groups


def drift():
    return [f"{row.kind} {row.label} in {row.group}: {row.before} {row.after}" for row in Drift.objects.all()]


def took_effect(server):
    """The writes that were not answered or dropped by a fault in place of their effect, nor refused for their token."""
    sent = [entry for entry in server.journal.writes() if not entry.fault or KINDS[entry.fault].effect]
    return [entry for entry in sent if entry.status != 401]


def check_log(operations):
    """No gap; an intent for each time that one was sent; one final entry for each that was sent and is final."""
    assert verify.verify().is_whole
    for step in operations:
        said = Counter(AuditEntry.objects.filter(operation_id=step.pk).values_list("action", flat=True))
        is_final = step.state in OperationState.final() - {OperationState.CANCELLED}
        assert sum(said[action] for action in FINAL_ENTRIES) == is_final, (step, said)
        assert said[AuditAction.OPERATION_INTENDED] == step.attempts, (step, said)


def check_mirror(world):
    """The mirror is as the remotes are, a reading finds nothing new, and nothing that we did is taken for drift."""
    assert drift() == []
    world.read()
    assert mirrored() == remote(world.sandbox)
    assert drift() == []


def open_steps():
    return list(Operation.objects.filter(state__in=OperationState.open()))
