"""Somebody damaged the log: who asks what is stored, or to be erased, is answered all the same."""

import pytest

from membership.models import AuditEntry, AuditPersonal, Person
from membership.services import erasure, person_report
from membership.vocab import AuditAction, Role
from tests.admin.test_audit_damaged import damaged, office  # noqa: F401 - fixtures
from tests.audit.conftest import unguarded  # noqa: F401 - a fixture
from tests.services.test_audit_log import put


@pytest.fixture
def gone(damaged, unguarded):  # noqa: F811
    """Somebody who is in no group any more, and of whom damaged entries may tell."""
    person = Person.objects.create(name="Zoë Müller")
    for action in (AuditAction.PERSON_LINKED, AuditAction.DRIFT_IGNORED, AuditAction.ENDING_SET):
        put(action, personal={"person": "Zoë Müller"})
        unguarded(
            "UPDATE membership_auditentry SET sealed = %s WHERE id = " + str(AuditEntry.objects.latest("pk").pk), "{"
        )
    return person


def test_a_report_and_an_erasure_go_past_damaged_entries(gone, owner, make_user):
    told = person_report.report(gone, actor=owner)
    assert len(told["audit_entries"]) == 3
    asked = erasure.ask(gone, actor=owner, note="")
    erasure.approve(asked, actor=make_user("second", Role.OWNER))
    assert not Person.objects.filter(pk=gone.pk).exists()
    assert not AuditPersonal.objects.filter(data__contains="Müller").exists()
