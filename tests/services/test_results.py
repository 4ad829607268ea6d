import csv
import io

import pytest

from membership.errors import ChangeRefused, Reason
from membership.models import Change, Operation
from membership.sentences import say
from membership.services import results
from membership.vocab import AuditAction, ChangeState, OperationState
from tests import mirrored as m
from tests.services.asking import confirm, draft, entries

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended(vera):
    """A removal of four people: one done, one refused, one overtaken, one cancelled. Their names are hostile."""
    chess = m.group("Chess, club", m.system("Office"))
    names = ("=Ada()", 'Bea "B"', "Cyd\u202e", "-Dan")
    rows = [m.participant(m.account(name, chess.connection), chess) for name in names]
    change = confirm(draft(vera, *rows), vera)
    states = {
        "=Ada()": OperationState.CONFIRMED,
        'Bea "B"': OperationState.REFUSED,
        "Cyd\u202e": OperationState.OVERTAKEN,
        "-Dan": OperationState.CANCELLED,
    }
    for name, state in states.items():
        Operation.objects.filter(change=change, subject_label=name).update(state=state, outcome=Reason.FORBIDDEN)
    Change.objects.filter(pk=change.pk).update(state=ChangeState.DONE_WITH_FAILURES)
    change.refresh_from_db()
    return change


def file(change, actor):
    return b"".join(results.result_file(change, actor=actor)[2])


def rows_of(content):
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


def fed_back(change, content, actor):
    made = results.draft_retry_from_file(change, content, actor=actor)
    return sorted(made.operations.values_list("subject_label", flat=True))


def of_rows(rows, delimiter=","):
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys(), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def test_each_step_has_a_row_with_its_outcome_in_words_and_no_cell_is_a_formula(vera, ended):
    content = file(ended, vera)
    rows = rows_of(content)
    assert [row["step no."] for row in rows] == ["1", "2", "3", "4"]
    assert {row["change no."] for row in rows} == {str(ended.pk)}
    assert {row["outcome"] for row in rows} == {"done", "Kaiten said no", "overtaken", "cancelled"}
    assert not any(cell.startswith(("=", "-", "+", "@")) for row in rows for cell in row.values())
    assert "\u202e" not in content.decode()
    made = entries(AuditAction.EXPORT_MADE).get(actor_id=vera.pk)
    assert f"change-{ended.pk}-results" in made.sealed


def test_a_result_file_fed_back_tries_all_that_failed(vera, ended):
    assert fed_back(ended, file(ended, vera), vera) == ["-Dan", 'Bea "B"', "Cyd\u202e"]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_only_the_rows_that_were_kept_are_tried_however_it_was_saved(vera, ended, delimiter, encoding):
    kept = [row for row in rows_of(file(ended, vera)) if "Bea" in row["name"] or "Ada" in row["name"]]
    assert fed_back(ended, of_rows(kept, delimiter).decode().encode(encoding), vera) == ['Bea "B"']


def altered(column, value):
    def alter(content):
        rows = rows_of(content)
        rows[1][column] = value
        return of_rows(rows)

    return alter


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda content: b"", "it has no columns “change no.” and “step no.”"),
        (lambda content: content[: content.index(b"\n") + 1], "it has no row below its headers"),
        (lambda content: b"\xff" + content, "it is no text in UTF-8"),
        (lambda content: b"\x00\x01\x02\x80" * 1000, "it is no text in UTF-8"),
        (lambda content: b"name,group\r\nAda,Chess\r\n", "it has no columns"),
        (altered("change no.", "999"), "row 3 is of change 999, not of this one"),
        (altered("step no.", "5"), "row 3 names a step that this change does not have"),
        (altered("step no.", "0"), "row 3 names a step that this change does not have"),
        (altered("step no.", "=1+1"), "row 3 names no step"),
        (altered("step no.", "٣"), "row 3 names no step"),
        (altered("name", "x" * 200_000), "row 3 cannot be read"),
        (lambda content: content + b" " * results.LARGEST_FILE, "it is larger than 20 MiB"),
    ],
)
def test_a_file_that_is_none_of_this_change_gets_one_clear_sentence_and_nothing_is_planned(vera, ended, spoil, said):
    content = spoil(file(ended, vera))
    with pytest.raises(ChangeRefused) as refused:
        results.draft_retry_from_file(ended, content, actor=vera)
    assert said in say(refused.value) and say(refused.value).endswith("Nothing was planned.")
    assert Change.objects.count() == 1
    assert entries(AuditAction.REQUEST_REFUSED).get().outcome == Reason.RESULT_FILE_NOT_USABLE


def test_a_file_of_steps_that_went_well_has_nothing_to_try(vera, ended):
    kept = [row for row in rows_of(file(ended, vera)) if "Ada" in row["name"]]
    with pytest.raises(ChangeRefused, match=Reason.NOTHING_TO_RETRY):
        results.draft_retry_from_file(ended, of_rows(kept), actor=vera)
