"""Pages of groups, accounts, people, participants, systems and entries, and what is done on them."""

from datetime import timedelta

import pytest
from django.utils import timezone

from membership.models import AuditEntry, Change, Connection, Group, Person, Presence, Reading, WorkerBeat
from membership.vocab import ChangeKind, PresenceCause, ReadingState
from tests import mirrored

HOSTILE = '<script>alert(1)</script> \u202egnp.exe "&'


def body(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_ticked_people_of_a_group_are_drafted(as_, operator, ada, zoe):
    data = {"_selected_action": [ada.pk]}
    answer = as_(operator).post(f"/membership/group/{ada.group_id}/remove/", data)
    assert answer["Location"] == f"/membership/change/{Change.objects.get().pk}/"
    assert Change.objects.get().operations_count == 1


def test_everybody_of_a_group_is_drafted_as_a_query(as_, operator, ada, zoe):
    as_(operator).post(f"/membership/group/{ada.group_id}/remove/", {"select_across": "1"})
    assert Change.objects.get().operations_count == 2
    assert Change.objects.get().selection["kind"] == "query"


def test_nobody_ticked_is_said_on_the_page(as_, operator, ada):
    answer = as_(operator).post(f"/membership/group/{ada.group_id}/remove/", {}, follow=True)
    assert "Nothing is selected." in answer.content.decode()
    assert not Change.objects.exists()


def test_a_group_is_protected_and_freed_with_a_note(as_, operator, ada):
    client, address = as_(operator), f"/membership/group/{ada.group_id}/"
    client.post(f"{address}protect/", {"note": "by vote only"})
    assert "by vote only" in body(client, address)
    client.post(f"{address}unprotect/")
    assert not Group.objects.get(pk=ada.group_id).is_protected


def test_administrative_rights_that_a_group_gives_are_in_words(as_, viewer, office):
    board = mirrored.group("Board", office, grants=1 | 1024 | 1 << 40)
    assert "administers members, invites users, right no. 1099511627776" in body(
        as_(viewer), f"/membership/group/{board.pk}/"
    )


def test_secrets_of_a_group_are_set_or_not_set_and_never_shown(as_, owner, office):
    board = mirrored.group("Board", office, secrets={"avatar_token": "s3cret"})
    page = body(as_(owner), f"/membership/group/{board.pk}/")
    assert "avatar_token" in page
    assert "s3cret" not in page


def test_an_incomplete_reading_says_why(as_, viewer, office):
    board = mirrored.group("Board", office, incomplete_reason="maybe_capped")
    assert "Exactly 100 rows" in body(as_(viewer), f"/membership/group/{board.pk}/")


def test_a_group_that_was_asked_for_is_read_again(as_, operator, ada):
    as_(operator).post(f"/membership/group/{ada.group_id}/refresh/")
    assert Reading.objects.get().group_id == ada.group_id


def test_groups_that_were_ticked_are_read_again(as_, operator, ada):
    data = {"action": "refresh", "_selected_action": [ada.group_id], "index": "0"}
    as_(operator).post("/membership/group/", data)
    assert Reading.objects.get().state == ReadingState.WANTED


def test_accounts_are_linked_to_one_person(as_, operator, ada, zoe):
    data = {"action": "link", "_selected_action": [ada.account_id, zoe.account_id], "index": "0"}
    answer = as_(operator).post("/membership/account/", data)
    person = Person.objects.get()
    assert answer["Location"] == f"/membership/person/{person.pk}/"
    assert person.accounts.count() == 2


def test_accounts_of_different_people_are_not_linked(as_, operator, ada, zoe):
    mirrored.person("Ada", ada.account)
    mirrored.person("Zoë", zoe.account)
    data = {"action": "link", "_selected_action": [ada.account_id, zoe.account_id], "index": "0"}
    answer = as_(operator).post("/membership/account/", data, follow=True)
    assert "they belong to different people" in answer.content.decode()


@pytest.mark.parametrize("of", ["account", "person"])
def test_everywhere_is_drafted_from_an_account_and_from_a_person(as_, operator, ada, of):
    person = mirrored.person("Ada Lovelace", ada.account)
    pk = person.pk if of == "person" else ada.account_id
    assert "Remove everywhere (1 group)…" in body(as_(operator), f"/membership/{of}/{pk}/")
    as_(operator).post(f"/membership/{of}/{pk}/remove_everywhere/")
    assert Change.objects.get().kind == ChangeKind.REMOVAL_EVERYWHERE


def test_a_person_page_lists_the_places_and_says_that_others_are_hidden(as_, limited_operator, office, ada):
    person = mirrored.person("Ada Lovelace", ada.account, mirrored.account("Ada there", office))
    page = body(as_(limited_operator(ada.group.connection)), f"/membership/person/{person.pk}/")
    assert "Trainers" in page
    assert "accounts in systems that you may not see" in page
    assert "Ada there" not in page


def test_a_participant_page_tells_since_when_and_how(as_, viewer, ada):
    Presence.objects.create(participant=ada, since=timezone.now(), began_by=PresenceCause.READING)
    page = body(as_(viewer), f"/membership/participant/{ada.pk}/")
    assert "changed outside" in page
    assert "still there" in page


def test_a_participant_who_has_left_keeps_the_page_without_the_button(as_, operator, ada):
    type(ada).objects.filter(pk=ada.pk).update(is_present=False)
    page = body(as_(operator), f"/membership/participant/{ada.pk}/")
    assert "gone" in page
    assert "Remove from this group" not in page


def test_a_system_page_shows_secrets_as_set_or_not_set(as_, owner, office):
    Connection.objects.filter(pk=office.pk).update(secrets={"token": "s3cret-token"})
    page = body(as_(owner), f"/membership/connection/{office.pk}/")
    assert "s3cret-token" not in page
    assert "API token" in page


def test_a_system_is_stopped_with_a_reason_that_its_page_shows(as_, owner, office):
    client, address = as_(owner), f"/membership/connection/{office.pk}/"
    client.post(f"{address}pause/", {"reason": "maintenance there"})
    page = body(client, address)
    assert "maintenance there" in page
    assert "Test and resume" in page


def test_an_operator_may_refresh_a_system_but_not_stop_or_test_it(as_, operator, office):
    client, address = as_(operator), f"/membership/connection/{office.pk}/"
    assert client.post(f"{address}refresh/").status_code == 302
    assert {client.post(f"{address}{name}/").status_code for name in ("test", "pause", "resume")} == {403}


@pytest.mark.parametrize("silent", [True, False])
def test_every_page_says_when_the_worker_is_silent(as_, viewer, silent):
    if not silent:
        WorkerBeat.objects.create(name="w", at=timezone.now())
    said = [
        ("The worker gives no sign of life." in body(as_(viewer), page)) for page in ("/", "/membership/participant/")
    ]
    assert said == [silent, silent]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        ("audit_unavailable", "The audit log cannot be written."),
        ("storage_unavailable", "The database does not answer as it should."),
    ],
)
def test_every_page_says_when_the_worker_cannot_write(as_, viewer, trouble, words):
    now = timezone.now()
    WorkerBeat.objects.create(name="well", at=now)
    beat = WorkerBeat.objects.create(name="in trouble", at=now, trouble=trouble)
    assert words in body(as_(viewer), "/membership/participant/")
    WorkerBeat.objects.filter(pk=beat.pk).update(at=now - timedelta(hours=1))
    assert words not in body(as_(viewer), "/membership/participant/")


@pytest.mark.parametrize("model", ["participant", "group", "account", "person", "drift"])
def test_names_from_outside_are_inert_on_every_list(as_, viewer, office, model):
    group = mirrored.group(HOSTILE, office)
    account = mirrored.account(HOSTILE, office, email=HOSTILE)
    mirrored.person(HOSTILE, account)
    row = mirrored.participant(account, group)
    row.drifts.create(connection=office, group=group, kind="left", label=HOSTILE, noticed_at=timezone.now())
    page = body(as_(viewer), f"/membership/{model}/")
    assert "<script>alert" not in page
    assert "\u202e" not in page
    assert "‹U+202E›" in page


def test_names_from_outside_are_inert_on_every_page(as_, operator, office):
    group = mirrored.group(HOSTILE, office, attributes={HOSTILE: HOSTILE}, kind=HOSTILE[:40])
    account = mirrored.account(HOSTILE, office, attributes={HOSTILE: HOSTILE})
    person = mirrored.person(HOSTILE, account)
    row = mirrored.participant(account, group, attributes={HOSTILE: HOSTILE})
    client = as_(operator)
    client.post(f"/membership/participant/{row.pk}/remove/")
    shown = [row, group, account, person, Change.objects.get()]
    for each in shown:
        page = body(client, f"/membership/{each._meta.model_name}/{each.pk}/")
        assert "<script>alert" not in page
        assert "\u202e" not in page


def test_an_entry_says_what_happened_and_why(as_, operator, owner, ada):
    as_(operator).post(f"/membership/group/{ada.group_id}/protect/", {"note": "by vote only"})
    entry = AuditEntry.objects.get(action="group.protected")
    page = body(as_(owner), f"/membership/auditentry/{entry.pk}/")
    assert "protected the group" in page
    assert "by vote only" in page


def test_history_is_the_log_of_one_row(as_, operator, owner, ada, zoe):
    other = mirrored.group("Other", ada.group.connection)
    client = as_(operator)
    for group in (ada.group, other):
        client.post(f"/membership/group/{group.pk}/protect/", {"note": "x"})
    listed = client.get(f"/membership/auditentry/?group_id={ada.group_id}").context["cl"].result_list
    assert {entry.group_id for entry in listed} == {ada.group_id}


@pytest.mark.parametrize(
    "query", ["action=group.protected", "chain=panel", "q=vote", "since=2000-01-01", "until=9000-01-01"]
)
def test_each_filter_of_the_log_finds_what_it_means(as_, operator, ada, query):
    client = as_(operator)
    client.post(f"/membership/group/{ada.group_id}/protect/", {"note": "by vote only"})
    listed = client.get(f"/membership/auditentry/?{query}").context["cl"].result_list
    assert "group.protected" in {entry.action for entry in listed}


@pytest.mark.parametrize("query", ["action=x", "q=nothing-like-it", "since=9000-01-01", "until=2000-01-01", "since=x"])
def test_what_does_not_fit_is_not_listed(as_, operator, ada, query):
    client = as_(operator)
    client.post(f"/membership/group/{ada.group_id}/protect/", {"note": "by vote only"})
    assert client.get(f"/membership/auditentry/?{query}").context["cl"].result_list == []
