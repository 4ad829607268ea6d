"""`{% load verbs %}`: what pages say of steps that wait for somebody, and which systems can do an action."""

from collections.abc import Mapping, Sequence

from django import template
from django.utils.translation import gettext as _

from membership.models import Operation
from membership.services import way_back
from membership.vocab import Verb

register = template.Library()


@register.simple_tag
def systems_of(action_systems: Mapping[str, Sequence[int]], action: str) -> str:
    """Ids of the systems that can do an action, for the script that hides what the ticked rows' systems cannot."""
    return " ".join(str(pk) for pk in action_systems.get(action, ()))


@register.filter
def may_be_put_back(operation: Operation) -> bool:
    return way_back.may_be_put_back(operation)


@register.filter
def all_the_same(operation: Operation) -> str:
    """The button that sends a step again although somebody else changed things."""
    words = {
        Verb.ADD: _("Add all the same"),
        Verb.REMOVE: _("Remove all the same"),
        Verb.UPDATE: _("Change it all the same"),
    }
    return words.get(Verb(operation.verb), _("Do it all the same"))
