"""What a step does to whom, and what is so today: one sentence for every verb.

Labels come out inert, but not escaped: `step_markup` escapes, and isolates each label, so that names of both directions
can stand side by side.
"""

from collections.abc import Callable, Mapping
from typing import Any

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from membership.models import Operation
from membership.plans.drafting import drafter
from membership.plans.wishes import RIGHTS, SECRET_MARK
from membership.services.inert import inert
from membership.vocab import ERASED, Verb

_JOINS = gettext_lazy("{person} joins {group} in {system}")
_JOINS_AS_MANAGER = gettext_lazy("{person} joins {group} in {system} as manager")
_LEAVES = gettext_lazy("{person} leaves {group} in {system}")
_CHANGES = gettext_lazy("{person} in {group} of {system}: {what}")
_CREATED = gettext_lazy("The group {name} is created in {system}")
_RENAMED = gettext_lazy("The group {group} in {system} is renamed to {name}")
_DELETED = gettext_lazy("The group {group} in {system} is deleted")

_RIGHT: Mapping[tuple[str, bool], Any] = {
    ("is_manager", True): gettext_lazy("{person} becomes manager of {group} in {system}"),
    ("is_manager", False): gettext_lazy("{person} is no longer manager of {group} in {system}"),
    ("is_muted", True): gettext_lazy("{person} is muted in {group} in {system}"),
    ("is_muted", False): gettext_lazy("{person} is no longer muted in {group} in {system}"),
    ("can_write", True): gettext_lazy("{person} may write in {group} in {system}"),
    ("can_write", False): gettext_lazy("{person} may no longer write in {group} in {system}"),
}
RIGHT_WORDS: Mapping[tuple[str, bool], Any] = {
    ("is_manager", True): gettext_lazy("manager"),
    ("is_manager", False): gettext_lazy("no manager"),
    ("is_muted", True): gettext_lazy("muted"),
    ("is_muted", False): gettext_lazy("not muted"),
    ("can_write", True): gettext_lazy("may write"),
    ("can_write", False): gettext_lazy("may not write"),
}


def step_text(operation: Operation) -> str:
    """One sentence of plain text. Its group and connection should be loaded."""
    template, labels = _parts(operation)
    return template.format(**{key: inert(text) for key, text in labels.items()})


def step_markup(operation: Operation) -> SafeString:
    """The same for a page."""
    template, labels = _parts(operation)
    return format_html(template, **{key: format_html("<bdi>{}</bdi>", inert(text)) for key, text in labels.items()})


def _parts(operation: Operation) -> tuple[str, dict[str, str]]:
    labels = {
        "person": operation.subject_label,
        "group": operation.group.name if operation.group else operation.subject_label,
        "system": operation.connection.name,
    }
    template, more = _SENTENCES[Verb(operation.verb)](operation)
    return template, labels | more


def _of_addition(operation: Operation) -> tuple[str, dict[str, str]]:
    rights = {name: value for name, value in _rights(operation.wanted).items() if name != "is_manager"}
    template = str(_JOINS_AS_MANAGER if operation.wanted.get("is_manager") else _JOINS)
    if not rights:
        return template, {}
    return f"{template} ({{what}})", {"what": _joined_rights(rights)}


def _of_alteration(operation: Operation) -> tuple[str, dict[str, str]]:
    wanted = operation.wanted
    if operation.erased_at is not None:
        return str(_CHANGES), {"what": ERASED}
    if len(wanted) == 1:
        (name, value) = next(iter(wanted.items()))
        if name in RIGHTS:
            return str(_RIGHT[name, bool(value)]), {}
    what = [_joined_rights(_rights(wanted))] if _rights(wanted) else []
    labels = _field_labels(operation)
    what += [_field(labels.get(name, name), value) for name, value in wanted.items() if name not in RIGHTS]
    return str(_CHANGES), {"what": ", ".join(what)}


def _of_removal(_operation: Operation) -> tuple[str, dict[str, str]]:
    return str(_LEAVES), {}


def _of_creation(operation: Operation) -> tuple[str, dict[str, str]]:
    count = len(operation.wanted.get("members", ()))
    name = {"name": str(operation.wanted.get("name", ""))}
    if not count:
        return str(_CREATED), name
    members = ngettext("with %(count)d person", "with %(count)d people", count) % {"count": count}
    return f"{_CREATED} ({{what}})", {**name, "what": members}


def _of_renaming(operation: Operation) -> tuple[str, dict[str, str]]:
    labels = {"name": str(operation.wanted.get("name", ""))}
    before = operation.before.get("name")
    return str(_RENAMED), {**labels, "group": str(before)} if before else labels


def _of_deletion(_operation: Operation) -> tuple[str, dict[str, str]]:
    return str(_DELETED), {}


_SENTENCES: Mapping[Verb, Callable[[Operation], tuple[str, dict[str, str]]]] = {
    Verb.ADD: _of_addition,
    Verb.UPDATE: _of_alteration,
    Verb.REMOVE: _of_removal,
    Verb.CREATE_GROUP: _of_creation,
    Verb.RENAME_GROUP: _of_renaming,
    Verb.DELETE_GROUP: _of_deletion,
}


def _rights(facts: Mapping[str, Any]) -> dict[str, bool]:
    return {name: facts[name] for name in RIGHTS if isinstance(facts.get(name), bool)}


def _joined_rights(rights: Mapping[str, bool]) -> str:
    return ", ".join(str(RIGHT_WORDS[name, value]) for name, value in rights.items())


def _field_labels(operation: Operation) -> dict[str, str]:
    return {field.key: _(field.label) for field in drafter(operation.connection).capabilities.fields}


def _field(label: str, value: Any) -> str:
    """A field with its value; of a secret only that it is set."""
    if value == SECRET_MARK:
        return _("%(field)s is set anew") % {"field": label}
    return _("%(field)s: %(value)s") % {"field": label, "value": _shown(value)}


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, Mapping):
        return _("set") if value.get("is_set") else _("not set")
    return _("“%(text)s”") % {"text": value} if value not in (None, "") else _("empty")


def today_there(operation: Operation) -> str:
    """What was so when the plan was compiled: "manager, member", "not there", "Nickname: “Ada”"."""
    before = operation.before
    if operation.verb == Verb.ADD:
        return _("not there")
    if operation.verb not in (Verb.UPDATE, Verb.REMOVE):
        return ""
    words = [str(RIGHT_WORDS["is_manager", True])] if before.get("is_manager") else []
    words += [_("member")] if before.get("is_member") else []
    words += [str(RIGHT_WORDS["can_write", False])] if before.get("can_write") is False else []
    words += [str(RIGHT_WORDS["is_muted", True])] if before.get("is_muted") else []
    fields = before.get("fields")
    if fields:
        labels = _field_labels(operation)
        words += [
            _("%(field)s: %(value)s") % {"field": labels.get(name, name), "value": _shown(value)}
            for name, value in fields.items()
        ]
    return inert(", ".join(words))
