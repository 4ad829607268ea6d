"""Any sequence of wishes, foreign changes, faults, readings and killed workers, against a model of the remotes."""

import os
from collections import Counter

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from membership.models import Account, Connection, Operation, Participant, Reading
from membership.operations import lane, outbox
from membership.sandbox.faults import Fault
from membership.vocab import ConnectionState, OperationState, ReadingState, Verb
from tests import steps, truth
from tests.conftest import restore_database
from tests.hurry import work_in_a_hurry
from tests.world import GROUP_UID, MUDBASE_PROJECT, make_world

LONG = bool(os.environ.get("LONG"))
pytestmark = [pytest.mark.crash, pytest.mark.timeout(3600 if LONG else 120)]

KINDS = ("inwendo", "mudbase", "kaiten")
PEOPLE = ("Ada Lovelace", "Zoë Müller", "Mia Ek")
WISHES = ("join", "leave", "promote", "demote")
BY_HAND = ("join", "leave", "promote", "demote")
FAULTS = {
    "lost_answer": {},
    "drop_before": {},
    "truncated": {},
    "html": {},
    "status": {"status": 500},
    "replace": {"status": 502},
}
POINTS = (
    "claim.written",
    "claim.committed",
    "send.before",
    "send.answered",
    "settle.written",
    "settle.committed",
    "calls.next",
    "resolve.read",
    "resolve.written",
    "reading.chunk",
    "reading.finish_inside",
)

kinds, people = st.sampled_from(KINDS), st.sampled_from(PEOPLE)


class Remotes:
    """Who takes part, and who manages: `{(kind, person): (is there, manages)}`; and hands that change it."""

    def __init__(self, sandbox):
        self._inwendo, self._mudbase, self._kaiten = (server.state for server in sandbox.servers)
        self._inwendo.add_person("Mia", "Ek", email="mia@example.org")
        self._mudbase.add_user("Mia", "Ek", project=MUDBASE_PROJECT, id="usr_mia", email="mia@example.org")
        self._kaiten.add_user("Zoë Müller", email="zoe@example.org", id=6)
        self._kaiten.add_user("Mia Ek", email="mia@example.org", id=7)
        people = {f"{person.first_name} {person.last_name}": person.id for person in self._inwendo.people}
        self._ids = {
            "inwendo": {name: people[name] for name in PEOPLE},
            "mudbase": dict(zip(PEOPLE, ("usr_ada", "usr_zoe", "usr_mia"), strict=True)),
            "kaiten": dict(zip(PEOPLE, (3, 6, 7), strict=True)),
        }

    @property
    def places(self):
        return {(kind, name): self._place(kind, self._ids[kind][name]) for kind in KINDS for name in PEOPLE}

    def _place(self, kind, who):
        if kind == "inwendo":
            rows = self._rows(who)
            assert len(rows) < 2, "one person has two rows"
            return (bool(rows), bool(rows and rows[0].room_admin))
        if kind == "mudbase":
            roles = self._mudbase.roles("chat_2")
            return (who in roles, roles.get(who) == "admin")
        is_manager = who in self._kaiten.admins(GROUP_UID)
        return (is_manager or who in self._kaiten.members(GROUP_UID), is_manager)

    def _rows(self, who):
        return [row for row in self._inwendo.live(7) if row.person == who]

    def change(self, kind, name, what):
        """By hand. What does not fit is left."""
        who = self._ids[kind][name]
        is_there, manages = self._place(kind, who)
        if what == "join" and not is_there:
            self._join(kind, who)
        elif what == "leave" and is_there:
            self._leave(kind, who, manages)
        elif what in ("promote", "demote") and is_there and manages != (what == "promote"):
            self._give(kind, who, what == "promote")

    def _join(self, kind, who):
        if kind == "inwendo":
            self._inwendo.add_participant(7, person=who)
        elif kind == "mudbase":
            self._mudbase.add_participant("chat_2", who)
        else:
            self._kaiten.add_member(GROUP_UID, who)

    def _leave(self, kind, who, manages):
        if kind == "inwendo":
            self._inwendo.remove_by_hand(self._rows(who)[0].id)
        elif kind == "mudbase":
            self._mudbase.remove_by_hand("chat_2", who)
        else:
            for name, ids in (("users", self._kaiten.members), ("admins", self._kaiten.admins)):
                if who in ids(GROUP_UID):
                    self._kaiten.remove_by_hand(GROUP_UID, who, list=name)

    def _give(self, kind, who, manages):
        if kind == "inwendo":
            self._inwendo.change_by_hand(self._rows(who)[0].id, room_admin=manages)
        elif kind == "mudbase":
            self._mudbase.change_role_by_hand("chat_2", who, "admin" if manages else "member")
        elif manages:
            self._kaiten.add_admin(GROUP_UID, who)
        elif who in self._kaiten.members(GROUP_UID):
            self._kaiten.remove_by_hand(GROUP_UID, who, list="admins")


class Club(RuleBasedStateMachine):
    groups = dict(zip(KINDS, ("Chess club", "Trainers", "Группа 2"), strict=True))
    template = start = None

    def __init__(self):
        super().__init__()
        restore_database(self.template)
        self.world = make_world()
        self.remotes = Remotes(self.world.sandbox)
        Connection.objects.update(settle_s=0.03, timeout_s=5)
        work_in_a_hurry()
        self.model = self.remotes.places
        self.asked = {}
        self.seen = 0
        self.was_touched = False

    def teardown(self):
        try:
            for server in self.world.sandbox.servers:
                server.faults.clear()
            self.work("leave")
            self.refresh()
            self.work("leave")
            assert truth.mirrored() == truth.remote(self.world.sandbox)
            assert self.was_touched or truth.drift() == []
        finally:
            self.world.sandbox.stop()
            connection.close()

    # what people ask, and what else happens

    @rule(kind=kinds, who=people, wish=st.sampled_from(WISHES))
    def ask(self, kind, who, wish):
        """As a plan would: by what the mirror says."""
        group = self.world.group(self.groups[kind])
        row = Participant.objects.filter(group=group, label=who, is_present=True).first()
        if wish == "join" and row is None:
            step = steps.addition(group, Account.objects.get(connection=group.connection, label=who))
        elif wish == "leave" and row is not None:
            step = steps.removal(row)
        elif wish in ("promote", "demote") and row is not None and row.is_manager != (wish == "promote"):
            step = steps.alteration(row, is_manager=wish == "promote")
        else:
            return
        if step["calls"]:
            change = steps.confirmed(step)
            self.asked[Operation.objects.get(change=change).pk] = (kind, who, wish)

    @rule(kind=kinds, fault=st.sampled_from(sorted(FAULTS)), after=st.integers(0, 3), is_write=st.booleans())
    def trouble(self, kind, fault, after, is_write):
        method = {"regex": "participant|/users|/admins"} if is_write else {}
        server = getattr(self.world.sandbox, kind)
        server.faults.add(Fault(fault, after=after, times=1, **method, **FAULTS[fault]))

    @precondition(lambda self: not truth.open_steps())
    @rule(kind=kinds, who=people, what=st.sampled_from(BY_HAND))
    def somebody_else(self, kind, who, what):
        # What was asked before has ended, perhaps in a worker that was to be killed: it comes before this.
        self.follow()
        assert self.remotes.places == self.model
        self.remotes.change(kind, who, what)
        self.model = self.remotes.places
        self.was_touched = True

    @rule()
    def refresh(self):
        Connection.objects.update(next_reading_at=None)

    @precondition(lambda self: truth.open_steps())
    @rule(point=st.sampled_from(POINTS), nth=st.integers(1, 3))
    def kill(self, point, nth):
        Connection.objects.update(sign_ins=[])
        connection.close()
        self.start(f"{point}:{nth}").wait()

    @rule(decision=st.sampled_from(("accept", "leave", "again")))
    def work(self, decision):
        Connection.objects.update(sign_ins=[])
        work_in_a_hurry()
        foreign = list(Operation.objects.filter(state=OperationState.FOREIGN))
        for step in foreign:
            with transaction.atomic():
                chosen = decision if step.found.get("fits") else "leave"
                outbox.decide_foreign(step, chosen, by="somebody", at=timezone.now())
        if foreign:
            work_in_a_hurry()
        if not Operation.objects.filter(state=OperationState.FOREIGN).exists():
            self.check()

    # what has to be true

    def check(self):
        assert truth.open_steps() == []
        assert not Reading.objects.filter(state__in=ReadingState.open()).exists()
        assert set(Connection.objects.values_list("state", flat=True)) == {ConnectionState.ACTIVE}
        self.follow()
        assert self.remotes.places == self.model
        truth.check_log(Operation.objects.filter(pk__in=self.asked).exclude(outcome="decided_by_operator"))
        self.check_wire()

    def follow(self):
        """What was confirmed is in the model. Of the others nothing is claimed, but that what was not begun is not."""
        now = self.remotes.places
        for pk in sorted(self.asked.keys() - {pk for pk in self.asked if pk <= self.seen}):
            step = Operation.objects.get(pk=pk)
            *place, wish = self.asked[pk]
            place = tuple(place)
            if step.state == OperationState.CONFIRMED and step.outcome != "decided_by_operator":
                self.model[place] = wished(self.model[place], wish)
            elif step.attempts:
                self.model[place] = now[place]
        self.seen = max(self.asked, default=0)

    def check_wire(self):
        """Nothing took effect more often than it was asked for."""
        asked = Counter()
        for step in Operation.objects.filter(pk__in=self.asked, attempts__gt=0):
            for call in step.calls:
                asked[step.connection.provider, call["method"], step.verb == Verb.ADD] += 1
        for server in self.world.sandbox.servers:
            done = Counter(entry.method for entry in truth.took_effect(server) if entry.status in (None, 200, 201))
            for method, times in done.items():
                most = sum(n for (kind, called, _), n in asked.items() if (kind, called) == (server.kind, method))
                assert times <= most, (server.kind, method, server.journal.written)


def wished(place, wish):
    is_there, manages = place
    return {
        "join": (True, manages and is_there),
        "leave": (False, False),
        "promote": (True, True),
        "demote": (is_there, False),
    }[wish]


def test_any_sequence_ends_as_the_model_says(fresh_db, migrated_copy, start, monkeypatch):
    monkeypatch.setattr(lane, "REST_AT_FIRST_S", 0.01)
    Club.template, Club.start = migrated_copy, staticmethod(start)
    run_state_machine_as_test(
        Club,
        settings=settings(
            max_examples=80 if LONG else 5,
            stateful_step_count=30 if LONG else 12,
            deadline=None,
            database=None,
            derandomize=not LONG,
            suppress_health_check=list(HealthCheck),
        ),
    )
