"""`{% load panel %}`: the small pieces of `admin/cells.py` and the sentences of `sentences.py` for templates."""

from datetime import datetime
from typing import Any

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from membership import sentences
from membership.models import (
    Account,
    Bundle,
    Change,
    Connection,
    Drift,
    Erasure,
    Group,
    LeftOut,
    LinkProposal,
    Operation,
    Participant,
    Person,
)
from membership.services import audit_fields, step_words, titles
from membership.services.inert import inert as inert_text
from membership.services.overview import Health
from membership.services.progress import Progress, Tally
from membership.templatetags import cells
from membership.vocab import OperationState

register = template.Library()
HEALTH_TONES = {
    Health.STOPPED: "bad",
    Health.MAINTENANCE: "warning",
    Health.SLOWED: "warning",
    Health.OLD: "warning",
    Health.NEW: "info",
    Health.WELL: "good",
}
LISTED = (Account, Bundle, Change, Connection, Drift, Erasure, Group, LinkProposal, Participant, Person)
MODELS = {model._meta.model_name: model for model in LISTED}


@register.filter
def inert(text: object) -> SafeString:
    return cells.name(text)


@register.filter
def moment(at: datetime | None, clock: str = "H:i") -> SafeString:
    return cells.moment(at, clock)


@register.filter
def moment_text(at: datetime) -> str:
    return cells.moment_text(at)


@register.filter
def full_moment(at: datetime) -> str:
    return cells.full_moment(at)


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
def marks(group: Group) -> SafeString:
    """What is special about a group; nothing where nothing is."""
    found = cells.group_tags(group)
    return SafeString("") if found is cells.NOTHING else found


@register.filter
def account_tags(account: Account) -> SafeString:
    found = cells.account_tags(account)
    return SafeString("") if found is cells.NOTHING else found


@register.filter(name="inert_text")
def plain(text: object) -> str:
    """For attributes: harmless text without markup."""
    return inert_text(str(text))


@register.filter
def page(row: Any) -> str:
    return cells.page(row)


@register.filter
def change_title(change: Change) -> str:
    return titles.title(change)


@register.filter
def step_html(operation: Operation) -> SafeString:
    return format_html('<span class="mu-step">{}</span>', step_words.step_markup(operation))


@register.filter
def outcome(operation: Operation) -> step_words.Outcome:
    return step_words.outcome(operation, timezone.now())


@register.filter
def call_lines(operation: Operation) -> list[str]:
    return step_words.call_lines(operation)


@register.filter
def today_there(operation: Operation) -> str:
    return step_words.today_there(operation)


@register.filter
def left_out_sentence(row: LeftOut) -> str:
    return step_words.left_out_sentence(row)


@register.filter
def user_name(user: Any) -> SafeString:
    return cells.user(user)


@register.filter
def there(state: dict[str, Any]) -> str:
    """What somebody is or was in a group, from a stored state."""
    return cells.there(state)


@register.simple_tag
def bar(progress: Progress, tally: Tally) -> SafeString:
    """One piece of a progress bar."""
    return cells.bar(tally.state, progress.share(tally.state))


@register.simple_tag
def filled(percent: float) -> SafeString:
    """A progress bar of one piece."""
    return cells.bar(OperationState.CONFIRMED, percent)


@register.simple_tag
def tally_tag(tally: Tally) -> SafeString:
    return cells.tag(
        tally.word, cells.VARIANTS.get(tally.state, "info" if tally.state in OperationState.open() else "plain")
    )


@register.simple_tag
def health_tag(health: Health) -> SafeString:
    """How a system is, in one word."""
    return cells.tag(health.label, HEALTH_TONES.get(health, "plain"))


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
    return inert_text(sentences.sentence(reason, params))


@register.simple_tag
def time_zone() -> str:
    return str(settings.TIME_ZONE)


@register.simple_tag
def timeline(field: str, pk: int) -> str:
    """Address of the timeline of what an entry's column names: `{% timeline "group_id" 3 %}`."""
    return reverse("admin:membership_auditentry_timeline", args=[field.removesuffix("_id"), pk])


@register.filter
def words(field: str) -> str:
    """A stored field's name, as people read it."""
    return audit_fields.name(field)


@register.filter
def field_value(stored: object) -> str:
    return audit_fields.value(stored)
