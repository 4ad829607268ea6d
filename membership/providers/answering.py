"""Reading the head of an answer, and making sure where it ends."""

import http.client
import threading
from email.errors import MultipartInvariantViolationDefect, StartBoundaryNotFoundDefect
from typing import Any

from membership.errors import Reason
from membership.providers.errors import OutcomeUnknown
from membership.providers.sockets import Attempt


class _ThisThread(threading.local):
    """The attempt that this thread is making: the libraries below us have no way to hand it to a connection."""

    attempt: Attempt


this_thread = _ThisThread()


class CertainAnswer(http.client.HTTPResponse):
    """Refuses answers whose end is not certain: the next one on the connection would be taken for another's."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self._socket = sock

    def begin(self) -> None:
        super().begin()
        # The real answer comes later, to whoever uses the connection next. http.client skips 100 by itself.
        if 100 <= self.status <= 199:
            raise self._unreadable("early answer")
        if not self._is_head_whole():
            raise self._unreadable("headers")
        if not self._is_framing_plain():
            raise self._unreadable("framing")

    def _unreadable(self, detail: str) -> OutcomeUnknown:
        return OutcomeUnknown(Reason.ANSWER_UNREADABLE, status=self.status, detail=detail)

    def _is_head_whole(self) -> bool:
        """Whether every line was a header. After one that is not, http.client forgets the rest, lengths included."""
        # It looks for the parts of a multipart body in the head, where there can be none.
        ignored = (MultipartInvariantViolationDefect, StartBoundaryNotFoundDefect)
        if any(not isinstance(defect, ignored) for defect in self.msg.defects):
            return False
        return self.msg.is_multipart() or not self.msg.get_payload()

    def _is_framing_plain(self) -> bool:
        codings = [coding.strip().lower() for coding in self.msg.get_all("transfer-encoding") or []]
        lengths = {length.strip() for length in self.msg.get_all("content-length") or []}
        if codings:
            return codings == ["chunked"] and not lengths
        return len(lengths) <= 1 and all(length.isascii() and length.isdigit() for length in lengths)

    def _close_conn(self) -> None:
        # Called when the last byte of the body was read, before the connection goes back to the pool.
        if self.fp is not None and self._has_unread():
            this_thread.attempt.unread = True
        super()._close_conn()  # type: ignore[misc]

    def _has_unread(self) -> bool:
        try:
            self._socket.settimeout(0)
            return bool(self.fp.peek(1))
        except (OSError, ValueError):
            return False  # nothing there, or the connection is gone
