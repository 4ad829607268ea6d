"""Lists from files on pages: uploaded on a group's page, asked about, downloaded; closed to whoever may not act."""

import csv

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from membership.models import AuditEntry, Roster
from membership.services.rosters import work
from membership.vocab import AuditAction
from tests import mirrored
from tests.services.rosters.conftest import csv_of

LIST = "/membership/roster/"


@pytest.fixture
def board(office):
    for name in ("ada", "zoe"):
        mirrored.account(f"{name} <b>\u202e", office, email=f"{name}@example.org", remote_id=f"u-{name}")
    return mirrored.group("Board", office)


def upload(client, group, content, mode="add", name="list.csv"):
    data = {"mode": mode, "file": SimpleUploadedFile(name, content)}
    answer = client.post(f"{LIST}new/?group={group.pk}", data, follow=True)
    while work.work_on_lists():
        pass
    return answer


def page(client, address):
    answer = client.get(address)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_whole_way_from_the_group_to_the_preview_and_the_sheet(as_, operator, board):
    client = as_(operator)
    assert f'href="{LIST}new/?group={board.pk}"' in page(client, f"/membership/group/{board.pk}/")
    assert "Upload the list" in page(client, f"{LIST}new/?group={board.pk}")
    rows = (("ada@example.org", "Ada"), ("", "zoe <b>\u202e"), ("=1+1@x", "<script>alert(1)</script>"))
    answer = upload(client, board, csv_of(("Mail", "Name"), *rows))
    assert "being looked at" in answer.content.decode()
    roster = Roster.objects.get()
    address = f"{LIST}{roster.pk}/"
    assert client.get(f"{address}live/").headers["HX-Refresh"] == "true"
    asked = page(client, address)
    assert "Which column is which?" in asked
    assert "<script>alert" not in asked and "\u202e" not in asked
    client.post(f"{address}columns/", {"email": "0", "name": "1", "has_headings": "1"})
    assert "looked up" in page(client, f"{address}live/")
    while work.work_on_lists():
        pass
    # A formula in a column that is used: the columns are asked for again, and the page says why.
    assert "Line 4 holds a formula" in page(client, address)
    client.post(f"{address}columns/", {"name": "1", "has_headings": "1"})
    while work.work_on_lists():
        pass
    confirm = page(client, address)
    assert "Please confirm" in confirm and "found by name only" in confirm and "‹U+202E›" in confirm
    client.post(f"{address}confirm_rows/", {"all": "1"})
    while work.work_on_lists():
        pass
    change = Roster.objects.get().change
    assert client.get(f"{address}live/").headers["HX-Redirect"] == f"/membership/change/{change.pk}/"
    preview = page(client, f"/membership/change/{change.pk}/")
    assert "as the list “list.csv” says?" in preview and f'href="{address}"' in preview
    sheet = client.post(f"{address}sheet/", {"format": "csv"})
    text = b"".join(sheet.streaming_content).decode("utf-8-sig")
    assert text.splitlines()[0].startswith("line,outcome,id in the file")
    assert [row[:2] for row in list(csv.reader(text.splitlines()))[1:]] == [
        ["2", "not found"], ["3", "found by name only, confirmed"], ["4", "not found"],
    ]  # fmt: skip
    assert AuditEntry.objects.filter(action=AuditAction.EXPORT_MADE).exists()
    assert "list.csv" in page(client, LIST)


def test_a_column_chosen_twice_is_refused_on_the_page(as_, operator, board):
    client = as_(operator)
    upload(client, board, csv_of(("Mail", "Name"), ("ada@example.org", "Ada")))
    twice = {"email": "0", "name": "0", "has_headings": "1"}
    answer = client.post(f"{LIST}{Roster.objects.get().pk}/columns/", twice, follow=True)
    assert "The column Mail is chosen twice" in answer.content.decode()


def test_a_file_beyond_the_limit_is_dropped_before_it_is_stored(as_, operator, board, settings):
    settings.MUSTERBOOK = {**settings.MUSTERBOOK, "ROSTER_MAX_MB": 1}
    answer = upload(as_(operator), board, b"x" * 1_100_000)
    assert "The file is larger than 1 MB" in answer.content.decode()
    assert not Roster.objects.exists()
    refused = AuditEntry.objects.filter(action=AuditAction.REQUEST_REFUSED).get()
    assert (refused.outcome, refused.group_id) == ("roster_too_large", board.pk)


def test_no_file_and_an_empty_file_are_said_in_words(as_, operator, board):
    client = as_(operator)
    answer = client.post(f"{LIST}new/?group={board.pk}", {"mode": "add"})
    assert "The value of File cannot be used" in answer.content.decode()
    assert "The value of File cannot be used" in upload(client, board, b"").content.decode()


def test_lists_are_closed_to_whoever_may_not_act_or_not_see_the_group(as_, viewer, operator, limited_operator, board):
    upload(as_(operator), board, csv_of(("Mail",), ("ada@example.org",)))
    roster = Roster.objects.get()
    for user in (viewer, limited_operator(mirrored.system("Elsewhere", "mudbase"))):
        client = as_(user)
        pages = [f"{LIST}{roster.pk}/", f"{LIST}new/?group={board.pk}", f"{LIST}{roster.pk}/live/"]
        assert {client.get(address).status_code for address in pages} <= {403, 404}
        assert client.post(f"{LIST}{roster.pk}/sheet/", {"format": "csv"}).status_code == 403
        assert client.get(f"{LIST}new/").status_code in (403, 404)
    assert f"{LIST}new/" not in page(as_(viewer), f"/membership/group/{board.pk}/")
