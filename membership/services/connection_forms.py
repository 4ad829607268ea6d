"""The form of a system: which fields it has for each provider, and what was typed into them. No JSON box.

Secrets never come back to a page: a field says whether one is set, and left empty it keeps it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from django.utils.translation import gettext as _

from membership.errors import BadValue
from membership.models import Connection
from membership.plans.drafting import drafter
from membership.remotes import provider_class
from membership.services import connection_values as values
from membership.services.connections import Limits
from membership.vocab import PROVIDERS

OPTION, SECRET, CLEAR = "option.", "secret.", ".clear"
BASIC, LIMIT = "basic", "limit"
WHOLE = ("burst", "concurrency")
"""Limits that are whole numbers."""


@dataclass(frozen=True, slots=True)
class FormField:
    """One field as a page draws it. `name` is what the page posts; `section`: basic, option, secret or limit."""

    name: str
    section: str
    label: str
    help: str = ""
    kind: str = "text"
    """text, url, choice, boolean, number, secret"""
    choices: tuple[tuple[str, str], ...] = ()
    """`(value, label)`"""
    value: str = ""
    example: str = ""
    required: bool = False
    is_secret: bool = False
    is_set: bool = False
    """Of a secret: whether one is stored."""
    only_with: tuple[str, str] | None = None
    """`(name, value)` of the field that makes this one count."""


@dataclass(frozen=True, slots=True)
class Typed:
    """What was typed, as services take it; `errors`: `{field name: sentence}` of what cannot be used."""

    name: str
    url: str
    internal: bool
    options: Mapping[str, str]
    secrets: Mapping[str, str]
    limits: Limits
    errors: Mapping[str, str] = field(default_factory=dict)


def providers() -> list[tuple[str, str]]:
    """`(kind, label)` of what can be connected."""
    return [(kind, entry.label) for kind, entry in PROVIDERS.items()]


def form_fields(provider: str, connection: Connection | None = None) -> list[FormField]:
    """The fields of the form for a new system of this kind, or for a connected one. Raises `BadValue`."""
    kind = provider_class(values.provider(provider))
    row = connection or Connection(provider=provider, rate_per_s=PROVIDERS[provider].rate_per_s)
    return [
        *_basic(row),
        *(_option(option, row) for option in kind.options),
        *(_secret(secret, row) for secret in kind.secrets),
        *_limits(row),
    ]


def _basic(row: Connection) -> list[FormField]:
    return [
        FormField(
            "name",
            BASIC,
            _("Name"),
            _("As people here call it; it can be changed later."),
            value=row.name,
            required=True,
        ),
        FormField(
            "url",
            BASIC,
            _("Address"),
            _("With https:// at its front, as in the browser, without the page behind the host's name."),
            kind="url",
            value=row.base_url,
            example="https://chat.example.org",
            required=True,
        ),
        FormField(
            "internal",
            BASIC,
            _("Inside our own network"),
            _("Tick it if the address is a private or local one; others are refused without it."),
            kind="boolean",
            value="true" if row.internal else "false",
        ),
    ]


def _option(option: Any, row: Connection) -> FormField:
    return FormField(
        OPTION + option.key,
        "option",
        _(option.label),
        _(option.help) if option.help else "",
        kind="choice" if option.choices else option.kind,
        choices=_choices(option),
        value=row.options.get(option.key, "") or option.default,
        example=option.example,
        required=option.required,
        only_with=_only_with(option),
    )


def _secret(option: Any, row: Connection) -> FormField:
    return FormField(
        SECRET + option.key,
        "secret",
        _(option.label),
        _(option.help) if option.help else "",
        kind="secret",
        example=option.example,
        required=option.required,
        is_secret=True,
        is_set=bool(row.secrets.get(option.key)),
        only_with=_only_with(option),
    )


def _choices(option: Any) -> tuple[tuple[str, str], ...]:
    labels = option.choice_labels or option.choices
    return tuple((value, _(label)) for value, label in zip(option.choices, labels, strict=True))


def _only_with(option: Any) -> tuple[str, str] | None:
    return (OPTION + option.only_with[0], option.only_with[1]) if option.only_with else None


def _limits(row: Connection) -> list[FormField]:
    said = {
        "rate_per_s": (_("Requests per second"), _("What the system's operator allows. A page's tests count, too.")),
        "burst": (_("Requests in one go"), _("How many may leave at once after a rest.")),
        "concurrency": (_("Requests at the same time"), _("How many may wait for their answers together.")),
        "timeout_s": (_("Time limit of a request, in seconds"), _("After it the outcome is read back.")),
        "settle_s": (
            _("Wait before reading back, in seconds"),
            _("How long the system may need until what it did can be read."),
        ),
    }
    return [
        FormField(name, LIMIT, label, told, kind="number", value=_number(getattr(row, name)))
        for name, (label, told) in said.items()
    ]


def _number(value: float) -> str:
    return f"{value:g}"


# what was typed


def read_form(provider: str, posted: Mapping[str, str], connection: Connection | None = None) -> Typed:
    """What a page posted, each field looked at by itself, so that all errors are told at once."""
    kind = provider_class(values.provider(provider))
    present_options, present_secrets = (connection.options, connection.secrets) if connection else ({}, {})
    errors: dict[str, str] = {}
    options = {option.key: posted.get(OPTION + option.key, "").strip() for option in kind.options}
    secrets = _typed_secrets(kind.secrets, posted)
    chosen = {option.key: options.get(option.key) or option.default for option in kind.options}
    errors |= {OPTION + key: why for key, why in values.problems(kind.options, present_options, options)}
    errors |= {SECRET + key: why for key, why in values.problems(kind.secrets, present_secrets, secrets)}
    _need_those_that_count(kind.secrets, chosen, {**present_secrets, **secrets}, errors)
    name, url = posted.get("name", "").strip(), posted.get("url", "").strip()
    _collect(errors, lambda: values.name(name))
    _collect(errors, lambda: values.url(url))
    if Connection.objects.filter(name=name).exclude(pk=connection.pk if connection else 0).exists():
        errors.setdefault("name", values.name_is_taken())
    return Typed(
        name=name,
        url=url,
        internal=posted.get("internal", "") in ("true", "on", "1"),
        options=options,
        secrets=secrets,
        limits=_typed_limits(posted, errors),
        errors=errors,
    )


def _typed_secrets(known: Any, posted: Mapping[str, str]) -> dict[str, str]:
    """Only what was typed; "" takes a secret away, for which the page posts `<name>.clear`."""
    typed = {}
    for option in known:
        name = SECRET + option.key
        if posted.get(name):
            typed[option.key] = posted[name]
        elif posted.get(name + CLEAR):
            typed[option.key] = ""
    return typed


def _need_those_that_count(
    known: Any, chosen: Mapping[str, str], present: Mapping[str, str], errors: dict[str, str]
) -> None:
    """The secret of the chosen way to sign in is needed, although the form has others."""
    for option in known:
        counts = option.only_with is not None and chosen.get(option.only_with[0]) == option.only_with[1]
        if counts and not present.get(option.key):
            errors.setdefault(SECRET + option.key, _("it is needed"))


def _typed_limits(posted: Mapping[str, str], errors: dict[str, str]) -> Limits:
    found: dict[str, Any] = {}
    for known in fields(Limits):
        text = posted.get(known.name, "").strip().replace(",", ".")
        if not text:
            continue
        try:
            number = int(text) if known.name in WHOLE else float(text)
        except ValueError:
            whole = known.name in WHOLE
            errors[known.name] = _("it must be a whole number") if whole else _("it must be a number")
            continue
        if _collect(errors, partial(values.limit, known.name, number)):
            found[known.name] = number
    return Limits(**found)


def _collect(errors: dict[str, str], check: Callable[[], object]) -> bool:
    """Keep what a check refuses. True: it refused nothing."""
    try:
        check()
    except BadValue as error:
        errors.setdefault(str(error.params["key"]), str(error.params["why"]))
        return False
    return True


# what a kind of system can do


def offers(row: Connection) -> tuple[tuple[bool, str], ...]:
    """What a system of this kind, with these options, can be asked for: `(it can, sentence)` each."""
    able = drafter(row).capabilities
    return (
        _offer(able.add, _("People can be added to groups."), _("People cannot be added to groups.")),
        _offer(able.remove, _("People can be removed from groups."), _("People cannot be removed from groups.")),
        _offer("is_manager" in able.rights, _("Managers can be made."), _("Managers cannot be made.")),
        _offer("is_muted" in able.rights, _("People can be muted."), _("People cannot be muted.")),
        _offer(
            "can_write" in able.rights,
            _("Writing can be allowed and forbidden."),
            _("Writing cannot be allowed or forbidden."),
        ),
        _offer(able.create_group, _("Groups can be created."), _("Groups cannot be created.")),
        _offer(able.rename_group, _("Groups can be renamed."), _("Groups cannot be renamed.")),
        _offer(able.delete_group, _("Groups can be deleted."), _("Groups cannot be deleted.")),
        _offer(
            able.tells_actor,
            _("Its log tells who changed something outside."),
            _("Who changed something outside is not told."),
        ),
    )


def _offer(is_offered: bool, good: str, bad: str) -> tuple[bool, str]:
    return is_offered, good if is_offered else bad
