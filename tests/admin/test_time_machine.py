"""Pages of the past."""

import datetime as dt

import pytest
from django.utils import timezone

from membership.models import AuditEntry, Change, Presence
from membership.vocab import PresenceCause, Right
from tests import mirrored


@pytest.fixture
def told(ada, zoe):
    now = timezone.now()
    Presence.objects.create(participant=ada, since=now - dt.timedelta(days=9), began_by=PresenceCause.UNKNOWN)
    Presence.objects.create(
        participant=zoe, since=now - dt.timedelta(days=9), until=now - dt.timedelta(days=2),
        began_by=PresenceCause.UNKNOWN, ended_by=PresenceCause.READING,
    )  # fmt: skip
    type(zoe).objects.filter(pk=zoe.pk).update(is_present=False)
    mirrored.person("Ada Lovelace", ada.account)
    return ada.group


def day(days):
    return (timezone.localdate() - dt.timedelta(days=days)).isoformat()


def body(answer):
    assert answer.status_code == 200
    return answer.content.decode().split("<main")[1]


def test_a_group_shows_who_was_in_it_what_differs_and_the_way_back(as_, operator, told):
    client, address = as_(operator), f"/membership/group/{told.pk}/then/"
    said = body(client.get(address, {"day": day(5), "other": day(0)}))
    assert "Ada Lovelace" in said
    assert "Zoë Müller" in said
    assert "changed outside" in said
    assert "Went (1)" in said
    client.post(f"/membership/group/{told.pk}/back/", {"day": day(5)})
    assert Change.objects.get().kind == "back_to_day"


def test_a_day_before_the_first_look_says_that_nothing_is_known(as_, viewer, told):
    said = body(as_(viewer).get(f"/membership/group/{told.pk}/then/", {"day": day(30)}))
    assert "is not known" in said
    assert "Ada Lovelace" not in said


def test_a_day_leads_to_its_neighbours_and_an_unknown_one_to_the_first_that_is_known(as_, viewer, told):
    address = f"/membership/group/{told.pk}/then/"
    said = body(as_(viewer).get(address, {"day": day(5), "other": day(1)}))
    for beside in (4, 6):
        assert f'href="?day={day(beside)}&amp;other={day(1)}"' in said
    assert f'href="?day={day(9)}"' in body(as_(viewer).get(address, {"day": day(30)}))
    assert "Day after" not in body(as_(viewer).get(address, {"day": day(0)}))


def test_two_days_of_which_one_is_not_known_are_not_compared(as_, viewer, told):
    address = f"/membership/group/{told.pk}/then/"
    said = body(as_(viewer).get(address, {"day": day(5), "other": day(30)}))
    assert "the two days cannot be compared" in said
    assert "Came (" not in said
    assert "cannot be compared" not in body(as_(viewer).get(address, {"day": day(5), "other": day(1)}))


def test_a_group_that_nobody_had_looked_at_did_not_gain_the_person(as_, viewer, told, ada):
    address = f"/membership/person/{ada.account.person_id}/then/"
    said = body(as_(viewer).get(address, {"day": day(5), "other": day(30)}))
    assert "Not known for one of the two days" in said
    assert "Came (0)" in said


def test_a_group_that_was_not_read_since_says_so(as_, viewer, told):
    address, says = f"/membership/group/{told.pk}/then/", "changed outside after that is not in it"
    assert says not in body(as_(viewer).get(address, {"day": day(1)}))
    type(told).objects.filter(pk=told.pk).update(read_at=timezone.now() - dt.timedelta(days=3))
    assert says in body(as_(viewer).get(address, {"day": day(1)}))


@pytest.mark.parametrize("asked", ["soon", "2999-01-01", "0001-01-01", "\0"])
def test_what_is_no_day_is_told(as_, viewer, told, asked):
    assert "is not a day that can be shown" in body(
        as_(viewer).get(f"/membership/group/{told.pk}/then/", {"day": asked, "other": asked})
    )


def test_a_person_shows_where_they_were(as_, viewer, told, ada):
    said = body(as_(viewer).get(f"/membership/person/{ada.account.person_id}/then/", {"day": day(5)}))
    assert "Trainers" in said
    assert "before" in said


def test_the_list_of_a_day_is_exported_and_that_is_in_the_log(as_, viewer, told):
    answer = as_(viewer).post(f"/membership/group/{told.pk}/then/export/?day={day(5)}", {"format": "csv"})
    assert "Zoë Müller" in b"".join(answer.streaming_content).decode()
    assert AuditEntry.objects.filter(action="export.made").count() == 1
    refused = as_(viewer).post(f"/membership/group/{told.pk}/then/export/?day={day(50)}", {"format": "csv"})
    assert refused.status_code == 302


def test_hidden_rows_have_no_past(as_, limited_operator, office, told, ada):
    client = as_(limited_operator(office))
    assert client.get(f"/membership/group/{told.pk}/then/").status_code == 404
    assert client.get(f"/membership/person/{ada.account.person_id}/then/").status_code == 404
    assert client.post(f"/membership/group/{told.pk}/then/export/?day={day(5)}", {"format": "csv"}).status_code == 404


def test_whoever_may_not_act_is_offered_no_way_back(as_, viewer, told):
    assert not viewer.has_perm(f"membership.{Right.ACT}")
    client = as_(viewer)
    assert "Bring this group back" not in body(client.get(f"/membership/group/{told.pk}/then/", {"day": day(5)}))
    assert client.post(f"/membership/group/{told.pk}/back/", {"day": day(5)}).status_code == 403
