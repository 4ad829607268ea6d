"""A change with every kind of step in all three systems, trouble on the way, and what has to be true in the end.

The trouble: an answer that is lost, a request that is dropped, tokens that run out while writing and while reading,
a system that is not signed in, a second change that is being cancelled, a reading that is due.
"""

from collections import Counter

from django.db import connection as database
from django.utils import timezone

from membership.models import AuditEntry, Change, Connection, Operation, Participant, Reading
from membership.sandbox.faults import Fault
from membership.vocab import AuditAction, ChangeState, OperationState, ReadingState
from tests import steps, truth
from tests.world import GROUP_UID, MUDBASE_PROJECT

OLD_UID, DOOMED_UID = (f"9f0c000{n}-0000-4000-8000-00000000000{n}" for n in (3, 4))
CHATS = f"/api/chat/projects/{MUDBASE_PROJECT}/chats/chat_2/participants"
ROWS = "/api/chat/chatroom_participant"
GROUPS = "/api/latest/groups"
COMPANY_GROUPS = "/api/latest/company/groups"


class Scene:
    settle_s = 0.1

    def __init__(self, world):
        self.world = world
        self.sandbox = world.sandbox
        self._seed()
        world.read()
        Connection.objects.update(settle_s=self.settle_s, sign_ins=[], next_reading_at=None)
        Connection.objects.filter(pk=world.inwendo.pk).update(session={})
        Participant.objects.filter(remote_id="80").update(account=None)  # for a reading to link again
        self.change = steps.confirmed(*self._steps())
        left = (("Grace Hopper", "Группа 2"), ("Mia Ek", "Trainers"))
        self.withdrawn = steps.confirmed(*(steps.removal(world.row(*where)) for where in left))
        Change.objects.filter(pk=self.withdrawn.pk).update(cancel_wanted_at=timezone.now())
        self._add_trouble()
        database.close()

    def _seed(self):
        mudbase, kaiten = self.sandbox.mudbase.state, self.sandbox.kaiten.state
        mudbase.add_user("José", "Ñandú", project=MUDBASE_PROJECT, id="usr_jose", email="jose@example.org")
        mudbase.add_user("Mia", "Ek", project=MUDBASE_PROJECT, id="usr_mia", email="mia@example.org")
        mudbase.add_participant("chat_2", "usr_mia")
        kaiten.add_user("Mia Ek", email="mia@example.org", id=6)
        kaiten.add_group("Old", uid=OLD_UID, id=3)
        kaiten.add_group("Doomed", uid=DOOMED_UID, id=4)

    def _add_trouble(self):
        self.sandbox.kaiten.faults.add(Fault("lost_answer", method="DELETE", times=1))
        self.sandbox.inwendo.faults.add(Fault("drop_before", method="POST", path_contains=ROWS, times=1))
        no_token = {"status": 401, "body": {"error": "Invalid or expired token"}, "times": 1}
        self.sandbox.mudbase.faults.add(Fault("status", method="DELETE", **no_token))
        self.sandbox.mudbase.faults.add(Fault("status", method="GET", regex="/users", **no_token))

    def _steps(self):
        world = self.world
        zoe, jose, mia = "Zoë Müller", "José Ñandú", "Mia Ek"
        return (
            steps.addition(world.group("Board"), world.account(zoe, world.inwendo), is_muted=True),
            steps.alteration(world.row(zoe, "Chess club"), is_manager=True),
            steps.removal(world.row(jose, "Chess club")),
            steps.addition(world.group("Trainers"), world.account(jose, world.mudbase)),
            steps.alteration(world.row(zoe, "Trainers"), is_manager=True),
            steps.removal(world.row("Ada Lovelace", "Trainers")),
            steps.creation(world.kaiten, "New"),
            steps.renaming(world.group("Old"), "Older"),
            steps.addition(world.group("Группа 2"), world.account(mia, world.kaiten)),
            steps.alteration(world.row("Ada Lovelace", "Группа 2"), is_manager=True),
            steps.removal(world.row("Иван Петров", "Группа 2")),
            steps.deletion(world.group("Doomed")),
        )

    # what has to be true in the end

    def check(self):
        """Nothing lost, nothing done twice, no gap in the log, one final entry each, the mirror as the remotes."""
        self._check_rows()
        self._check_wire()
        self._check_remotes()
        self._check_log()
        truth.check_mirror(self.world)

    def _check_rows(self):
        others = Operation.objects.filter(change=self.change).exclude(state=OperationState.CONFIRMED)
        assert [(step.verb, step.subject, step.state, step.outcome) for step in others] == []
        withdrawn = Operation.objects.filter(change=self.withdrawn)
        assert {step.state for step in withdrawn} == {OperationState.CANCELLED}
        assert self.world.state_of(self.change) == ChangeState.DONE
        assert self.world.state_of(self.withdrawn) == ChangeState.CANCELLED
        assert not Reading.objects.filter(state__in=ReadingState.open()).exists()

    def _check_wire(self):
        """Each call took effect once. What a test's fault answered or dropped took none."""
        servers = self.sandbox.servers
        done = Counter(f"{server.kind} {entry.line}" for server in servers for entry in truth.took_effect(server))
        new_row = self.sandbox.inwendo.state.live(8)[-1].id
        assert done == Counter(
            [
                f"inwendo POST {ROWS}",
                f"inwendo PUT {ROWS}/{new_row}",
                f"inwendo PUT {ROWS}/71",
                f"inwendo DELETE {ROWS}/72",
                f"mudbase POST {CHATS}",
                f"mudbase DELETE {CHATS}",
                f"mudbase POST {CHATS}",
                f"mudbase DELETE {CHATS}",
                f"kaiten POST {COMPANY_GROUPS}",
                f"kaiten PATCH {COMPANY_GROUPS}/{OLD_UID}",
                f"kaiten POST {GROUPS}/{GROUP_UID}/users",
                f"kaiten POST {GROUPS}/{GROUP_UID}/admins",
                f"kaiten DELETE {GROUPS}/{GROUP_UID}/admins/4",
                f"kaiten DELETE {GROUPS}/{GROUP_UID}/users/4",
                f"kaiten DELETE {COMPANY_GROUPS}/{DOOMED_UID}",
            ]
        )
        assert [crash for server in servers for crash in server.crashes] == []

    def _check_remotes(self):
        inwendo, mudbase, kaiten = (server.state for server in self.sandbox.servers)
        zoe = inwendo.participants.get(71).person
        [added] = inwendo.rows_of(8, zoe)
        assert added.is_muted and not added.deleted
        assert {row.id: row.room_admin for row in inwendo.live(7)} == {70: True, 71: True}
        assert mudbase.roles("chat_2") == {
            "usr_own": "admin",
            "usr_lukasz": "admin",
            "usr_zoe": "admin",
            "usr_jose": "member",
            "usr_mia": "member",
        }
        assert sorted(kaiten.members(GROUP_UID)) == [3, 6]
        assert sorted(kaiten.admins(GROUP_UID)) == [3, 5]
        assert sorted(group.name for group in kaiten.groups) == ["New", "Older", "Группа 2"]

    def _check_log(self):
        truth.check_log(Operation.objects.filter(change=self.change))
        assert not AuditEntry.objects.filter(change_id=self.withdrawn.pk, operation_id__gt=0).exists()
        finished = AuditEntry.objects.filter(action=AuditAction.CHANGE_FINISHED)
        assert sorted(finished.values_list("change_id", flat=True)) == [self.change.pk, self.withdrawn.pk]
