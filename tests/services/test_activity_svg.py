import datetime as dt
from xml.etree import ElementTree

import pytest
from django.utils import timezone, translation

from membership.models import Change, Operation
from membership.services import activity_svg
from membership.services.activity import DAYS, Activity, Day, activity
from membership.vocab import ChangeKind, OperationState, Verb
from tests import mirrored as m

TODAY = dt.date(2026, 11, 23)


def days(**numbers):
    """Thirty days up to TODAY; `d3=(12, 1)`: three days ago 12 done, 1 refused."""
    found = {int(key[1:]): value for key, value in numbers.items()}
    return Activity(
        tuple(Day(TODAY - dt.timedelta(days=ago), *found.get(ago, (0, 0))) for ago in range(DAYS - 1, -1, -1))
    )


def picture(drawn):
    return ElementTree.fromstring(str(drawn))  # noqa: S314 - our own text


@pytest.fixture
def settled(db):
    """`settled(time, state)`: one step that ended so."""
    group = m.group("Chess", m.system())
    change = Change.objects.create(kind=ChangeKind.REMOVAL, created_at=timezone.now())
    change.parts.create(connection=group.connection)

    def settle(at, state=OperationState.CONFIRMED):
        return Operation.objects.create(
            change=change,
            position=change.operations.count(),
            connection=group.connection,
            group=group,
            verb=Verb.REMOVE,
            subject=f"account:{m.next_number()}",
            subject_label="Ada",
            state=state,
            settled_at=at,
        )

    return settle


def told(user, now):
    return {day.date: (day.done, day.refused) for day in activity(user, now).days if day.done or day.refused}


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "UTC"])
def test_a_step_counts_on_the_day_that_it_was_here(settled, zone):
    with timezone.override(zone):
        here = timezone.get_current_timezone()
        now = dt.datetime(2026, 11, 23, 12, 0, tzinfo=here)
        settled(dt.datetime(2026, 11, 22, 23, 59, 59, 999_999, tzinfo=here))
        settled(dt.datetime(2026, 11, 23, 0, 0, tzinfo=here))
        settled(dt.datetime(2026, 10, 25, 0, 0, tzinfo=here), OperationState.REFUSED)
        settled(dt.datetime(2026, 10, 24, 23, 59, tzinfo=here))
        found = told(m.user("vera"), now)
    assert found == {
        dt.date(2026, 11, 22): (1, 0),
        dt.date(2026, 11, 23): (1, 0),
        dt.date(2026, 10, 25): (0, 1),
    }


def test_thirty_days_are_told_oldest_first_and_only_what_ended_one_way_or_the_other(settled):
    now = timezone.now()
    for state in OperationState:
        settled(now, state)
    found = activity(m.user("vera"), now)
    assert len(found.days) == DAYS
    assert found.days[-1] == Day(timezone.localdate(now), 1, 1)
    assert found.days[0].date == timezone.localdate(now) - dt.timedelta(days=29)
    assert (found.done, found.refused) == (1, 1)


@pytest.mark.pure
def test_the_picture_has_a_name_and_tells_itself_in_one_sentence():
    tree = picture(activity_svg.draw(days(d3=(12, 1), d0=(3, 0))))
    names = tree.get("aria-labelledby").split()
    texts = {each.get("id"): each.text for each in tree.iter() if each.get("id")}
    assert tree.get("role") == "img"
    assert [texts[name] for name in names] == [
        "The last 30 days",
        "15 steps done, 1 refused. Most on 20 November: 12 done, 1 refused.",
    ]


@pytest.mark.pure
def test_each_day_has_its_bars_in_proportion_and_says_its_numbers():
    tree = picture(activity_svg.draw(days(d3=(12, 4), d0=(8, 0))))
    bars = [each for each in tree.iter("rect") if each.find("title") is not None]
    assert [bar.find("title").text for bar in bars] == ["20 November: 12 done, 4 refused"] * 2 + [
        "23 November: 8 done, 0 refused"
    ]
    heights = [float(bar.get("height")) for bar in bars]
    assert heights[0] / heights[1] == pytest.approx(3, rel=0.01)
    assert heights[0] / heights[2] == pytest.approx(1.5, rel=0.01)
    assert float(bars[1].get("y")) + heights[1] == pytest.approx(float(bars[0].get("y")), abs=0.2)
    assert all(0 <= float(bar.get("y")) <= activity_svg.HEIGHT for bar in bars)


@pytest.mark.pure
def test_refused_bars_are_told_apart_without_colour():
    tree = picture(activity_svg.draw(days(d1=(1, 1)), name="club"))
    fills = [each.get("fill") for each in tree.iter("rect") if each.find("title") is not None]
    assert fills == ["currentColor", "url(#club-hatch)"]
    assert tree.find(".//pattern").get("id") == "club-hatch"


@pytest.mark.pure
def test_days_without_any_step_are_an_empty_picture_and_a_sentence():
    tree = picture(activity_svg.draw(days()))
    assert [each for each in tree.iter("rect") if each.find("title") is not None] == []
    assert "No step ended" in tree.find("desc").text
    assert "No step ended" in activity_svg.table(days())


@pytest.mark.pure
def test_the_table_says_the_same_as_the_picture():
    table = picture(activity_svg.table(days(d3=(1234, 1), d0=(3, 0))))
    rows = [[cell.text for cell in row] for row in table.find("tbody")]
    assert rows == [["Monday, 23 November", "3", "0"], ["Friday, 20 November", "1,234", "1"]]
    assert table.find("caption").text


@pytest.mark.pure
def test_the_picture_can_be_drawn_in_another_language():
    with translation.override("de"):
        assert picture(activity_svg.draw(days(d3=(1, 0)))).get("role") == "img"
