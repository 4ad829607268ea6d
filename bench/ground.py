"""What every measurement stands on: a migrated database, the remote's process, a confirmed change of many steps."""

import http.client
import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.test.utils import setup_databases, teardown_databases
from django.utils import timezone

from membership.audit import record
from membership.models import Account, Change, Connection, Group, Participant, Presence
from membership.operations import outbox
from membership.plans import compile as plans
from membership.vocab import AuditAction, Chain, ChangeKind, ChangeState, PresenceCause

ROWS_AT_ONCE = 1000
_numbers = itertools.count(1)


@contextmanager
def database() -> Iterator[str]:
    """A migrated database of our own. Gives its kind."""
    made = setup_databases(verbosity=0, interactive=False, aliases={"default": None}, serialized_aliases=set())
    try:
        yield connection.vendor
    finally:
        connection.close()
        teardown_databases(made, verbosity=0)


class RemoteProcess:
    """The remote, in a process of its own."""

    def __init__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "bench.server"], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        with self._process.stdout as told:
            self.port = int(told.readline())
        self.url = f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        asking = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            asking.request(method, path, json.dumps(body) if body is not None else None)
            found: dict[str, Any] = json.loads(asking.getresponse().read())
            return found
        finally:
            asking.close()

    def reset(self, **wanted: Any) -> None:
        self.ask("POST", "/bench/reset", wanted)

    def stats(self) -> dict[str, Any]:
        return self.ask("GET", "/bench/stats")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(timeout=10)


def make_connection(url: str, *, concurrency: int = 8, rate_per_s: float = 1_000_000, burst: int = 1) -> Connection:
    """A system that nobody reads by itself."""
    return Connection.objects.create(
        provider="kaiten",
        name=f"Bench {next(_numbers)}",
        base_url=url,
        internal=True,
        secrets={"token": "bench"},
        rate_per_s=rate_per_s,
        burst=burst,
        concurrency=concurrency,
        timeout_s=10,
        next_reading_at=timezone.now() + timedelta(days=1),
        groups_read_at=timezone.now(),
        accounts_read_at=timezone.now(),
    )


def make_members(system: Connection, count: int, *, groups: int = 1) -> list[Group]:
    """So many participants, each an account of its own, spread over groups that were read."""
    now = timezone.now()
    first = next(_numbers) * 1_000_000
    made = Group.objects.bulk_create(
        Group(
            connection=system,
            remote_id=f"00000000-0000-4000-8000-{first + number:012d}",
            remote_number=first + number,
            name=f"Group {number}",
            seen_at=now,
            read_at=now,
            participants_count=count // groups,
        )
        for number in range(groups)
    )
    with transaction.atomic():
        accounts = Account.objects.bulk_create(
            (
                Account(
                    connection=system,
                    remote_id=str(first + number),
                    label=f"Person {number:06d}",
                    email=f"p{first + number}@example.org",
                    seen_at=now,
                )
                for number in range(count)
            ),
            batch_size=ROWS_AT_ONCE,
        )
        rows = Participant.objects.bulk_create(
            (
                Participant(
                    group=made[number % groups],
                    remote_id=account.remote_id,
                    account=account,
                    label=account.label,
                    seen_at=now,
                )
                for number, account in enumerate(accounts)
            ),
            batch_size=ROWS_AT_ONCE,
        )
        Presence.objects.bulk_create(
            (Presence(participant=row, since=now, began_by=PresenceCause.UNKNOWN) for row in rows),
            batch_size=ROWS_AT_ONCE,
        )
    return made


def confirmed_removal(groups: list[Group], *, count: int | None = None) -> Change:
    """A confirmed change that removes those who are in `groups`, as confirming a preview leaves it."""
    change = Change.objects.create(kind=ChangeKind.REMOVAL, state=ChangeState.DRAFT, created_at=timezone.now())
    rows = Participant.objects.filter(group__in=groups, is_present=True).order_by("pk")
    if count is not None:
        rows = Participant.objects.filter(pk__in=list(rows.values_list("pk", flat=True)[:count]))
    with transaction.atomic():
        plans.compile_removal(change, rows)
    with transaction.atomic():
        outbox.claim_plan(change, expected_hash=change.plan_hash)
        # The worker sends only what the log says was asked for.
        asked = record.Entry(AuditAction.CHANGE_REQUESTED, change_id=change.pk, data={"plan_hash": change.plan_hash})
        record.write(Chain.PANEL, [asked])
    while outbox.promote(groups[0].connection_id):
        pass
    return change


def ended(change: Change) -> dict[str, int]:
    """How many of its steps ended how: what was measured must also be right."""
    return outbox.counts(change.pk).of
