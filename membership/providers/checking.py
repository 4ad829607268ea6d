"""What a check of a connection makes of its readings."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from membership.errors import Reason
from membership.providers.errors import Incomplete, Misconfigured, NotFound, OutcomeUnknown, Refused

NOT_THIS_REMOTE = (Reason.ANSWER_UNREADABLE, Reason.ANSWER_REDIRECTED)


@contextmanager
def on_first_contact() -> Iterator[None]:
    """The first reading proves the address, too: a page not found, HTML or a redirect means another server answers."""
    try:
        yield
    except NotFound as error:
        raise Misconfigured(Reason.WRONG_ADDRESS) from error
    except OutcomeUnknown as error:
        if error.reason in NOT_THIS_REMOTE:
            raise Misconfigured(Reason.WRONG_ADDRESS) from error
        raise


def works(reading: Callable[[], object], *, must_exist: bool = False) -> bool:
    """Whether the remote answers this reading. What stops the connection, or asks for a pause, is raised.

    `must_exist`: "not found" is raised, too, because every such remote has this address.
    """
    try:
        reading()
    except NotFound:
        if must_exist:
            raise
        return False
    except (Refused, Incomplete):
        return False
    return True
