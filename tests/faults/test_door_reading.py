"""Readings: large, spooled, parsed as they are read, and never believed further than they go."""

import time
import tracemalloc

import pytest

from membership.errors import Reason
from membership.providers import door as door_module
from membership.providers import spool, strict_json
from membership.providers.errors import OutcomeUnknown
from tests.faults.conftest import GET, LONGEST_S, SLACK_S, TIMEOUT_S, TOKEN
from tests.faults.servers import answer, saying, saying_then_closing

pytestmark = pytest.mark.pure

DOOR_TIMEOUT_S = 5
ROW = b'{"id": %d, "name": "Ada Lovelace", "roles": ["member", "manager"], "active": true}'


def rows(number, first=0):
    return b",".join(ROW % index for index in range(first, first + number))


def test_a_reading_gives_its_rows_one_by_one(serve, open_door):
    server = serve(saying(answer(b"[" + rows(3) + b"]", headers=["X-Total: 3"])))
    with open_door(server.url).read(GET, credentials=TOKEN) as reader:
        assert (reader.status, reader.headers["x-total"]) == (200, "3")
        assert [row["id"] for row in reader.items()] == [0, 1, 2]
        assert [row["id"] for row in reader.items()] == [0, 1, 2]
    assert server.lines == ["GET /groups/1 HTTP/1.1"]


def test_nested_rows_small_values_and_answers_come_from_the_same_reading(serve, open_door):
    body = b'{"data": {"chats": [{"a": 1}, {"a": 2}]}, "total": 2}'
    with open_door(serve(saying(answer(body))).url).read(GET, credentials=TOKEN) as reader:
        walked = reader.items("data.chats.item")
        assert next(walked) == {"a": 1}
        assert reader.json()["total"] == 2
        assert reader.answer().body == body
        assert list(walked) == [{"a": 2}]


def test_a_reading_larger_than_an_answer_is_read_whole(serve, open_door):
    server = serve(saying(answer(b"[" + rows(40_000) + b"]")))
    with open_door(server.url).read(GET, credentials=TOKEN) as reader:
        assert sum(1 for _row in reader.items()) == 40_000
        assert len(reader.answer().body) == 1024 * 1024
        with pytest.raises(OutcomeUnknown) as caught:
            reader.json()
    assert caught.value.reason == Reason.ANSWER_TOO_LARGE


def test_a_large_reading_takes_little_memory(serve, open_door):
    block = b",".join([b'{"id": 1, "about": "' + b"a" * 2000 + b'"}'] * 100) + b","

    def behaviour(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[")
        for _ in range(100):
            peer.send(block)
        peer.send(b"0]")

    tracemalloc.start()
    with open_door(serve(behaviour).url, timeout_s=30).read(GET, credentials=TOKEN) as reader:
        seen = sum(1 for _row in reader.items())
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert seen == 10_001
    assert peak < 4_000_000 < 20_000_000 < len(block) * 100


def test_a_large_reading_goes_to_the_folder_it_is_given(serve, open_door, tmp_path):
    server = serve(saying(answer(b"[" + rows(40_000) + b"]")))
    with open_door(server.url, spool_dir=str(tmp_path)).read(GET, credentials=TOKEN) as reader:
        assert reader.stream.fileno() > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("said", [True, False], ids=["by length", "as it comes"])
def test_a_reading_beyond_its_limit_is_given_up(said, serve, open_door, fails, monkeypatch):
    monkeypatch.setattr(door_module, "READING_BYTES", 2 * 1024 * 1024)
    body = b" " * (2 * 1024 * 1024 + 1)
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    door = open_door(serve(saying_then_closing(answer(body) if said else head + body)).url)
    error = fails(lambda: door.read(GET, credentials=TOKEN), longest_s=2)
    assert (error.reason, error.params["limit"]) == (Reason.ANSWER_TOO_LARGE, 2 * 1024 * 1024)


def test_readings_may_be_256_mib():
    assert door_module.READING_BYTES == 256 * 1024 * 1024


def test_a_reading_that_keeps_coming_may_take_longer_than_a_call(serve, open_door):
    def behaviour(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n")
        peer.drip(b"[1,2,3,4,5,6 ]", every_s=TIMEOUT_S / 5)

    door = open_door(serve(behaviour).url, timeout_s=TIMEOUT_S)
    with door.read(GET, credentials=TOKEN) as reader:
        assert reader.json() == [1, 2, 3, 4, 5, 6]


def test_a_reading_that_stops_coming_is_given_up_after_the_time_of_a_call(serve, open_door, fails):
    def behaviour(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n[1,2")
        peer.hang()

    door = open_door(serve(behaviour).url, timeout_s=TIMEOUT_S)
    error = fails(lambda: door.read(GET, credentials=TOKEN), longest_s=LONGEST_S)
    assert error.reason == Reason.ANSWER_TIMEOUT


def test_a_reading_that_drips_for_ever_is_given_up(serve, open_door, fails):
    def behaviour(peer):
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n[")
        peer.drip(b" " * 2000, every_s=0.02)

    door = open_door(serve(behaviour).url, timeout_s=TIMEOUT_S, reading_timeout_s=TIMEOUT_S * 2)
    start = time.monotonic()
    error = fails(lambda: door.read(GET, credentials=TOKEN), longest_s=TIMEOUT_S * 2.2 + SLACK_S)
    assert error.reason == Reason.ANSWER_TIMEOUT
    assert time.monotonic() - start > TIMEOUT_S * 1.5


@pytest.mark.parametrize(
    "body",
    [b"", b"[1, 2", b"<html></html>", b'{"a": 1}', b"[NaN]", b"[1] trailing", b'[{"a": 1, "a": 2}]', b"\xff"],
    ids=repr,
)
def test_a_reading_that_is_not_the_list_it_should_be_proves_nothing(body, serve, open_door, fails):
    with open_door(serve(saying(answer(body))).url).read(GET, credentials=TOKEN) as reader:
        error = fails(lambda: list(reader.items()))
    assert (type(error), error.reason, error.params["status"]) == (OutcomeUnknown, Reason.ANSWER_UNREADABLE, 200)


def test_rows_before_the_cut_are_still_handed_out(serve, open_door):
    seen = []
    server = serve(saying(answer(b'[{"id": 1}, {"id": 2}, {"id')))
    with open_door(server.url).read(GET, credentials=TOKEN) as reader, pytest.raises(OutcomeUnknown):
        seen.extend(reader.items())
    assert seen == [{"id": 1}, {"id": 2}]


def test_an_error_status_of_a_reading_is_handed_out(serve, open_door):
    server = serve(saying(answer(b'{"error": "no"}', "403 Forbidden")))
    with open_door(server.url).read(GET, credentials=TOKEN) as reader:
        assert (reader.answer().status, reader.answer().text) == (403, '{"error": "no"}')


def test_a_reading_leaves_its_connection_for_the_next_call(serve, open_door):
    server = serve(saying(answer(b"[1]")))
    door = open_door(server.url)
    for _ in range(3):
        door.read(GET, credentials=TOKEN).close()
    assert server.connections == 1


def test_a_disk_that_is_full_ends_the_reading(serve, open_door, fails, monkeypatch):
    class Full:
        def write(self, data):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    monkeypatch.setattr(spool, "new_spool", lambda folder: Full())
    error = fails(lambda: open_door(serve(saying(answer(b"[1]"))).url).read(GET, credentials=TOKEN))
    assert (type(error), error.reason) == (OutcomeUnknown, Reason.ANSWER_LOST)


@pytest.mark.parametrize("piece", [b"a", b" ", b"\\u0061"], ids=["text", "blanks", "escapes"])
def test_one_value_that_never_ends_is_refused_before_memory_is(piece):
    handed_out = []

    def chunks():
        yield b'["' if piece != b" " else b"["
        for number in range(1000):
            handed_out.append(number)
            yield piece * 65536

    with pytest.raises(strict_json.NotStrictJson):
        list(strict_json.items(chunks(), "item"))
    assert len(handed_out) * 65536 * len(piece) <= strict_json.MAX_ITEM_BYTES + 65536 * len(piece)


def test_one_row_that_never_ends_is_refused_before_memory_is():
    handed_out = []

    def chunks():
        yield b"[["
        for number in range(1000):
            handed_out.append(number)
            yield b"1," * 32768

    with pytest.raises(strict_json.NotStrictJson):
        list(strict_json.items(chunks(), "item"))
    assert len(handed_out) * 65536 <= strict_json.MAX_ITEM_BYTES + 65536
