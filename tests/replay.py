"""A first reading is made once for each sandbox that is read, and put down again for the tests that come after.

Hundreds of tests begin with three systems that were read. What a reading does is tested where it is made for real; that
each of them reads the same again shows nothing more, and was a sixth of all their time.
"""

import copy
import dataclasses
import json
import time

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, transaction

from membership.models import AuditIndex, Connection, Reach

ASIDE = {AuditIndex, Reach}
"""Tables that no reading looks at: one is filled by housekeeping, the other with the users of the panel."""
OUR_MODELS = [model for model in apps.get_app_config("membership").get_models() if model not in ASIDE]
STAMPS = {"created", "updated", "created_at", "added_at"}
DRAWN = {"users": {"uid"}, "audit": {"id"}}
"""What a sandbox draws by lot for each new row."""
OF_THE_TEST = {"id", "base_url", "created_at"}
"""Columns of a system that differ from test to test."""

_kept = {}


FRESH_S = 900
"""Half the life of the tokens that a reading signs in for: a later test would begin with one that has run out."""


def read_once(sandbox, read):
    """`read()`, or what it did to the same sandbox in an earlier test of this process."""
    key = _key(sandbox)
    if key is None:
        read()
    elif key in _kept and time.monotonic() - _kept[key].made_at < FRESH_S:
        _kept[key].put_down(sandbox)
    else:
        read()
        _kept[key] = Kept(sandbox)


def _key(sandbox):
    """What decides how a reading goes. None: this is no first reading, or something stands in its way."""
    systems = list(Connection.objects.order_by("pk"))
    is_first = _filled() == [Connection] and not any(server.faults.all for server in sandbox.servers)
    if not is_first:
        return None
    known = [
        {name: value for name, value in _columns(row).items() if name not in OF_THE_TEST - {"id"}} for row in systems
    ]
    found = [
        [_without_lots(server.state.dump()), dataclasses.asdict(server.state.switches)] for server in sandbox.servers
    ]
    return json.dumps([known, found], sort_keys=True, default=str)


def _filled():
    """Our tables that hold anything."""
    parts = [
        f"SELECT {nth} WHERE EXISTS (SELECT 1 FROM {model._meta.db_table})" for nth, model in enumerate(OUR_MODELS)
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return [OUR_MODELS[nth] for (nth,) in cursor.fetchall()]


def _columns(row):
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


def _without_lots(dump):
    return {
        table: [{k: v for k, v in row.items() if k not in STAMPS | DRAWN.get(table, set())} for row in rows]
        for table, rows in dump.items()
    }


class Kept:
    """All rows of ours and of the remotes, as a reading left them."""

    def __init__(self, sandbox):
        self.made_at = time.monotonic()
        self._rows = {model: list(model._base_manager.all()) for model in _filled()}
        self._systems = {row.pk: _columns(row) for row in self._rows.pop(Connection)}
        self._remotes = [server.state.dump() for server in sandbox.servers]

    def put_down(self, sandbox):
        for server, tables in zip(sandbox.servers, self._remotes, strict=True):
            self._put_remote(server.state, copy.deepcopy(tables))
        with transaction.atomic():
            for pk, columns in self._systems.items():
                found = {name: value for name, value in columns.items() if name not in OF_THE_TEST}
                Connection.objects.filter(pk=pk).update(**found)
            for model, rows in self._rows.items():
                model._base_manager.bulk_create(copy.deepcopy(rows))
            with connection.cursor() as cursor:
                for statement in connection.ops.sequence_reset_sql(no_style(), list(self._rows)):
                    cursor.execute(statement)

    def _put_remote(self, state, tables):
        with state.changing():
            for name, rows in tables.items():
                for row in rows:
                    state.tables[name].load(row)
