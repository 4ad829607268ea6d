import csv
import io
import json

import pytest

from membership.errors import NotAllowed
from membership.models import Operation
from membership.services.change_pages import steps
from membership.services.plan_files import plan_file
from membership.vocab import AuditAction
from tests import mirrored as m
from tests.services.asking import draft, entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def change(vera):
    office = m.system("Office")
    chess = m.group("Chess", office, remote_id="9f-chess")
    people = [m.account(name, office, remote_id=number) for name, number in (("=HYPERLINK(1)", "31"), ("Bea", "32"))]
    return draft(vera, *(m.participant(each, chess) for each in people))


def content(change, actor, format):
    name, _type, parts = plan_file(change, actor=actor, format=format)
    assert name.startswith(f"musterbook-plan-{change.pk}-") and name.endswith(format)
    return b"".join(parts).decode("utf-8-sig")


def test_a_plan_as_csv_names_every_call_and_starts_no_formula(change, vera):
    first, second = csv.DictReader(io.StringIO(content(change, vera, "csv")))
    assert first["person"] == "'=HYPERLINK(1)"
    assert second["calls"] == "DELETE /api/latest/groups/9f-chess/users/32"
    assert (second["position"], second["outcome"]) == ("1", "planned")


def test_a_plan_as_json_carries_the_digests_of_its_hash(change, vera):
    found = json.loads(content(change, vera, "json"))
    assert [row["digest"] for row in found] == list(
        Operation.objects.order_by("position").values_list("digest", flat=True)
    )
    assert found[1]["before"]["is_present"] is True


def test_the_file_is_in_the_log_with_its_change(change, vera):
    content(change, vera, "json")
    found = entries(AuditAction.EXPORT_MADE).get()
    assert (found.change_id, found.actor_id) == (change.pk, vera.pk)


def test_who_may_not_see_all_of_it_gets_no_file(change):
    lea = m.user("lea", systems=[m.system("Club", "mudbase")])
    with pytest.raises(NotAllowed):
        plan_file(change, actor=lea, format="csv")


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("9f-chess", 2),
        ("users/32", 1),
        ("groups/9f-chess/users/31", 1),
        ("DELETE 31", 1),
        ("/", 0),
        ("%", 0),
        ("PUT", 0),
    ],
)
def test_steps_are_found_by_their_calls(change, search, found):
    assert steps(change, search=search).count() == found
