"""`{% load panel %}`: the small pieces of `admin/cells.py` and the sentences of `sentences.py` for templates."""

from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.utils.safestring import SafeString

from membership import sentences
from membership.admin import cells
from membership.models import Account, Change, Connection, Drift, Group, Participant, Person

register = template.Library()
MODELS = {
    model._meta.model_name: model for model in (Account, Change, Connection, Drift, Group, Participant, Person)
}


@register.filter
def inert(text: object) -> SafeString:
    return cells.name(text)


@register.filter
def moment(at: datetime | None) -> SafeString:
    return cells.moment(at)


@register.filter
def as_of(at: datetime | None) -> SafeString:
    return cells.as_of(at)


@register.filter
def state_tag(row: Any, field: str = "state") -> SafeString:
    return cells.state_tag(row, field)


@register.filter
def yes_no(value: bool | None) -> SafeString:
    return cells.yes_no(value)


@register.filter
def role(row: Participant) -> SafeString:
    return cells.role(row)


@register.filter
def group_tags(group: Group) -> SafeString:
    return cells.group_tags(group)


@register.filter
def page(row: Any) -> str:
    return cells.page(row)


@register.filter
def call_line(call: dict[str, Any]) -> str:
    return cells.call_line(call)


@register.filter
def call_rest(call: dict[str, Any]) -> list[str]:
    return cells.call_rest(call)


@register.simple_tag
def tag(word: object, variant: str = "plain") -> SafeString:
    return cells.tag(word, variant)


@register.simple_tag
def listing(model: str, **filters: object) -> str:
    """Address of a model's list, filtered: `{% listing "participant" group=3 %}`."""
    return cells.listing(MODELS[model], **filters)


@register.simple_tag
def sentence(reason: str, params: dict[str, Any] | None = None) -> str:
    """The sentence of a reason code, with what remotes and people said in it made inert."""
    return cells.inert.shown(sentences.sentence(reason, params))


@register.simple_tag
def time_zone() -> str:
    return settings.TIME_ZONE
