"""What the worker asks at each round is found by an index, however much was done before."""

import pytest
from django.db import connection
from django.utils import timezone

from membership.models import Operation, bulk
from membership.operations import outbox, turns, worker

pytestmark = pytest.mark.django_db

AT = object()
ASKED = {
    "to queue": (turns._TO_QUEUE_OF, (1, AT)),
    "due": (turns._DUE, (AT, AT, AT)),
    "queued": (turns._HAVE_QUEUED, (AT, AT)),
    "finished": (outbox._ALL_FINISHED, ()),
    "to cancel": (outbox._TO_CANCEL, ()),
    "read though stopped": (worker._READ_THOUGH_STOPPED, ()),
}
GOOD = ("operation_of_change", "reading_open")


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL chooses by what there is")
@pytest.mark.parametrize("name", ASKED)
def test_sqlite_looks_through_no_steps_and_no_readings(name):
    statement, params = ASKED[name]
    at = bulk.stored_time(Operation, timezone.now())
    with connection.cursor() as cursor:
        cursor.execute(
            f"EXPLAIN QUERY PLAN {statement._for_vendor()}", [at if value is AT else value for value in params]
        )
        plan = [row[3] for row in cursor.fetchall()]
    looked = [line for line in plan if line.split()[1] in ("o", "r")]
    assert all(any(index in line for index in GOOD) for line in looked), plan
    assert looked or name == "to cancel"
