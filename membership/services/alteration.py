"""Drafts of alterations: rights of many participants, or everything that can be edited about one."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from membership.errors import BadValue, Reason
from membership.models import Change, Participant
from membership.plans.wishes import RIGHTS, SECRET_MARK, USUAL, Update
from membership.services import drafts, selecting
from membership.services.abilities import Field, abilities
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.vocab import ChangeKind, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LARGEST_NUMBER = 2**31 - 1


@audited
def draft_alteration(
    participants: QuerySet[Participant],
    wanted: Mapping[str, bool],
    *,
    actor: "User",
    selection: Mapping[str, Any],
) -> Change:
    """Store the plan that gives `participants` the rights `wanted`, such as `{"is_manager": True}`, guards applied.

    Raises `NotAllowed` when any row is out of the actor's sight, `BadValue` for something that is no right,
    `ChangeRefused` when nothing is selected.
    """
    need_right(actor, Right.ACT)
    wished = selecting.rights(wanted)
    if not wished:
        refuse(Reason.NOTHING_SELECTED)
    rows = selecting.participants(participants, selection, actor)
    wishes = [Update(pk, wished) for pk in rows.values_list("pk", flat=True)]
    return drafts.draft(ChangeKind.ALTERATION, wishes, {**selection, "wanted": wished}, actor=actor)


def shown_state(participant: Participant) -> str:
    """What an edit page saw of a participant: it goes into the form, and comes back as `shown`.

    Only what can be edited counts: a message that somebody read meanwhile is no conflict.
    """
    rights = [getattr(participant, name) for name in RIGHTS]
    seen = (rights, sorted(participant.attributes.items()), sorted(participant.secrets.items()), participant.is_present)
    return salted_hmac("membership.services.alteration.shown", repr(seen), algorithm="sha256").hexdigest()[:32]


def right_now(participant: Participant, name: str) -> bool:
    """A right as pages show it: one that the system does not tell is as everybody has it."""
    value: bool | None = getattr(participant, name)
    return USUAL[name] if value is None else value


@audited
def draft_edit(participant: Participant, values: Mapping[str, Any], *, shown: str, actor: "User") -> Change:
    """Store the plan that gives one participant these rights and fields. What is not named stays as it is.

    `shown` is `shown_state` of the page on which it was edited. Secrets are named in `values` only when they are to be
    set anew; they are encrypted, and no plan, page or log holds them.

    Raises `ChangeRefused` when somebody else changed the participant since, `BadValue` for a field that the system does
    not have or a value that does not fit it.
    """
    need_right(actor, Right.ACT)
    need_visible(participant, actor)
    row = Participant.objects.select_related("group__connection").get(pk=participant.pk)
    if shown != shown_state(row):
        refuse(Reason.EDITED_MEANWHILE)
    wish = edit_wish(row, values)
    if not wish.values:
        refuse(Reason.NOTHING_SELECTED)
    selection = {"kind": "ids", "ids": [row.pk], "edit": sorted(wish.values), "label": str(row)}
    return drafts.draft(ChangeKind.ALTERATION, [wish], selection, actor=actor)


def edit_wish(row: Participant, values: Mapping[str, Any]) -> Update:
    """The wish that gives `values` to one participant, each checked. Its group and connection should be loaded."""
    can = abilities(row.group.connection)
    fields = {field.key: field for field in can.fields}
    wished: dict[str, Any] = selecting.rights({name: values[name] for name in RIGHTS if name in values})
    secrets: dict[str, str] = {}
    for name, given in values.items():
        if name in RIGHTS:
            continue
        field = fields.get(name)
        if field is None:
            raise BadValue(Reason.BAD_VALUE, key=name, why=_("%(system)s has no such field") % _system(row))
        value = _value(field, given)
        if field.is_secret:
            secrets[name] = str(value)
        wished[name] = dict(SECRET_MARK) if field.is_secret else value
    return Update(row.pk, wished, secrets)


def _system(row: Participant) -> dict[str, str]:
    return {"system": row.group.connection.provider_label}


def _value(field: Field, given: Any) -> Any:
    """What was typed, as the field takes it. Raises `BadValue` that says why it does not fit."""
    if field.kind == "boolean":
        if isinstance(given, bool):
            return given
        raise _bad(field, _("it is neither yes nor no"))
    text = str(given).replace("\r\n", "\n").strip()
    if field.kind == "number":
        if not text.isascii() or not text.isdigit() or int(text) > LARGEST_NUMBER:
            raise _bad(field, _("it is not a whole number"))
        return int(text)
    if field.max_length and len(text) > field.max_length:
        many = ngettext(
            "it is longer than %(limit)d character", "it is longer than %(limit)d characters", field.max_length
        )
        raise _bad(field, many % {"limit": field.max_length})
    if not field.takes(text):
        colour = field.kind == "colour"
        raise _bad(field, _("it is not of the form #1a2b3c") if colour else _("it holds control characters"))
    return text


def _bad(field: Field, why: str) -> BadValue:
    return BadValue(Reason.BAD_VALUE, key=field.label, why=why)
