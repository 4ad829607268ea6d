import pytest
from django.db import transaction
from django.utils import timezone

from membership.models import Change
from membership.operations import outbox
from membership.plans import compile as plans
from membership.plans.wishes import Remove
from membership.vocab import ChangeKind
from tests import steps


def ask(*rows):
    """A confirmed removal of these rows, as the services make it, without the page's guards."""
    return confirm(ChangeKind.REMOVAL, *(Remove(row.pk) for row in rows))


def confirm(kind, *wishes):
    """A confirmed change of these wishes, guards of single wishes applied."""
    plan = plans.plan(wishes)
    with transaction.atomic():
        change = Change.objects.create(kind=kind, created_at=timezone.now(), reason="left")
        plans.store(change, plan)
        outbox.claim_plan(change, expected_hash=change.plan_hash)
        steps.log_asked(change)
    return change


@pytest.fixture
def read_world(world):
    world.read()
    return world
