import threading

import pytest

from membership.operations.senders import AHEAD_AT_MOST, Pace, Senders

pytestmark = pytest.mark.pure


def test_every_job_is_sent_once_by_no_more_threads_than_asked_for():
    sent, names, done = [], set(), threading.Semaphore(0)

    def send(job):
        names.add(threading.current_thread().name)
        sent.append(job)
        done.release()

    senders = Senders(3, send, name="lane")
    for job in range(50):
        senders.put(job)
    for _ in range(50):
        assert done.acquire(timeout=10)
    senders.close()
    assert sorted(sent) == list(range(50))
    assert len(names) <= 3


def test_closing_waits_for_what_is_on_its_way_and_begins_nothing_more():
    begun, go_on, ended = threading.Event(), threading.Event(), []

    def send(job):
        begun.set()
        assert go_on.wait(10)
        ended.append(job)

    senders = Senders(1, send, name="lane")
    for job in range(5):
        senders.put(job)
    assert begun.wait(10)
    threading.Timer(0.1, go_on.set).start()
    senders.close()
    assert ended == [0]


def test_what_has_begun_goes_on_before_anything_else_begins():
    begun, go_on, sent = threading.Event(), threading.Event(), []

    def send(job):
        sent.append(job)
        begun.set()
        assert go_on.wait(10)

    senders = Senders(1, send, name="lane")
    senders.put("first")
    assert begun.wait(10)
    senders.put("begins")
    senders.put("later")
    senders.put("goes on", goes_on=True)
    go_on.set()
    while len(sent) < 4:
        begun.wait(0.01)
    senders.close()
    assert sent == ["first", "goes on", "begins", "later"]


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def a_pace(*, call_s, round_s, threads=8):
    clock = Clock()
    pace = Pace(threads, clock)
    pace.answered([call_s])
    pace.round_began()
    clock.now += round_s
    pace.round_began()
    return pace


def test_before_the_first_answer_nothing_runs_ahead():
    assert Pace(8, Clock()).ahead == 0


def test_intents_run_ahead_by_what_starts_while_the_books_go_round_twice():
    assert a_pace(call_s=0.05, round_s=0.1).ahead == 32


def test_intents_never_run_ahead_by_more_than_a_second():
    assert a_pace(call_s=0.5, round_s=30).ahead == 16


def test_a_killed_worker_leaves_a_bounded_number_of_doubts():
    assert a_pace(call_s=0.0001, round_s=5, threads=64).ahead == AHEAD_AT_MOST
