"""Lists as people have them, and short words for what these tests do over and over."""

import io

import pytest
import xlsxwriter

from membership.models import Roster, RosterRow
from membership.services.rosters import uploading, work
from tests import mirrored as m

PEOPLE = [
    ("Ada Lovelace", "ada@example.org", "u-ada"),
    ("Zoë Müller", "zoe@example.org", "u-zoe"),
    ("José Ñandú", "jose@example.org", "u-jose"),
    ("Łukasz Żak", "lukasz@example.org", "u-lukasz"),
]


def csv_of(*rows, delimiter=";", encoding="utf-8"):
    return "".join(delimiter.join(row) + "\r\n" for row in rows).encode(encoding)


def xlsx_of(*rows, **settings):
    """A real workbook. `rows`: cells, or functions that write theirs: `lambda sheet, row, column, book: …`."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, **settings})
    sheet = book.add_worksheet()
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            cell(sheet, number, column) if callable(cell) else sheet.write(number, column, cell)
    book.close()
    return file.getvalue()


class Desk:
    """Somebody with a group of one system and its accounts, who uploads lists."""

    def __init__(self):
        self.system = m.system("Office")
        self.group = m.group("Chess club", self.system)
        self.accounts = {
            label.split()[0]: m.account(label, self.system, email=email, remote_id=remote_id)
            for label, email, remote_id in PEOPLE
        }
        self.actor = m.user("vera")

    def inside(self, *names):
        return [m.participant(self.accounts[name], self.group) for name in names]

    def upload(self, content, mode="add", name="list.csv", actor=None):
        roster = uploading.upload(self.group, mode, name, [content], actor=actor or self.actor)
        return self.worked(roster)

    def worked(self, roster):
        while work.work_on_lists():
            pass
        return Roster.objects.get(pk=roster.pk)

    def columns(self, roster, **columns):
        return self.worked(uploading.choose_columns(roster, columns, actor=self.actor))

    def planned(self, content, mode="add", **columns):
        """Uploaded, and its columns chosen; what is asked about by name is not ticked."""
        roster = self.columns(self.upload(content, mode), **(columns or {"email": 0}))
        if roster.state == "asking":
            roster = self.worked(uploading.confirm_rows(roster, (), actor=self.actor))
        return roster

    def outcomes(self, roster):
        return list(RosterRow.objects.filter(roster=roster).order_by("line").values_list("line", "outcome"))

    def steps(self, roster):
        """{(verb, who)} of the preview."""
        return {(step.verb, step.subject_label) for step in roster.change.operations.all()} if roster.change else set()

    def left_out(self, roster):
        return {(row.subject_label, row.reason) for row in roster.change.left_outs.all()}


@pytest.fixture
def desk(any_db):
    return Desk()
