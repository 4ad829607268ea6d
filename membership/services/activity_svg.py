"""Thirty days of activity as a picture that the server draws, and the same as a table: no script, no colour alone."""

from collections.abc import Sequence
from typing import NamedTuple

from django.utils.formats import date_format, number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from membership.services.activity import Activity, Day

WIDTH, HEIGHT = 600, 132
TOP, BOTTOM = 16, 20
"""Room for the largest number, and for the dates."""
GAP = 0.25
"""Of a day's width."""

# Refused bars are hatched, so that they are told apart without colour. Colours are the theme's, by class.
_PICTURE = """<svg class="mu-activity" viewBox="0 0 {} {}" role="img" aria-labelledby="{} {}">
<title id="{}">{}</title><desc id="{}">{}</desc>
<defs><pattern id="{}" width="4" height="4" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect class="mu-activity-refused" width="4" height="4"/><path class="mu-activity-hatch" d="M0 0V4"/></pattern></defs>
<path class="mu-activity-line" d="M0 {}H{}"/>
{}
<text x="0" y="12">{}</text><text x="0" y="{}">{}</text><text x="{}" y="{}" text-anchor="end">{}</text>
</svg>"""
_BAR = '<rect class="mu-activity-{}" x="{}" y="{}" width="{}" height="{}" fill="{}"><title>{}</title></rect>'
_ROW = '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>'
_TABLE = """<table class="mu-table"><caption>{}</caption>
<thead><tr><th scope="col">{}</th><th scope="col">{}</th><th scope="col">{}</th></tr></thead>
<tbody>{}</tbody></table>"""


class _Bar(NamedTuple):
    kind: str
    x: str
    y: str
    width: str
    height: str
    fill: str
    title: str


def draw(activity: Activity, *, name: str = "activity") -> SafeString:
    """The picture. `name` begins its ids: two pictures on a page need two names."""
    largest = max((day.done + day.refused for day in activity.days), default=0)
    base = HEIGHT - BOTTOM
    bars = [bar for place, day in enumerate(activity.days) for bar in _bars(activity, place, day, largest, name)]
    title, about, hatch = f"{name}-title", f"{name}-about", f"{name}-hatch"
    first, last = (date_format(day.date, "j M") for day in (activity.days[0], activity.days[-1]))
    return format_html(
        _PICTURE,
        *(WIDTH, HEIGHT, title, about),
        *(title, _("The last %(days)d days") % {"days": len(activity.days)}, about, summary(activity)),
        *(hatch, base, WIDTH),
        format_html_join("\n", _BAR, bars),
        *(number_format(largest, force_grouping=True), HEIGHT - 4, first, WIDTH, HEIGHT - 4, last),
    )


def _bars(activity: Activity, place: int, day: Day, largest: int, name: str) -> list[_Bar]:
    """What was done, and on top of it what was refused. A day on which nothing ended has no bar."""
    slot = WIDTH / len(activity.days)
    room, said = HEIGHT - TOP - BOTTOM, _of_day(day)
    y, bars = float(HEIGHT - BOTTOM), []
    for kind, number, fill in (("done", day.done, "currentColor"), ("refused", day.refused, f"url(#{name}-hatch)")):
        if number:
            height = max(1.5, room * number / largest)
            y -= height
            x, width = place * slot + slot * GAP / 2, slot * (1 - GAP)
            bars.append(_Bar(kind, f"{x:.1f}", f"{y:.1f}", f"{width:.1f}", f"{height:.1f}", fill, said))
    return bars


def _of_day(day: Day) -> str:
    """Such as "3 November: 12 done, 1 refused"."""
    counted = {"done": _number(day.done), "refused": _number(day.refused), "day": date_format(day.date, "j F")}
    return _("%(day)s: %(done)s done, %(refused)s refused") % counted


def summary(activity: Activity) -> str:
    """The picture in one sentence."""
    if not activity.done and not activity.refused:
        return _("No step ended in these days.")
    busiest = max(activity.days, key=lambda day: day.done + day.refused)
    said = ngettext("%(done)s step done", "%(done)s steps done", activity.done) % {"done": _number(activity.done)}
    counted = {"done": said, "refused": _number(activity.refused), "day": _of_day(busiest)}
    return _("%(done)s, %(refused)s refused. Most on %(day)s.") % counted


def table(activity: Activity) -> SafeString:
    """The same as a table, newest day first; days on which nothing ended are left out."""
    rows = _rows([day for day in reversed(activity.days) if day.done or day.refused])
    return format_html(
        _TABLE,
        _("Steps that ended in the last %(days)d days") % {"days": len(activity.days)},
        *(_("Day"), _("Done"), _("Refused")),
        rows or format_html('<tr><td colspan="3">{}</td></tr>', summary(activity)),
    )


def _rows(days: Sequence[Day]) -> SafeString:
    cells = ((date_format(day.date, "l, j F"), _number(day.done), _number(day.refused)) for day in days)
    return format_html_join("\n", _ROW, cells)


def _number(value: int) -> str:
    return str(number_format(value, force_grouping=True))
