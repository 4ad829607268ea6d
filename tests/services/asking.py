"""Short words for what these tests do over and over."""

import pytest

from membership.errors import ChangeRefused
from membership.models import AuditEntry, Change, Participant
from membership.services.changes import confirm_change
from membership.services.removal import draft_removal
from membership.vocab import AuditAction, ChangeState
from tests import mirrored as m


def draft(actor, *rows):
    return draft_removal(m.rows(*rows), actor=actor, selection=m.ids(*rows))


def confirm(change, actor, **fields):
    return confirm_change(change, actor=actor, **{"reason": "left", "expected_hash": change.plan_hash, **fields})


def entries(action):
    return AuditEntry.objects.filter(action=action)


def assert_refused(expected, service, *args, error=ChangeRefused, **kwargs):
    """Refused for this reason, recorded, nothing queued."""
    with pytest.raises(error) as refused:
        service(*args, **kwargs)
    assert refused.value.reason == expected
    assert entries(AuditAction.REQUEST_REFUSED).latest("pk").outcome == expected
    assert not Change.objects.filter(state__in=ChangeState.open()).exists()


def gone(row):
    Participant.objects.filter(pk=row.pk).update(is_present=False)


def made_manager(row):
    Participant.objects.filter(pk=row.pk).update(is_manager=True)
