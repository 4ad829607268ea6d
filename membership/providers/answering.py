"""Reading the head of an answer, and making sure where it ends."""

import http.client
from email.errors import MultipartInvariantViolationDefect, StartBoundaryNotFoundDefect
from typing import Any

from membership.errors import Reason
from membership.providers.errors import OutcomeUnknown
from membership.providers.sockets import Attempt


class CertainAnswer(http.client.HTTPResponse):
    """Refuses answers whose end is not certain: the next one on the connection would be taken for another's."""

    def __init__(self, sock: Any, attempt: Attempt, *, method: str) -> None:
        super().__init__(sock, method=method)
        self._socket = sock
        self._attempt = attempt

    def begin(self) -> None:
        super().begin()
        # The real answer comes later, to whoever uses the connection next. http.client skips 100 by itself.
        if 100 <= self.status <= 199:
            raise self._unreadable("early answer")
        if not self._is_head_whole():
            raise self._unreadable("headers")
        if not self._is_framing_plain():
            raise self._unreadable("framing")

    def merged_headers(self) -> dict[str, str]:
        """By their names in small letters; what came several times stands in one line."""
        found: dict[str, str] = {}
        for name, value in self.msg.items():
            key = name.lower()
            found[key] = f"{found[key]}, {value}" if key in found else value
        return found

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
            self._attempt.unread = True
        super()._close_conn()  # type: ignore[misc]

    def _has_unread(self) -> bool:
        try:
            self._socket.settimeout(0)
            return bool(self.fp.peek(1))
        except (OSError, ValueError):
            return False  # nothing there, or the connection is gone
