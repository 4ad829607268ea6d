"""What was selected on a page, checked: nobody acts on rows that no page showed to them."""

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models
from django.db.models import QuerySet

from membership.errors import BadValue, NotAllowed, Reason
from membership.models import Participant, visible_to
from membership.plans.wishes import RIGHTS
from membership.services.shell import refuse

if TYPE_CHECKING:
    from django.contrib.auth.models import User

M = TypeVar("M", bound=models.Model)

_ROW_ID = re.compile(r"[0-9]{1,18}")


def participants(queryset: QuerySet[Participant], selection: Mapping[str, Any], actor: "User") -> QuerySet[Participant]:
    """The same rows, whatever else the queryset is: sliced, ordered, annotated.

    Raises `NotAllowed` when any of them is out of the actor's sight: ids that pages never showed mean a forged request.
    """
    asked = Participant.objects.filter(pk__in=queryset.values("pk"))
    named = named_ids(selection)
    hidden = asked.exclude(pk__in=visible_to(asked, actor).values("pk")).exists()
    if hidden or visible_to(Participant.objects.filter(pk__in=named), actor).count() < len(named):
        raise NotAllowed(Reason.NOT_VISIBLE)
    return visible_to(asked, actor)


def named_ids(selection: Mapping[str, Any]) -> set[int]:
    """The ids that a selection of rows names; none for a stored query. Raises `ChangeRefused` when they are no ids."""
    if selection.get("kind") != "ids":
        return set()
    texts = [str(each) for each in selection["ids"]]
    if not all(_ROW_ID.fullmatch(text) for text in texts):
        refuse(Reason.REQUEST_FORGED)
    return {int(text) for text in texts}


def seen(rows: Iterable[M], actor: "User", *related: str) -> list[M]:
    """The rows as they are now, in the given order, each once. Raises `NotAllowed` when any is out of sight."""
    given = list(rows)
    if not given:
        return []
    ids = list(dict.fromkeys(row.pk for row in given))
    visible = visible_to(type(given[0])._default_manager.select_related(*related), actor).in_bulk(ids)
    if len(visible) < len(ids):
        raise NotAllowed(Reason.NOT_VISIBLE)
    return [visible[pk] for pk in ids]


def rights(given: Mapping[str, Any]) -> dict[str, bool]:
    """Rights that a wish names. Raises `BadValue` for any other name, or a value that is neither yes nor no."""
    for name, value in given.items():
        if name not in RIGHTS or not isinstance(value, bool):
            raise BadValue(Reason.BAD_VALUE, key=name, why=str(value)[:100])
    return dict(given)
