"""Lists as files, from the button below each list."""

import csv
import io
import json
import zipfile

import pytest
from django.contrib import admin
from django.utils import timezone

from membership.admin.exporting import COLUMNS
from membership.models import AuditEntry, AuditPersonal, Change, Drift
from tests import mirrored

LISTS = ["participant", "group", "account", "person", "change", "drift", "linkproposal", "connection", "auditentry"]
PEOPLE = "/membership/participant/"


def post(client, address, format="csv"):
    return client.post(f"{address}export/" if "?" not in address else address, {"format": format})


def content(answer):
    assert answer.status_code == 200
    return b"".join(answer.streaming_content)


def rows_of(answer):
    return list(csv.DictReader(io.StringIO(content(answer).decode("utf-8-sig"))))


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("format", ["csv", "xlsx", "json"])
def test_every_list_can_be_downloaded(as_, owner, ada, name, format):
    Drift.objects.create(
        connection=ada.group.connection, group=ada.group, kind="left", label="x", noticed_at=timezone.now()
    )
    Change.objects.create(kind="removal", requested_by=owner, created_at=timezone.now())
    answer = post(as_(owner), f"/membership/{name}/", format)
    data = content(answer)
    assert f'.{format}"' in answer["Content-Disposition"]
    if format == "json":
        assert isinstance(json.loads(data), list)
    elif format == "xlsx":
        assert zipfile.ZipFile(io.BytesIO(data)).testzip() is None
    else:
        assert data.decode("utf-8-sig").splitlines()[0].count(",") == len(COLUMNS[name]) - 1


def test_every_list_of_mirrored_rows_and_changes_has_columns():
    known = {page.opts.model_name for page in admin.site._registry.values()}
    assert known - set(COLUMNS) <= {"user"}


def test_a_file_holds_what_the_list_shows_with_its_filters_and_search(as_, viewer, ada, zoe):
    client = as_(viewer)
    assert [row["name"] for row in rows_of(post(client, PEOPLE))] == ["Ada Lovelace", "Zoë Müller"]
    found = rows_of(client.post(f"{PEOPLE}export/?q=zoe%40", {"format": "csv"}))
    assert [(row["name"], row["e-mail"], row["group"]) for row in found] == [
        ("Zoë Müller", "zoe@example.org", "Trainers")
    ]


def test_more_than_a_page_is_in_the_file(as_, viewer, trainers):
    mirrored.crowd(120, trainers)
    assert len(rows_of(post(as_(viewer), PEOPLE))) == 120


def test_a_name_cannot_become_a_formula(as_, viewer, trainers):
    mirrored.participant("=HYPERLINK(1)", trainers)
    assert rows_of(post(as_(viewer), PEOPLE))[0]["name"] == "'=HYPERLINK(1)"


def test_who_downloaded_what_is_in_the_audit_log(as_, viewer, ada, zoe):
    content(as_(viewer).post(f"{PEOPLE}export/?q=ada", {"format": "json"}))
    entry = AuditEntry.objects.get(action="export.made")
    assert entry.actor_id == viewer.pk
    assert json.loads(entry.sealed)["data"] == {"what": "participant", "rows": 1, "format": "json"}
    assert json.loads(AuditPersonal.objects.get(pk=entry.pk).data)["query"] == "q=ada"


def test_nothing_hidden_is_in_a_file(as_, limited_operator, office, ada):
    assert rows_of(post(as_(limited_operator(office)), PEOPLE)) == []


def test_whoever_may_not_read_the_log_downloads_none(as_, viewer):
    assert post(as_(viewer), "/membership/auditentry/").status_code == 403


def test_whoever_has_no_role_downloads_nothing(as_, stranger, ada):
    assert post(as_(stranger), PEOPLE).status_code == 302


def test_it_needs_a_post(as_, viewer, ada):
    assert as_(viewer).get(f"{PEOPLE}export/").status_code == 405


def test_an_unknown_format_is_refused_in_words(as_, viewer, ada):
    answer = post(as_(viewer), PEOPLE, "exe")
    assert answer.status_code == 400
    assert "csv, xlsx, json" in answer.content.decode()


def test_a_lookup_that_no_page_offers_is_refused(as_, viewer, ada):
    assert as_(viewer).post(f"{PEOPLE}export/?nothing__like=x", {"format": "csv"}).status_code in (400, 403)


def test_the_button_says_how_many_rows_and_keeps_the_address(as_, viewer, ada, zoe):
    page = as_(viewer).get(f"{PEOPLE}?q=ada").content.decode()
    assert "Download this list, 1 row, as" in page
    assert 'action="export/?q=ada"' in page
