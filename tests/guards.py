"""Short words for tests of guards: rules set by hand, and plans that strike them."""

from membership.models import GuardRule
from membership.vocab import GuardLevel


def rule(guard, level, connection=None, **numbers):
    numbers = {"count": 0, "share_percent": 0, "group_size": 0, "age_minutes": 0, **numbers}
    GuardRule.objects.filter(guard=guard, connection=connection).delete()
    return GuardRule.objects.create(guard=guard, level=level, connection=connection, **numbers)


def asks(guard, connection=None, **numbers):
    return rule(guard, GuardLevel.APPROVAL, connection, **numbers)
