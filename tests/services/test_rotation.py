import pytest
from cryptography.fernet import Fernet
from django.db import connection

from membership.models import AuditEntry, Connection
from membership.services import rotation
from membership.services.rotation import encrypted_fields, rotate_secrets, unreadable_secrets
from membership.vocab import AuditAction

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


@pytest.fixture
def office(db, settings):
    settings.FIELD_KEYS = [OLD]
    row = Connection.objects.create(
        provider="kaiten", name="Office", base_url="https://x.example", secrets={"token": "t"}, session={"a": "b"}
    )
    settings.FIELD_KEYS = [NEW, OLD]
    return row


def stored(row):
    with connection.cursor() as cursor:
        cursor.execute("SELECT secrets FROM membership_connection WHERE id = %s", [row.pk])
        return cursor.fetchone()[0]


def test_after_a_rotation_the_new_key_alone_opens_everything(office, settings):
    assert rotate_secrets() == {"rotated": 2, "unchanged": 0, "unreadable": 0}
    settings.FIELD_KEYS = [NEW]
    row = Connection.objects.get(pk=office.pk)
    assert (row.secrets, row.session) == ({"token": "t"}, {"a": "b"})


def test_a_second_rotation_changes_nothing(office):
    rotate_secrets()
    before = stored(office)
    assert rotate_secrets() == {"rotated": 0, "unchanged": 2, "unreadable": 0}
    assert stored(office) == before


def test_what_no_key_opens_stays_as_it_is_and_is_counted(office, settings):
    settings.FIELD_KEYS = [NEW]
    before = stored(office)
    assert unreadable_secrets() == 2
    assert rotate_secrets()["unreadable"] == 2
    assert stored(office) == before


def test_a_rotation_is_recorded(office):
    rotate_secrets()
    assert AuditEntry.objects.filter(action=AuditAction.SECRETS_ROTATED).count() == 1


def test_every_encrypted_column_is_rotated():
    found = {(model.__name__, field.name) for model, field in encrypted_fields()}
    assert found >= {
        ("Connection", "secrets"),
        ("Connection", "session"),
        ("Group", "secrets"),
        ("Participant", "secrets"),
    }


def test_what_a_worker_with_the_older_settings_writes_meanwhile_is_rotated_too(office, settings, monkeypatch):
    """It was started before the new key was put first, and writes with the old one."""
    opens, written = rotation._opens, []

    def and_then_it_is_written(keys, text):
        if text == stored(office) and not written:
            written.append(True)
            settings.FIELD_KEYS = [OLD]
            Connection.objects.filter(pk=office.pk).update(secrets={"token": "renewed"})
            settings.FIELD_KEYS = [NEW, OLD]
        return opens(keys, text)

    monkeypatch.setattr(rotation, "_opens", and_then_it_is_written)
    assert rotate_secrets() == {"rotated": 2, "unchanged": 0, "unreadable": 0}
    settings.FIELD_KEYS = [NEW]
    assert Connection.objects.get(pk=office.pk).secrets == {"token": "renewed"}
