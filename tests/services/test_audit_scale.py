"""The log's page with many entries, on the clock: LONG=1 takes 1,000,000 of them. The control is in the same run."""

import datetime as dt
import os
import time

import pytest
from django.db import connection
from django.utils import timezone

from membership.audit import words
from membership.models import AuditEntry, AuditPersonal, Change, ChangeConnection
from membership.services import audit_query
from tests import mirrored

pytestmark = [pytest.mark.scale, pytest.mark.timeout(3600)]

COUNT = 1_000_000 if os.environ.get("LONG") else 20_000
GOAL_S = 0.3
RARE = "quetzalcoatl"
FIRST = ("Ada", "Zoë", "José", "Иван", "Grace", "Łukasz", "Mary", "Alan")
LAST = ("Lovelace", "Müller", "Ñandú", "Петров", "Hopper", "Żak", "Shelley", "Turing")
FIRST_ID = 1000
SPAN = dt.timedelta(days=1000)


def fill(system, groups, change, user):
    """Entries as steps write them, without seals: they are only searched."""
    now = timezone.now()
    entries, parts = AuditEntry._meta.db_table, AuditPersonal._meta.db_table
    actions = ("operation.intended", "operation.confirmed", "operation.intended", "operation.refused")
    sealed = '{"personal":"0","data":{"verb":"remove"},"x":"' + "s" * 400 + '"}'

    def rows():
        for n in range(FIRST_ID, FIRST_ID + COUNT):
            person = f"{FIRST[n % 8]} {LAST[n // 8 % 8]} {n // 200}"
            if n % (COUNT // 20) == 7:
                person += f" {RARE}"
            yield n, now - SPAN * (1 - (n - FIRST_ID) / COUNT), actions[n % 4], groups[n % len(groups)], person

    def entry(n, at, action, group, _person):
        outcome = "remote_said_no" if action.endswith("refused") else ""
        who, about = (user.pk, change.pk) if n % 1000 == 0 else (None, None)
        return n, "connection:1", n, at, action, who, about, n // 2, system.pk, group.pk, outcome, sealed, "0" * 64

    def part(n, _at, _action, group, person):
        said = f"{person}\n{group.name}\nrow-{n}".casefold()
        return (
            n,
            "00",
            '{"person":"' + person + '","group_name":"' + group.name + '","answer":"' + "a" * 300 + '"}',
            said,
        )

    insert = (
        f"INSERT INTO {entries} (id, chain, seq, at, action, actor_id, change_id, operation_id, connection_id,"
        f" group_id, outcome, sealed, mac) VALUES ({', '.join(['%s'] * 13)})"
    )
    with connection.cursor() as cursor:
        batch = []
        for row in (*rows(), None):
            if row is not None:
                batch.append(row)
            if batch and (row is None or len(batch) == 5000):
                cursor.executemany(insert, [entry(*each) for each in batch])
                cursor.executemany(f"INSERT INTO {parts} VALUES (%s, %s, %s, %s)", [part(*each) for each in batch])
                batch = []
    while words.keep_up():
        pass
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def quickest(do, times=3):
    """Seconds of this process, and on PostgreSQL those of its queries: what else the machine does does not count."""
    found = []
    for _time in range(times):
        asked = [0.0]

        def clocked(execute, *args, asked=asked):
            began, busy = time.perf_counter(), time.process_time()
            try:
                return execute(*args)
            finally:
                asked[0] += (time.perf_counter() - began) - (time.process_time() - busy)

        began = time.process_time()
        if connection.vendor == "sqlite":
            do()
        else:
            with connection.execute_wrapper(clocked):
                do()
        found.append(time.process_time() - began + asked[0])
    return min(found)


def test_the_log_is_searched_in_time(db, client, owner, monkeypatch):
    """Goal: 300 ms a page, facets and sentences included."""
    monkeypatch.setattr(words, "_CHUNK", 5000)
    system = mirrored.system("Office")
    groups = [mirrored.group(f"Group {n}", system) for n in range(200)]
    change = Change.objects.create(kind="removal", created_at=timezone.now(), ticket="HELP-8")
    ChangeConnection.objects.create(change=change, connection=system)
    client.force_login(owner)
    fill(system, groups, change, owner)
    middle = (timezone.now() - SPAN / 2).date()
    lines = {
        "nothing asked": "",
        "a rare word": RARE,
        "a common word": "ada",
        "two words": "ada lovelace",
        "a word that is nowhere": "nobodyiscalledso",
        "two letters": "zo",
        "nowhere together": "system:office action:refused josé",
        "a common word, old": f"ada to:{middle}",
        "one day": f"on:{middle}",
        "an old month and action": f"action:refused to:{middle}",
        "actor": f"actor:#{owner.pk}",
        "group and word": "group:#" + str(groups[3].pk) + " ada",
        "outcome": "outcome:remote_said_no",
        "ticket": "ticket:HELP-8",
        "system, action, word": "system:office action:refused иван",
    }
    pages = {name: f"/membership/auditentry/?{urlencoded(line)}" for name, line in lines.items()}
    pages["timeline of a group"] = f"/membership/auditentry/of/group/{groups[5].pk}/"
    pages["timeline of the system"] = f"/membership/auditentry/of/connection/{system.pk}/"
    client.get(pages["nothing asked"])
    took = {name: quickest(lambda page=page: client.get(page)) for name, page in pages.items()}
    by_index = quickest(lambda: list(audit_query.narrow(AuditEntry.objects.all(), RARE)[0]))
    plain = AuditPersonal.objects.filter(text__icontains=RARE)
    control = quickest(lambda: list(plain.values_list("pk", flat=True)), 1)
    print(f"\n{connection.vendor}, {COUNT:,} entries: {control / by_index:.0f} times as fast as icontains")
    for name, seconds in took.items():
        print(f"  {seconds * 1000:6.0f} ms  {name}")
    assert len(client.get(pages["a rare word"]).context["cl"].result_list) == 20
    slow = {name: round(seconds, 2) for name, seconds in took.items() if seconds > GOAL_S}
    assert not slow
    if COUNT >= 1_000_000:
        assert control / by_index > 30


def urlencoded(line):
    from urllib.parse import urlencode

    return urlencode({"q": line})
