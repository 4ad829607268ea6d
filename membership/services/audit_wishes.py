"""What a change or a step is to do, in words: "remove 3 people from 2 groups", "the removal of Ada from Chess club"."""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from membership.services import audit_fields
from membership.vocab import ERASED, ChangeKind, Verb

Facts = Mapping[str, Any]
"""The sealed data and the personal part of one entry in one mapping, with `actor`, `system`, `outcome` and ids."""

_DEEDS = {
    Verb.CREATE_GROUP: _("the creation of the group %(person)s"),
    Verb.RENAME_GROUP: _("the renaming of the group %(person)s%(renamed)s"),
    Verb.ADD: _("the addition of %(person)s to %(group)s"),
    Verb.UPDATE: _("the alteration of %(person)s in %(group)s%(fields_wanted)s"),
    Verb.REMOVE: _("the removal of %(person)s from %(group)s"),
    Verb.DELETE_GROUP: _("the deletion of the group %(person)s"),
}
_WISHES = {
    ChangeKind.REMOVAL: _("remove %(people)s from %(groups)s"),
    ChangeKind.ADDITION: _("add %(people)s to %(groups)s"),
    ChangeKind.ALTERATION: _("change the rights of %(people)s in %(groups)s"),
    ChangeKind.MOVE: _("move %(people)s between %(groups)s"),
    ChangeKind.COPY: _("copy %(people)s to %(groups)s"),
    ChangeKind.BUNDLE: _("give a bundle of %(groups)s to %(people)s"),
    ChangeKind.BUNDLE_WITHDRAWN: _("withdraw a bundle of %(groups)s from %(people)s"),
    ChangeKind.SAME_GROUPS: _("give %(people)s the same %(groups)s as somebody"),
    ChangeKind.MATRIX: _("change the places of %(people)s in %(groups)s"),
    ChangeKind.REVERT: _("undo what was changed outside for %(people)s in %(groups)s"),
    ChangeKind.BACK_TO_DAY: _("bring %(groups)s back to an earlier day (%(people)s)"),
    ChangeKind.WAY_BACK: _("put %(people)s back as before in %(groups)s"),
    ChangeKind.RETRY: _("try %(steps)s again"),
    ChangeKind.LEAVER: _("have %(people)s leave everything (%(groups)s)"),
    ChangeKind.ROSTER: _("bring %(people)s in %(groups)s in line with a list"),
    ChangeKind.TAKE_BACK: _("take a change back: %(people)s in %(groups)s"),
    ChangeKind.ENDING: _("remove %(people)s from %(groups)s at the end of their time"),
    ChangeKind.GROUP: _("change %(groups)s"),
}


def deed(facts: Facts, words: Facts) -> str:
    """What a step is to do: "the removal of Ada from Chess club". `words` name whom and where."""
    try:
        template = _DEEDS[Verb(facts.get("verb") or Verb.REMOVE)]
    except ValueError:
        return gettext("a step")
    return str(template) % words


def wish(facts: Facts) -> str:
    """What a change is about: "remove 3 people from 2 groups"."""
    people = number(facts, "people", lambda n: ngettext("%(n)s person", "%(n)s people", n))
    groups = number(facts, "groups", lambda n: ngettext("%(n)s group", "%(n)s groups", n))
    steps = number(facts, "operations", lambda n: ngettext("%(n)s step", "%(n)s steps", n))
    kind = facts.get("kind")
    if kind == ChangeKind.REMOVAL_EVERYWHERE:
        if not facts.get("operations"):  # its places are still being read
            person = facts.get("person") or (ERASED if facts.get("erased") else gettext("somebody"))
            return gettext("remove %(person)s from everywhere") % {"person": person}
        return gettext("remove %(people)s from everywhere (%(groups)s)") % {"people": people, "groups": groups}
    template = _WISHES.get(ChangeKind(kind)) if kind in set(ChangeKind) else None
    counted = {"people": people, "groups": groups, "steps": steps}
    return str(template or _("make a change of %(steps)s")) % counted


def number(facts: Facts, name: str, noun: Callable[[int], str]) -> str:
    number = facts.get(name)
    return noun(number) % {"n": f"{number:,}"} if isinstance(number, int) else noun(2) % {"n": "…"}


def fields_wanted(facts: Facts) -> str:
    """Such as " (muted: yes)"."""
    after = facts.get("after")
    fields = after.items() if isinstance(after, Mapping) else ()
    said = [f"{audit_fields.name(name)}: {audit_fields.value(value)}" for name, value in fields]
    return f" ({', '.join(said)})" if said else ""


def renamed(facts: Facts) -> str:
    after = facts.get("after")
    name = after.get("name") if isinstance(after, Mapping) else None
    return gettext(" to “%(name)s”") % {"name": name} if name else ""
