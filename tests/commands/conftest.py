import signal

import pytest


@pytest.fixture
def restored_signals():
    """Commands take signals over; the test run takes them back."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)
