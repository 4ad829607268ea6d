"""A log with many entries, as a busy panel writes them but for their seals: they are only searched."""

import datetime as dt
from types import SimpleNamespace

from django.core.management.color import no_style
from django.db import connection, transaction
from django.utils import timezone

from membership.audit import words
from membership.models import (
    Account,
    AuditEntry,
    AuditHead,
    AuditPersonal,
    Change,
    ChangeConnection,
    Person,
    bulk,
)
from tests import mirrored

FIRST_ID = 1000
SPAN = dt.timedelta(days=1000)
RARE = "quetzalcoatl"
FIRST = ("Ada", "Zoë", "José", "Иван", "Grace", "Łukasz", "Mary", "Alan")
LAST = ("Lovelace", "Müller", "Ñandú", "Петров", "Hopper", "Żak", "Shelley", "Turing")
GROUPS = 200
OF_A_CHANGE = 500
ENTRIES = (
    *("id", "chain", "seq", "at", "action", "actor_id", "change_id", "operation_id", "connection_id", "group_id"),
    *("account_id", "person_id", "participant_id", "outcome", "sealed", "mac"),
)
SEALED = '{"personal":"0","data":{"verb":"remove"},"x":"' + "s" * 400 + '"}'
AT_ONCE = 5000


def build(count, users):
    """`count` entries about three systems, and the people, groups and changes that they name."""
    now = timezone.now()
    systems = [mirrored.system(name) for name in ("Office", "Club chat", "Trainers' app")]
    names = ["All hands", *(f"Group {n}" for n in range(1, GROUPS))]
    groups = [mirrored.group(name, systems[n % 3]) for n, name in enumerate(names)]
    wanted = max(count // 400, 10)
    Person.objects.bulk_create(Person(name=f"{FIRST[n % 8]} {LAST[n // 8 % 8]} {n}") for n in range(wanted))
    people = list(Person.objects.order_by("pk"))
    Account.objects.bulk_create(
        Account(connection=systems[n % 3], remote_id=f"a{n}", label=each.name, email=f"p{n}@club.example",
                person=each, seen_at=now)
        for n, each in enumerate(people)
    )  # fmt: skip
    accounts = list(Account.objects.order_by("pk"))
    Change.objects.bulk_create(
        Change(kind="removal", created_at=now, ticket=f"HELP-{n}", requested_by=users[n % len(users)])
        for n in range(max(count // OF_A_CHANGE, 4))
    )
    changes = list(Change.objects.order_by("pk"))
    ChangeConnection.objects.bulk_create(
        ChangeConnection(change=each, connection=systems[n % 3]) for n, each in enumerate(changes)
    )
    made = SimpleNamespace(
        count=count, now=now, systems=systems, groups=groups, people=people, accounts=accounts, changes=changes,
        users=users,
    )  # fmt: skip
    for first in range(0, count, AT_ONCE):
        rows = [_entry(made, n) for n in range(first, min(first + AT_ONCE, count))]
        with transaction.atomic():
            bulk.insert_rows(AuditEntry, ENTRIES, [row for row, _part in rows])
            bulk.insert_rows(
                AuditPersonal, ("entry_id", "salt", "data", "text"), [part for _row, part in rows if part is not None]
            )
    while words.keep_up():
        pass
    # What is written from now on comes after them.
    AuditHead.objects.bulk_create(AuditHead(chain=name, seq=count) for name in ("panel", "login"))
    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), [AuditEntry]):
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
    return made


def _entry(made, n):
    """Of fifty: one request, one reading, one log-in; the others are steps, each intended and ended."""
    at = bulk.stored_time(AuditEntry, made.now - SPAN * (1 - n / made.count))
    change = made.changes[n // OF_A_CHANGE % len(made.changes)]
    asker = change.requested_by
    if n % 50 == 0:
        about = ("panel", n, at, "change.requested", asker.pk, change.pk, None, None, None, None, None, None, "")
        text = f"left the club, case {n}\n{change.ticket}\n{asker.username}"
        return _row(n, about, text, reason=f"left the club, case {n}", ticket=change.ticket, actor=asker.username)
    if n % 50 == 1:
        system = made.systems[n // 50 % 3]
        group = made.groups[n // 50 % GROUPS].pk
        about = (f"connection:{system.pk}", n, at, "reading.finished", None, None, None, system.pk, group, None, None)
        return _row(n, (*about, None, "complete"))
    if n % 50 == 2:
        user = made.users[n // 50 % len(made.users)]
        about = ("login", n, at, "session.started", user.pk, *[None] * 7, "")
        return _row(n, about, f"{user.username}\n10.0.0.{n % 250}", actor=user.username, address=f"10.0.0.{n % 250}")
    step = n // 2
    account = made.accounts[(step * 7 + step // 64) % len(made.accounts)]
    # Every tenth step is about the one great group.
    group = made.groups[0] if step % 10 == 0 else made.groups[step * 13 % GROUPS]
    action, outcome = ("operation.intended", "") if n % 2 else ("operation.confirmed", "")
    if n % 2 == 0 and step % 20 == 0:
        action, outcome = "operation.refused", "remote_said_no" if step % 40 else "answer_lost"
    chain = f"connection:{group.connection_id}"
    about = (chain, n, at, action, None, change.pk, step + 1, group.connection_id, group.pk, account.pk)
    about += (account.person_id, account.pk + step % 5, outcome)
    person = f"{account.label} {RARE}" if n % (made.count // 20) == 7 else account.label
    text = f"{person}\n{account.email}\n{group.name}\nrow-{step}"
    return _row(n, about, text, person=person, group_name=group.name, answer="a" * 300)


def _row(n, about, text="", **personal):
    number = FIRST_ID + n
    row = (number, *about, SEALED, "0" * 64)
    part = (number, "00", _as_json(personal), text.casefold()) if text else None
    return row, part


def _as_json(personal):
    return "{" + ",".join(f'"{key}":"{value}"' for key, value in personal.items()) + "}"
