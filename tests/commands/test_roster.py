from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from membership.models import AuditEntry, Change, Ending, Roster
from membership.vocab import AuditAction, Role
from tests import mirrored as m
from tests.services.rosters.conftest import csv_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def board():
    board = m.group("Board", m.system("Office"))
    m.group("Board", m.system("Club", "mudbase"))
    for name in ("ada", "zoe"):
        m.account(name.title(), board.connection, email=f"{name}@example.org")
    m.user("vera")
    return board


def roster(tmp_path, *more, rows=(("ada@example.org",), ("nobody@example.org",)), group="Office/Board"):
    path, said = tmp_path / "board.csv", StringIO()
    path.write_bytes(csv_of(("E-Mail",), *rows))
    call_command("roster", str(path), "--group", group, "--mode", "add", "--as", "vera", *more, stdout=said)
    return said.getvalue()


def test_the_preview_alone_is_made_and_told(board, tmp_path):
    said = roster(tmp_path, "--plan-only")
    assert "2 rows: 1 found, 1 not found.\nAdd 1 person to Board, as the list “board.csv” says: 1 steps.\n" in said
    change = Change.objects.get()
    assert said.rstrip().endswith(f"/membership/change/{change.pk}/")
    assert (change.state, change.requested_by.username, Roster.objects.get().change) == ("draft", "vera", change)
    assert AuditEntry.objects.filter(action=AuditAction.COMMAND_RUN).exists()


def test_with_a_reason_it_is_asked_for(board, tmp_path):
    assert "Asked for" in roster(tmp_path, "--reason", "new board", "--until", "2031-12-31")
    assert (Change.objects.get().state, Change.objects.get().reason) == ("queued", "new board")
    assert Ending.objects.get().last_day.isoformat() == "2031-12-31"


def test_columns_can_be_named_and_are_remembered(board, tmp_path):
    rows = (("ada@example.org",), ("zoe@example.org",))
    roster(tmp_path, "--plan-only", "--column", "email=E-Mail", rows=rows)
    assert "2 found" in roster(tmp_path, "--plan-only", rows=rows)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "Say --reason, or --plan-only."),
        ({"more": ["--plan-only"], "group": "Board"}, "Club/Board, Office/Board|Office/Board, Club/Board"),
        ({"more": ["--plan-only", "--column", "email=Mail"]}, "E-Mail"),
        ({"more": ["--plan-only", "--until", "soon"]}, "--until takes a day"),
        ({"more": ["--plan-only", "--until", "2000-01-01"]}, "the end date cannot be used"),
        ({"more": ["--plan-only"], "rows": ()}, "no row that could be used"),
        ({"more": ["--plan-only"], "rows": [("x@y.example",)]}, "Not one of the 1 rows fits anybody in Office"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(board, tmp_path, more, says):
    with pytest.raises(CommandError, match=says):
        roster(tmp_path, *more.pop("more", ()), **more)
    assert not Change.objects.exists()


def test_a_change_of_many_wants_its_number_and_its_preview_stays(board, tmp_path, settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "TYPE_NUMBER_ABOVE": 1}
    rows = (("ada@example.org",), ("zoe@example.org",))
    with pytest.raises(CommandError, match="Type the number 2"):
        roster(tmp_path, "--reason", "all", rows=rows)
    assert Change.objects.get().state == "draft"
    assert "Asked for" in roster(tmp_path, "--reason", "all", "--number", "2", rows=rows)


def test_nobody_without_the_right_is_acted_for(board, tmp_path):
    m.user("max", Role.VIEWER)
    with pytest.raises(CommandError, match="You do not have the right"):
        roster(tmp_path, "--plan-only", "--as", "max")
    with pytest.raises(CommandError, match="You do not have the right"):
        roster(tmp_path, "--plan-only", "--as", "nobody")
