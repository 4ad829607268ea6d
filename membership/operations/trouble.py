"""Whether this process could lately not write what it has to: said with its heartbeat, for the banner on every page."""

import threading
import time

from django.db import Error

from membership.errors import AuditUnavailable, Reason

STORAGE_ERRORS = (Error, AuditUnavailable)
"""What a database says that is locked, full, restarted or gone, and a log that cannot be written. Nothing leaves
without its committed intent, so whatever meets one of these may end where it is, and begin anew."""

LATELY_S = 30.0
"""Longer than a statement waits for a lock: who tries again and again is in trouble all the while."""


class Trouble:
    """The last storage error of this process. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reason = ""
        self._at = 0.0

    def note(self, error: Exception) -> None:
        reason = Reason.AUDIT_UNAVAILABLE if isinstance(error, AuditUnavailable) else Reason.STORAGE_UNAVAILABLE
        with self._lock:
            self._reason, self._at = reason.value, time.monotonic()

    def over(self) -> None:
        """Something was recorded since."""
        with self._lock:
            self._reason = ""

    def lately(self) -> str:
        """The code of the last one, if it was not long ago; else empty."""
        with self._lock:
            return self._reason if time.monotonic() - self._at < LATELY_S else ""


here = Trouble()
"""Of this process: its lanes and its loop meet the same database."""
