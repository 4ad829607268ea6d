"""What became of each step of a change, as a file; and that file fed back, to try again what failed."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.errors import Reason
from membership.models import Change, Operation
from membership.services import exports
from membership.services.again import draft_retry
from membership.services.change_pages import steps
from membership.services.shell import audited, need_right, need_visible, refuse
from membership.services.step_sentences import step_text
from membership.services.step_words import outcome
from membership.vocab import OperationState, Right

if TYPE_CHECKING:
    from django.contrib.auth.models import User

LARGEST_FILE = 20 * 1024 * 1024
CHANGE, STEP = gettext_lazy("change no."), gettext_lazy("step no.")
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_DELIMITERS = ",;\t"


def _outcome(step: Operation) -> Any:
    return outcome(step, timezone.now())


COLUMNS: Sequence[exports.Column] = (
    (CHANGE, "change_id"),
    (STEP, lambda step: step.position + 1),
    (gettext_lazy("step"), step_text),
    (gettext_lazy("name"), "subject_label"),
    (gettext_lazy("group"), "group__name"),
    (gettext_lazy("system"), "connection__name"),
    (gettext_lazy("outcome"), lambda step: _outcome(step).word),
    (gettext_lazy("more about it"), lambda step: _outcome(step).text),
    (gettext_lazy("when"), "settled_at"),
    (gettext_lazy("attempts"), "attempts"),
)


def _read_back(change: Change) -> Callable[[Operation], str]:
    """What reading a step's stage back has shown of it; nothing for what did not go well, or was not read back."""
    stages = list(change.stages.exclude(judged_at=None))

    def found(step: Operation) -> str:
        stage = next((each for each in stages if each.begins <= step.position < each.ends), None)
        if stage is None or step.state not in (OperationState.CONFIRMED, OperationState.NOT_NEEDED):
            return ""
        if step.group_id in stage.unread_groups:
            return _("no: the group could not be read")
        return _("not as confirmed") if step.pk in stage.differing else _("as confirmed")

    return found


@audited
def result_file(change: Change, *, actor: "User") -> tuple[str, str, Iterator[bytes]]:
    """Each step with its outcome in words, as CSV: `(file name, content type, its bytes)`, for a streaming response.

    That it was made is in the log before this returns. Cells cannot start formulas.
    """
    need_right(actor, Right.SEE)
    need_visible(change, actor)
    name = f"change-{change.pk}-results"
    columns = (*COLUMNS, (gettext_lazy("read back"), _read_back(change)))
    return exports.export(
        steps(change), columns, actor=actor, list_name=name, query=f"change={change.pk}", format="csv"
    )


@audited
def draft_retry_from_file(change: Change, content: bytes, *, actor: "User") -> Change:
    """Store a plan that tries again those steps which failed and have a row in a result file of this change.

    Rows of steps that went well are left alone. Raises `ChangeRefused` for a file that is none of this change, with
    what is wrong with it, and when no row names a step that failed; then nothing is planned.
    """
    need_right(actor, Right.ACT)
    need_visible(change, actor)
    numbers = set(_numbers(change, _text(content)))
    if not numbers:
        _refuse(_("it has no row below its headers"))
    return draft_retry(change, actor=actor, positions={number - 1 for number in numbers})


def _refuse(why: str) -> NoReturn:
    refuse(Reason.RESULT_FILE_NOT_USABLE, why=why)


def _text(content: bytes) -> str:
    if len(content) > LARGEST_FILE:
        _refuse(_("it is larger than %(limit)s MiB") % {"limit": LARGEST_FILE // 1024 // 1024})
    try:
        # A spreadsheet may save it anew, with the other mark at its beginning.
        return content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        _refuse(_("it is no text in UTF-8"))


def _numbers(change: Change, text: str) -> Iterator[int]:
    """The steps that the rows name, from 1."""
    head = text.partition("\n")[0]
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=max(_DELIMITERS, key=head.count))
    line = 0
    try:
        columns = _columns(next(rows, []))
        line = 1
        for line, row in enumerate(rows, start=2):
            if any(cell.strip() for cell in row):
                yield _step(change, row, columns, line)
    except csv.Error:
        _refuse(_("row %(row)s cannot be read") % {"row": line + 1})


def _columns(headers: Sequence[str]) -> Mapping[str, int]:
    known = [header.strip().casefold() for header in headers]
    places = {name: known.index(str(title).casefold()) for name, title in _WANTED if str(title).casefold() in known}
    if len(places) < len(_WANTED):
        said = {"change": str(CHANGE), "step": str(STEP)}
        _refuse(_("it has no columns “%(change)s” and “%(step)s”, as a result file has them") % said)
    return places


_WANTED = (("change", CHANGE), ("step", STEP))


def _step(change: Change, row: Sequence[str], columns: Mapping[str, int], line: int) -> int:
    cells = {name: row[place].strip() if place < len(row) else "" for name, place in columns.items()}
    if not all(_NUMBER.fullmatch(cell) for cell in cells.values()):
        _refuse(_("row %(row)s names no step") % {"row": line})
    if int(cells["change"]) != change.pk:
        _refuse(_("row %(row)s is of change %(other)s, not of this one") % {"row": line, "other": int(cells["change"])})
    if not 1 <= int(cells["step"]) <= change.operations_count:
        _refuse(_("row %(row)s names a step that this change does not have") % {"row": line})
    return int(cells["step"])
