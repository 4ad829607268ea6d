from datetime import UTC, datetime, timedelta, timezone

import pytest

from membership.mirror import facts
from membership.providers.base import RemoteAccount, RemoteGroup, RemoteParticipant

pytestmark = pytest.mark.pure

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def digest(**fields):
    return facts.content_hash(facts.of_participant(RemoteParticipant("1", None, **{"label": "Ada", **fields})))


def test_a_hash_has_the_width_of_its_column():
    assert len(digest()) == 32


@pytest.mark.parametrize(
    "fields",
    [
        {"label": "Bo"},
        {"is_member": False},
        {"is_manager": True},
        {"can_write": False},
        {"is_muted": True},
        {"participant_type": "person"},
        {"last_read_at": NOON},
        {"auto_created": True},
        {"attributes": {"a": 1}},
        {"secrets": {"token": "x"}},
    ],
)
def test_every_fact_changes_the_hash(fields):
    assert digest(**fields) != digest()


def test_a_secret_that_changed_changes_the_hash():
    assert digest(secrets={"token": "x"}) != digest(secrets={"token": "y"})


def test_the_order_of_attributes_changes_nothing():
    assert digest(attributes={"a": 1, "b": 2}) == digest(attributes={"b": 2, "a": 1})


def test_one_instant_in_two_zones_is_one_fact():
    assert digest(last_read_at=NOON) == digest(last_read_at=NOON.astimezone(timezone(timedelta(hours=3))))


def test_unknown_is_not_false():
    assert digest(can_write=None) != digest(can_write=False)


def test_a_lone_surrogate_has_a_hash():
    assert digest(label="\ud800") != digest(label="\ud801")


def test_labels_fit_their_columns():
    long = "x" * 1000
    assert len(facts.of_participant(RemoteParticipant("1", None, long))["label"]) == 600
    assert len(facts.of_group(RemoteGroup("1", long, kind=long))["kind"]) == 40
    assert len(facts.of_account(RemoteAccount("1", long, email=long))["email"]) == 320


def test_the_accounts_name_stands_in_where_a_row_has_none():
    row = RemoteParticipant("1", "1", "")
    assert facts.of_participant(row, label="Ada")["label"] == "Ada"
