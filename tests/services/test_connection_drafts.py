import time

import pytest
from cryptography.fernet import Fernet
from django.conf import settings

from membership.errors import AuditUnavailable, BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import AuditEntry, AuditPersonal, Connection
from membership.sandbox.faults import Fault
from membership.services import connection_drafts as drafts
from membership.services import connections
from membership.services.connections import Limits
from membership.vocab import AuditAction, ConnectionState, Role
from tests.crash.storage import broken_log
from tests.world import KAITEN_TOKEN

QUICK = Limits(rate_per_s=1000, burst=100)


def typed(row, **changed):
    """What somebody types to connect the system of `row` under another name."""
    given = {
        "provider": row.provider,
        "name": f"{row.name} 2",
        "url": row.base_url,
        "options": row.options,
        "secrets": row.secrets,
        "internal": True,
        "limits": QUICK,
    }
    return {**given, **changed}


def fresh(row):
    return Connection.objects.get(pk=row.pk)


def test_a_system_is_tested_with_what_was_typed_and_nothing_is_stored(world, owner):
    for row in world.connections:
        card = drafts.draft_connection(**typed(row), actor=owner)
        assert card.works
        assert card.lines[0] == (True, "It works.")
        assert len(card.lines) > 2
        assert all(" " in line for _works, line in (*card.lines, *card.offers))
    assert Connection.objects.count() == 3
    assert world.sent() == {"inwendo": [], "mudbase": [], "kaiten": []}


def test_what_was_tested_is_saved_and_read(world, owner):
    for row in list(world.connections):
        card = drafts.draft_connection(**typed(row), actor=owner)
        saved = drafts.save_connection(card.sealed, actor=owner)
        assert (saved.state, saved.secrets) == (ConnectionState.ACTIVE, row.secrets)
    Connection.objects.filter(pk__in=[row.pk for row in world.connections]).update(state=ConnectionState.PAUSED)
    world.work()
    assert Connection.objects.exclude(groups_read_at=None).count() == 3


def test_a_session_from_the_test_is_kept_so_that_the_lane_need_not_log_in(world, owner):
    card = drafts.draft_connection(**typed(world.mudbase), actor=owner)
    saved = drafts.save_connection(card.sealed, actor=owner)
    assert fresh(saved).session
    assert len(fresh(saved).sign_ins) == 1


def test_a_system_that_does_not_work_says_why_and_is_saved_stopped(world, owner):
    card = drafts.draft_connection(**typed(world.kaiten, secrets={"token": "wrong"}), actor=owner)
    assert not card.works
    assert card.lines == ((False, card.lines[0][1]),)
    assert "does not accept the token" in card.lines[0][1]
    saved = drafts.save_connection(card.sealed, actor=owner)
    assert (saved.state, saved.state_reason) == (ConnectionState.PAUSED, Reason.TOKEN_NOT_ACCEPTED)


def test_no_secret_is_in_a_card_or_in_the_log(world, owner):
    card = drafts.draft_connection(**typed(world.kaiten), actor=owner)
    said = repr(card) + "".join(AuditPersonal.objects.values_list("data", flat=True))
    said += "".join(AuditEntry.objects.values_list("sealed", flat=True))
    assert KAITEN_TOKEN not in said
    entry = AuditEntry.objects.get(action=AuditAction.CONNECTION_TESTED)
    assert (entry.chain, entry.actor_id, entry.connection_id) == ("panel", owner.pk, None)


@pytest.mark.once
def test_a_test_before_saving_ends_within_ten_seconds(world, owner):
    world.sandbox.kaiten.faults.add(Fault("drip", interval_s=0.05))
    began = time.monotonic()
    card = drafts.draft_connection(**typed(world.kaiten), actor=owner)
    assert not card.works
    assert time.monotonic() - began < 10


def test_wrong_passwords_cannot_lock_the_account_there(world, owner):
    wrong = typed(world.mudbase, secrets={"password": "wrong"})
    for _ in range(3):
        drafts.draft_connection(**wrong, actor=owner)
    asked = len(world.sandbox.mudbase.journal)
    card = drafts.draft_connection(**wrong, actor=owner)
    assert "3 log-ins" in card.lines[0][1]
    assert len(world.sandbox.mudbase.journal) == asked


def test_a_sign_in_that_cannot_be_recorded_is_not_sent(world, owner):
    with broken_log(), pytest.raises(AuditUnavailable):
        drafts.draft_connection(**typed(world.mudbase), actor=owner)
    assert len(world.sandbox.mudbase.journal) == 0


@pytest.mark.parametrize("given", [{"name": "Office"}, {"name": ""}, {"url": "ftp://x"}, {"secrets": {}}])
def test_what_cannot_be_used_is_refused_before_anything_is_sent(world, owner, given):
    with pytest.raises(BadValue):
        drafts.draft_connection(**typed(world.kaiten, **given), actor=owner)
    assert len(world.sandbox.kaiten.journal) == 0


def test_only_who_manages_all_systems_connects_one(world, operator, make_user):
    limited = make_user("limited owner", Role.OWNER, [world.kaiten])
    for actor in (operator, limited):
        with pytest.raises(NotAllowed):
            drafts.draft_connection(**typed(world.kaiten), actor=actor)
    assert len(world.sandbox.kaiten.journal) == 0


@pytest.mark.parametrize(
    "make", [lambda: "nonsense", lambda: Fernet(settings.FIELD_KEYS[0]).encrypt(b'{"token": "t"}').decode()]
)
def test_a_sealed_form_that_is_none_is_refused(fresh_db, owner, make):
    with pytest.raises(ChangeRefused) as refused:
        drafts.save_connection(make(), actor=owner)
    assert refused.value.reason == Reason.REQUEST_FORGED


def test_a_sealed_form_belongs_to_who_tested_it_and_grows_old(world, owner, make_user, monkeypatch):
    card = drafts.draft_connection(**typed(world.kaiten), actor=owner)
    with pytest.raises(ChangeRefused):
        drafts.save_connection(card.sealed, actor=make_user("other", Role.OWNER))
    monkeypatch.setattr(drafts, "SEALED_FOR_S", -1)
    with pytest.raises(ChangeRefused):
        drafts.save_connection(card.sealed, actor=owner)
    assert Connection.objects.count() == 3


def test_a_name_taken_meanwhile_is_told_and_the_other_system_is_left_alone(world, owner):
    card = drafts.draft_connection(**typed(world.kaiten), actor=owner)
    connections.connect(
        "mudbase", "Office 2", world.mudbase.base_url, world.mudbase.options, {"password": "x"}, actor=None
    )
    with pytest.raises(BadValue):
        drafts.save_connection(card.sealed, actor=owner)
    assert Connection.objects.get(name="Office 2").provider == "mudbase"


# systems that are connected


def test_an_edit_is_tested_before_it_is_saved(world, owner):
    card = drafts.draft_edit(world.kaiten, name="Bureau", options={"api_path": "api/v1"}, actor=owner)
    assert card.works
    assert fresh(world.kaiten).name == "Office"
    drafts.save_connection(card.sealed, actor=owner)
    row = fresh(world.kaiten)
    assert (row.name, row.options, row.secrets) == ("Bureau", {"api_path": "api/v1"}, {"token": KAITEN_TOKEN})
    assert AuditEntry.objects.get(action=AuditAction.CONNECTION_TESTED).connection_id == row.pk


def test_new_credentials_that_work_take_the_place_of_the_old_ones(world, owner):
    world.sandbox.kaiten.state.issue_token(1, token="token-2")
    card = drafts.rotate_credentials(world.kaiten, {"token": "token-2"}, actor=owner)
    assert card.works
    assert fresh(world.kaiten).secrets == {"token": "token-2"}
    entry = AuditEntry.objects.get(action=AuditAction.CONNECTION_EDITED)
    assert '"fields":["secrets"]' in entry.sealed


def test_new_credentials_that_do_not_work_change_nothing(world, owner):
    card = drafts.rotate_credentials(world.kaiten, {"token": "wrong"}, actor=owner)
    assert not card.works
    assert fresh(world.kaiten).secrets == {"token": KAITEN_TOKEN}
    assert not AuditEntry.objects.filter(action=AuditAction.CONNECTION_EDITED).exists()


def test_new_credentials_are_not_tested_with_the_session_of_the_old_ones(world, owner):
    world.read()
    assert fresh(world.mudbase).session
    card = drafts.rotate_credentials(fresh(world.mudbase), {"password": "wrong"}, actor=owner)
    assert not card.works
    assert fresh(world.mudbase).secrets == {"password": "geheim"}


def test_tests_of_a_connected_system_are_spaced_and_taken_from_its_limit(world, owner):
    Connection.objects.filter(pk=world.kaiten.pk).update(rate_per_s=0.1)
    drafts.draft_edit(world.kaiten, name="Bureau", actor=owner)
    assert fresh(world.kaiten).tests_made == len(world.sandbox.kaiten.journal)
    with pytest.raises(ChangeRefused) as refused:
        drafts.rotate_credentials(world.kaiten, {"token": "wrong"}, actor=owner)
    assert refused.value.reason == Reason.TOO_MANY_TESTS


def test_an_operator_neither_edits_nor_rotates(world, operator):
    with pytest.raises(NotAllowed):
        drafts.draft_edit(world.kaiten, name="Bureau", actor=operator)
    with pytest.raises(NotAllowed):
        drafts.rotate_credentials(world.kaiten, {"token": "wrong"}, actor=operator)
    assert len(world.sandbox.kaiten.journal) == 0
