import threading
import time

import pytest

from membership.operations.pace import Bucket, PacedDoor
from membership.providers.base import RemoteAnswer, RemoteCall
from membership.providers.errors import NotSent

pytestmark = pytest.mark.pure


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def turns(bucket, clock, number):
    """When so many requests may leave, counted from now."""
    return [round(bucket.take() - clock.now, 3) for _ in range(number)]


def test_requests_are_spread_evenly_from_the_first_on(clock):
    assert turns(Bucket(5, 1, clock), clock, 4) == [0.0, 0.2, 0.4, 0.6]


def test_a_burst_has_to_be_saved_up_first(clock):
    bucket = Bucket(5, 3, clock)
    assert turns(bucket, clock, 2) == [0.0, 0.2]
    clock.now += 10
    assert turns(bucket, clock, 4) == [0.0, 0.0, 0.0, 0.2]


def test_a_limit_that_is_edited_gives_no_burst_at_once(clock):
    bucket = Bucket(1, 1, clock)
    bucket.adjust(10, 5)
    assert turns(bucket, clock, 3) == [0.0, 0.1, 0.2]


def test_a_turn_from_before_a_rest_is_taken_anew_after_it(clock):
    bucket = Bucket(10, 1, clock)
    first, second = bucket.take(), bucket.take()
    bucket.rest(30)
    assert bucket.left_s(first) is None
    assert bucket.left_s(second) is None
    assert turns(bucket, clock, 2) == [30.0, 30.1]


def test_what_others_used_is_waited_for(clock):
    bucket = Bucket(5, 1, clock)
    bucket.deduct(10)
    assert turns(bucket, clock, 1) == [2.0]


def test_the_remote_may_make_it_slower_for_a_while_and_never_faster(clock):
    bucket = Bucket(5, 1, clock)
    bucket.learn(10, 21)
    assert turns(bucket, clock, 3) == [0.0, 2.0, 4.0]
    clock.now += 30
    assert turns(bucket, clock, 2) == [0.0, 0.2]
    bucket.learn(1000, 11)
    assert turns(bucket, clock, 2) == [0.4, 0.6]


def test_with_nothing_left_it_rests_until_the_remote_takes_more(clock):
    bucket = Bucket(5, 1, clock)
    bucket.learn(0, 31)
    assert turns(bucket, clock, 2) == [30.0, 30.2]


def test_a_window_that_ends_within_its_rounding_costs_nothing(clock):
    bucket = Bucket(5, 1, clock)
    bucket.learn(0, 1)
    assert turns(bucket, clock, 2) == [0.0, 0.2]


class Listening:
    """A door that notes when it was opened, and says what is left."""

    def __init__(self, headers):
        self.opened_at = []
        self.headers = headers

    def send(self, call, *, credentials, send_before=None):
        self.opened_at.append(time.monotonic())
        return RemoteAnswer(200, self.headers)


CALL = RemoteCall("DELETE", ("a",))


def test_threads_share_one_limit():
    door = Listening({})
    paced = PacedDoor(door, Bucket(50, 1), threading.Event())
    threads = [threading.Thread(target=lambda: [paced.send(CALL, credentials={}) for _ in range(5)]) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    at = sorted(door.opened_at)
    assert len(at) == 20
    assert at[-1] - at[0] >= 19 / 50 - 0.02


def test_headers_of_an_answer_slow_the_lane_down():
    bucket = Bucket(1000, 1)
    paced = PacedDoor(Listening({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "61"}), bucket, threading.Event())
    paced.send(CALL, credentials={})
    assert bucket.take() - time.monotonic() > 55


def test_who_waits_for_the_limit_sends_nothing_once_told_to_stop():
    stop, door = threading.Event(), Listening({})
    paced = PacedDoor(door, Bucket(0.01, 1), stop)
    paced.send(CALL, credentials={})
    threading.Timer(0.1, stop.set).start()
    with pytest.raises(NotSent):
        paced.send(CALL, credentials={})
    assert len(door.opened_at) == 1
