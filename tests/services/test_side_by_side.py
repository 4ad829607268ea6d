"""Small questions asked in one statement are answered as they would be one by one."""

import datetime as dt

import pytest
from django.utils import timezone

from membership.models import Connection, Group, WorkerBeat
from membership.services.side_by_side import ask
from tests import mirrored as m

pytestmark = pytest.mark.django_db


def test_each_is_answered_as_by_itself(django_assert_num_queries):
    office = m.system("Office 100 %")
    for name in ("Board", "Chess", "Chess"):
        m.group(name, office)
    at = timezone.now()
    WorkerBeat.objects.create(name="a", at=at)
    WorkerBeat.objects.create(name="b", at=at - dt.timedelta(days=1))
    with django_assert_num_queries(1):
        found = ask(
            counted={
                "all": Group.objects.order_by("name"),
                "chess": Group.objects.filter(name="Chess"),
                "of a system": Group.objects.filter(connection__name__contains="100 %"),
                "nothing": Group.objects.none(),
            },
            first={
                "last": WorkerBeat.objects.order_by("-at").values("at"),
                "name": Connection.objects.order_by("name").values("name"),
                "nobody": WorkerBeat.objects.filter(name="c").values("at"),
                "none": WorkerBeat.objects.none().values("at"),
            },
        )
    assert found == {
        "all": 3,
        "chess": 2,
        "of a system": 3,
        "nothing": 0,
        "last": at,
        "name": "Office 100 %",
        "nobody": None,
        "none": None,
    }
