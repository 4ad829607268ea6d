"""Which addresses are dialled, and how names become addresses within a time limit."""

import ipaddress
import socket
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membership.errors import Reason
from membership.providers.addresses import Resolver, is_allowed
from membership.providers.errors import NotSent

pytestmark = pytest.mark.pure

PUBLIC = [
    "1.1.1.1",
    "93.184.216.34",
    "172.32.0.1",
    "100.63.255.255",
    "2606:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
]
INTERNAL = [
    "127.0.0.1",
    "127.255.255.254",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "240.0.0.1",
    "0.1.2.3",
    "::1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "fec0::1",
    "2001:db8::1",
    "2001::1",
    "2002:7f00:1::",
    "100::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:100.64.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::1",
    "fe80::1%1",
]
NEVER = [
    "0.0.0.0",  # noqa: S104 - not bound
    "224.0.0.1",
    "239.255.255.255",
    "255.255.255.255",
    "::",
    "ff02::1",
    "::ffff:0.0.0.0",
    "::ffff:224.0.0.1",
]


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_dialled(text):
    assert is_allowed(ipaddress.ip_address(text), internal=False)


@pytest.mark.parametrize("text", INTERNAL)
def test_an_internal_address_is_dialled_only_for_an_internal_connection(text):
    assert not is_allowed(ipaddress.ip_address(text), internal=False)
    assert is_allowed(ipaddress.ip_address(text), internal=True)


@pytest.mark.parametrize("text", NEVER)
def test_an_address_of_nobody_or_of_many_is_never_dialled(text):
    assert not is_allowed(ipaddress.ip_address(text), internal=False)
    assert not is_allowed(ipaddress.ip_address(text), internal=True)


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_judged_as_itself(address):
    for carrier in ("::ffff:0:0", "64:ff9b::"):
        carried = ipaddress.IPv6Address(int(ipaddress.IPv6Address(carrier)) | int(address))
        assert is_allowed(carried, internal=False) == is_allowed(address, internal=False)


def found(*addresses):
    return [(socket.AF_INET6 if ":" in a else socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, 80)) for a in addresses]


def resolve(resolver, host="chess.example", *, internal=False, timeout_s=1.0):
    return [address.sockaddr[0] for address in resolver.resolve(host, 80, internal=internal, timeout_s=timeout_s)]


def reason_of(function):
    with pytest.raises(NotSent) as caught:
        function()
    return caught.value.reason


def test_of_several_addresses_only_the_allowed_ones_are_left():
    resolver = Resolver(lookup=lambda *args, **kwargs: found("10.0.0.1", "1.1.1.1", "::1", "2606:4700::1"))
    assert resolve(resolver) == ["1.1.1.1", "2606:4700::1"]


def test_a_name_that_leads_inside_is_refused():
    resolver = Resolver(lookup=lambda *args, **kwargs: found("169.254.169.254"))
    assert reason_of(lambda: resolve(resolver)) == Reason.ADDRESS_NOT_ALLOWED


def test_a_name_without_addresses_is_not_resolved():
    assert reason_of(lambda: resolve(Resolver(lookup=lambda *args, **kwargs: []))) == Reason.NAME_NOT_RESOLVED


@pytest.mark.parametrize("host", ["1.1.1.1", "2606:4700::1111", "127.1"])
def test_numbers_are_asked_of_nobody(host):
    def lookup(*args, **kwargs):
        raise AssertionError("asked")

    assert resolve(Resolver(lookup=lookup), host, internal=True)


def test_a_name_of_this_machine_is_resolved():
    assert set(resolve(Resolver(), "localhost", internal=True)) <= {"127.0.0.1", "::1"}


def test_hanging_lookups_cost_a_bounded_number_of_threads_and_no_call_more_than_its_time():
    released = threading.Event()
    resolver = Resolver(threads=3, lookup=lambda *args, **kwargs: released.wait(10) and [])
    before = threading.active_count()
    start = time.monotonic()
    for number in range(10):
        assert reason_of(lambda n=number: resolve(resolver, f"{n}.example", timeout_s=0.02)) == Reason.NAME_NOT_RESOLVED
    assert time.monotonic() - start < 1
    assert threading.active_count() - before == 3
    released.set()


def test_one_hanging_name_costs_one_thread_and_leaves_the_others_working():
    released = threading.Event()
    asked = []

    def lookup(host, port, **kwargs):
        asked.append(host)
        if host == "slow.example":
            released.wait(10)
        return found("1.1.1.1")

    resolver = Resolver(threads=2, lookup=lookup)
    for _ in range(10):
        assert reason_of(lambda: resolve(resolver, "slow.example", timeout_s=0.01)) == Reason.NAME_NOT_RESOLVED
    assert resolve(resolver) == ["1.1.1.1"]
    assert asked.count("slow.example") == 1
    released.set()
    deadline = time.monotonic() + 2
    while resolver._asked and time.monotonic() < deadline:
        time.sleep(0.01)
    assert resolve(resolver, "slow.example") == ["1.1.1.1"]


def test_a_lookup_that_breaks_is_not_the_last_one():
    answers = iter([MemoryError(), UnicodeError(), socket.gaierror(), found("1.1.1.1")])

    def lookup(*args, **kwargs):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    resolver = Resolver(threads=1, lookup=lookup)
    for _ in range(3):
        assert reason_of(lambda: resolve(resolver)) == Reason.NAME_NOT_RESOLVED
    assert resolve(resolver) == ["1.1.1.1"]
