"""Pages that ask "which ones?" before a preview: rows are searched and ticked, rights given, and a draft is made."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.db.models import Model, Q, QuerySet
from django.http import HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.translation import gettext_lazy as _

from membership.admin.base import PanelAdmin, Text
from membership.admin.requests import ROW_ID, Request, whence
from membership.admin.selections import IDS, QUERY
from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.sentences import say
from membership.services import inert, shell
from membership.templatetags import cells

SHOWN = 30
POLITE = 200  # characters of a search that are looked at

RIGHT_BOXES: Mapping[str, tuple[bool, Text]] = {
    "is_manager": (True, _("as manager")),
    "can_write": (False, _("without writing")),
    "is_muted": (True, _("muted")),
}
"""Rights that differ from what anybody has: a tick wishes this value, no tick wishes nothing."""

Ticked = dict[str, bool]


@dataclass(frozen=True, slots=True)
class Line:
    """One row to choose. `barred`: it is shown, and cannot be chosen. `rights`: those offered for this row alone."""

    pk: int
    main: object
    below: object
    marks: object = ""
    barred: bool = False
    rights: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Choices:
    """What can be chosen. `named` is the condition by which a word of the search finds a row."""

    known: QuerySet
    """Every row that the user may see, with what its line needs."""
    rows: QuerySet
    """Those of them that are offered."""
    named: Callable[[str], Q]
    line: Callable[[Any], Line]
    hint: Text
    nothing: Text


@dataclass(frozen=True, slots=True)
class Answer:
    """What was ticked. `each`: rights by row. `data`: what the form above the rows took."""

    rows: list[Any]
    rights: Ticked
    each: Mapping[int, Ticked]
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Pick:
    """One question. `draft` does what was answered, and returns the row whose page comes next."""

    title: str
    button: Text
    choices: Choices
    draft: Callable[[Answer], Model]
    back: str
    lead: Text = ""
    crumbs: Sequence[tuple[object, str]] = ()
    many: bool = True
    needs_one: bool = True
    rights: Sequence[str] = ()
    form: forms.Form | None = None
    chosen: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """`{row: its rights}` that are ticked from the start."""
    warning: Text = ""


def ask(page: PanelAdmin, request: Request, pick: Pick) -> HttpResponse:
    """The page of a question; the answer to it leads to what it made."""
    if pick.form is not None:
        # Its fields stand above the search, which is a form of its own.
        for each in pick.form.fields.values():
            each.widget.attrs["form"] = "pick"
    error = ""
    if request.method == "POST":
        try:
            return HttpResponseRedirect(cells.page(pick.draft(_answer(request, pick))))
        except (BadValue, ChangeRefused) as refusal:
            if not refusal.is_recorded:
                shell.record_refusal("request", refusal, actor=request.user, personal=whence(request))
            error = inert.inert(say(refusal))
    context = {"pick": pick, "error": error, "rights": _boxes(request, pick), **_found(request, pick)}
    if pick.crumbs:
        context["crumbs"] = pick.crumbs
    return page.render(request, "membership/pick.html", title=pick.title, **context)


def _answer(request: Request, pick: Pick) -> Answer:
    if pick.form is not None and not pick.form.is_valid():
        name, errors = next(iter(pick.form.errors.items()))
        raise BadValue(Reason.BAD_VALUE, key=pick.form[name].label, why=" ".join(str(each) for each in errors))
    ids = _ids(request.POST)
    if pick.needs_one and (not ids or (len(ids) > 1 and not pick.many)):
        raise ChangeRefused(Reason.NOTHING_SELECTED)
    offered = set(pick.rights)
    rights = {name: RIGHT_BOXES[name][0] for name in request.POST.getlist("right") if name in offered}
    each = {pk: {name: RIGHT_BOXES[name][0] for name in names} for pk, names in _each(request.POST).items()}
    data = pick.form.cleaned_data if pick.form is not None else {}
    return Answer(_rows(pick, ids), rights, each, data)


def _rows(pick: Pick, ids: Sequence[int]) -> list[Any]:
    """The rows that were ticked, whatever the list would offer now. Raises `NotAllowed` when any is out of sight."""
    found = pick.choices.known.in_bulk(ids)
    if len(found) < len(ids):
        raise NotAllowed(Reason.NOT_VISIBLE)
    return [found[pk] for pk in ids]


def _ids(data: QueryDict) -> list[int]:
    texts = data.getlist("chosen")
    if not all(ROW_ID.fullmatch(text) for text in texts):
        raise NotAllowed(Reason.REQUEST_FORGED)
    return list(dict.fromkeys(int(text) for text in texts))


def _each(data: QueryDict) -> dict[int, list[str]]:
    """`{row: the rights that are ticked for it}`."""
    found: dict[int, list[str]] = {}
    for text in data.getlist("each"):
        pk, _colon, name = text.partition(":")
        if not ROW_ID.fullmatch(pk) or name not in RIGHT_BOXES:
            raise NotAllowed(Reason.REQUEST_FORGED)
        found.setdefault(int(pk), []).append(name)
    return found


def _found(request: Request, pick: Pick) -> dict[str, Any]:
    """What is ticked already, then what the search finds."""
    data = request.POST if request.method == "POST" else request.GET
    if request.method == "POST" or "looked" in data:
        ticked, each = _ids(data), _each(data)
    else:
        ticked, each = list(pick.chosen), {pk: list(names) for pk, names in pick.chosen.items()}
    search = data.get("q", "").replace("\0", "")[:POLITE]
    rows = pick.choices.rows
    for word in search.split():
        rows = rows.filter(pick.choices.named(word))
    listed = list(rows.exclude(pk__in=ticked)[: SHOWN + 1])
    known = pick.choices.known.in_bulk(ticked)
    return {
        "ticked": [_shown(pick, known[pk], each.get(pk, ())) for pk in ticked if pk in known],
        "lines": [_shown(pick, row, each.get(row.pk, ())) for row in listed[:SHOWN]],
        "has_more": len(listed) > SHOWN,
        "search": search,
        "carried": [(name, request.GET[name]) for name in (IDS, QUERY, "system") if name in request.GET],
    }


def _shown(pick: Pick, row: Any, rights: Sequence[str]) -> dict[str, Any]:
    """A line, and the boxes of its own rights: (value, words, ticked)."""
    line = pick.choices.line(row)
    return {
        "line": line,
        "boxes": [(f"{line.pk}:{name}", RIGHT_BOXES[name][1], name in rights) for name in line.rights],
    }


def _boxes(request: Request, pick: Pick) -> list[tuple[str, Text, bool]]:
    """(name, words, ticked) of the rights that are offered for all rows together."""
    ticked = request.POST.getlist("right")
    return [(name, RIGHT_BOXES[name][1], name in ticked) for name in pick.rights]
