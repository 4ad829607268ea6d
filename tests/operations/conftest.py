import pytest
from django.db import transaction
from django.utils import timezone

from membership.models import Change, Participant
from membership.operations import outbox
from membership.plans.compile import compile_removal
from membership.vocab import ChangeKind
from tests import steps


def ask(*rows):
    """A confirmed removal of these rows, as the services make it, without the page's guards."""
    with transaction.atomic():
        change = Change.objects.create(kind=ChangeKind.REMOVAL, created_at=timezone.now(), reason="left")
        compile_removal(change, Participant.objects.filter(pk__in=[row.pk for row in rows]))
        change.save()
        outbox.claim_plan(change, expected_hash=change.plan_hash)
        steps.log_asked(change)
    change.refresh_from_db()
    return change


@pytest.fixture
def read_world(world):
    world.read()
    return world
