from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from membership.models import AuditEntry, AuditPersonal, Connection
from membership.services import connections
from membership.vocab import AuditAction, ConnectionState


def connect(*words):
    said = StringIO()
    call_command("connect", *words, stdout=said)
    return said.getvalue()


@pytest.fixture
def office(world, monkeypatch):
    """A Kaiten in the sandbox, not connected yet."""
    url, token = world.kaiten.base_url, world.kaiten.secrets["token"]
    world.kaiten.delete()
    monkeypatch.setenv("OFFICE_TOKEN", token)
    return ["kaiten", "Head office", "--url", url, "--secret", "token=OFFICE_TOKEN", "--internal", "--rate", "100"]


def test_a_system_is_connected_and_tested(office):
    said = connect(*office)
    assert "Head office is stored." in said
    assert "It works." in said
    row = Connection.objects.get(name="Head office")
    assert (row.internal, row.rate_per_s) == (True, 100)


def test_connecting_again_changes_nothing(office):
    connect(*office)
    connect(*office)
    assert Connection.objects.filter(name="Head office").count() == 1


def test_what_does_not_work_is_stored_and_said(office, monkeypatch):
    monkeypatch.setenv("OFFICE_TOKEN", "wrong")
    with pytest.raises(CommandError, match="It does not work yet: The system does not accept the token"):
        connect(*office)
    assert Connection.objects.filter(name="Head office").exists()


def test_a_stopped_system_works_again_once_its_secret_is_right(office, owner):
    connect(*office)
    row = Connection.objects.get(name="Head office")
    connections.pause(row, reason="new token", actor=owner)
    connect(*office)
    assert Connection.objects.get(pk=row.pk).state == ConnectionState.ACTIVE


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["slack", "X", "--url", "https://x.example"], "known are inwendo, mudbase, kaiten"),
        (["kaiten", "X", "--url", "https://x.example"], "The value of token cannot be used: it is needed"),
        (["kaiten", "X", "--url", "x.example", "--secret", "token=T"], "https://host"),
        (["kaiten", "X", "--url", "https://x.example", "--secret", "token=NOWHERE"], "NOWHERE is not set"),
        (["kaiten", "X", "--url", "https://x.example", "--secret", "token"], "--secret takes key=value"),
        (
            ["kaiten", "X", "--url", "https://x.example", "--secret", "token=T", "--option", "a=b"],
            "Kaiten knows api_path",
        ),
        (["kaiten", "X", "--url", "https://x.example", "--secret", "token=BAD"], "cannot be sent"),
    ],
)
def test_what_is_typed_wrong_is_said_in_one_sentence(fresh_db, monkeypatch, words, says):
    monkeypatch.setenv("T", "t0ken")
    monkeypatch.setenv("BAD", "t0ken €")
    with pytest.raises(CommandError) as caught:
        connect(*words)
    assert says in str(caught.value)
    assert "t0ken" not in str(caught.value)
    assert not Connection.objects.exists()


def test_the_use_is_recorded_with_who_and_without_secrets(office):
    connect(*office)
    entry = AuditEntry.objects.get(action=AuditAction.COMMAND_RUN)
    personal = AuditPersonal.objects.get(pk=entry.pk).data
    assert '"os_user":' in personal
    assert "Head office" in personal
    assert "token-1" not in personal
