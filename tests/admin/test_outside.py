"""The list of what was changed outside, and what is decided on it."""

import datetime as dt

import pytest
from django.utils import timezone

from membership.models import Change, Drift, Operation, Participant
from membership.vocab import ChangeKind, DriftKind, DriftState, Verb
from tests import mirrored

LIST = "/membership/drift/"


def drift(row, kind=DriftKind.JOINED, **fields):
    return Drift.objects.create(
        connection=row.group.connection, group=row.group, participant=row, kind=kind, label=row.label,
        noticed_at=timezone.now(), **fields,
    )  # fmt: skip


@pytest.fixture
def joined(ada):
    return drift(ada, remote_actor="admin@club.example", remote_at=timezone.now() - dt.timedelta(minutes=5))


def post(client, action, *rows, follow=True, **data):
    data = {"action": action, "_selected_action": [row.pk for row in rows], "index": "0", **data}
    return client.post(LIST, data, follow=follow)


def body(client, query=""):
    return client.get(f"{LIST}{query}").content.decode()


def listed(client, query=""):
    return {row.pk for row in client.get(f"{LIST}{query}").context["cl"].result_list}


def test_the_remotes_own_actor_and_time_are_shown_where_it_tells(as_, viewer, joined):
    said = body(as_(viewer))
    assert "admin@club.example" in said
    assert joined.remote_at.isoformat() in said


def test_adopted_differences_leave_the_list_and_stand_among_the_adopted(as_, operator, joined):
    client = as_(operator)
    said = post(client, "adopt", joined).content.decode()
    assert "1 difference is adopted." in said
    assert listed(client) == set()
    assert listed(client, "?state=adopted") == {joined.pk}


def test_undoing_leads_to_a_preview_that_undoes_it(as_, operator, joined):
    answer = post(as_(operator), "revert", joined, follow=False)
    change = Change.objects.get()
    assert answer["Location"] == f"/membership/change/{change.pk}/"
    assert (change.kind, Operation.objects.get().verb) == (ChangeKind.REVERT, Verb.REMOVE)
    assert Participant.objects.get().is_present


def test_what_is_being_undone_links_to_its_change(as_, operator, joined):
    client = as_(operator)
    post(client, "revert", joined)
    assert f"/membership/change/{Change.objects.get().pk}/" in body(client, "?state=reverted")


def test_ignored_until_a_day_it_comes_back_on_that_day(as_, operator, joined):
    client = as_(operator)
    until = timezone.localdate() + dt.timedelta(days=3)
    assert "comes back on that day" in post(client, "ignore", joined, until=until.isoformat()).content.decode()
    assert listed(client) == set()
    Drift.objects.update(ignored_until=timezone.localdate())
    assert listed(client) == {joined.pk}


@pytest.mark.parametrize("until", ["", "tomorrow", "2020-01-01", "9999-01-01", "2020-13-45"])
def test_a_day_that_is_none_or_has_passed_is_refused_in_words(as_, operator, joined, until):
    said = post(as_(operator), "ignore", joined, until=until).content.decode()
    assert "it must be a day" in said
    assert Drift.objects.get().state == DriftState.OPEN


def test_many_are_decided_at_once(as_, operator, trainers):
    rows = [drift(mirrored.participant(f"Member {n}", trainers)) for n in range(60)]
    said = post(as_(operator), "adopt", rows[0], select_across="1").content.decode()
    assert "60 differences are adopted." in said


def test_nothing_is_offered_for_what_is_decided(as_, operator, joined):
    client = as_(operator)
    post(client, "adopt", joined)
    assert 'name="action"' not in body(client, "?state=adopted")
    assert client.post(f"{LIST}?state=adopted", {"action": "adopt", "index": "0"}).status_code == 403


def test_a_viewer_decides_nothing(as_, viewer, joined):
    client = as_(viewer)
    assert 'name="action"' not in body(client)
    assert post(client, "adopt", joined).status_code == 403
    assert client.post(f"{LIST}{joined.pk}/adopt/").status_code == 403


def test_hidden_differences_cannot_be_decided(as_, limited_operator, office, joined):
    client = as_(limited_operator(office))
    assert client.post(f"{LIST}{joined.pk}/revert/").status_code == 403
    assert not Change.objects.exists()


@pytest.mark.parametrize(
    ("query", "found"),
    [("?kind=joined", True), ("?kind=left", False), ("?by=admin", True), ("?by=nobody", False), ("?noticed=1", True),
     ("?noticed=x", False), ("?state=all", True), ("?state=x", False), ("?q=Lovelace", True), ("?by=%00", False)],
)  # fmt: skip
def test_filters_find_what_they_mean(as_, viewer, joined, query, found):
    assert (joined.pk in listed(as_(viewer), query)) is found
