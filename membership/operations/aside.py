"""Work beside the lanes that may take long: in a thread of its own, while lanes start and the heart beats."""

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections, connections

logger = logging.getLogger(__name__)


class Aside:
    """A housekeeping function that does `task` in a thread, one at a time. True: it is at it.

    What it was at when the process ends is lost: `task` has to be fit to begin again.
    """

    def __init__(self, task: Callable[[], bool], is_due: Callable[[], bool]) -> None:
        self._task, self._is_due = task, is_due
        self._thread: threading.Thread | None = None

    def __call__(self) -> bool:
        if self._thread is not None and self._thread.is_alive():
            return True
        if not self._is_due():
            return False
        self._thread = threading.Thread(target=self._run, name=self._task.__name__, daemon=True)
        self._thread.start()
        return True

    def _run(self) -> None:
        try:
            while self._task():
                close_old_connections()
        except Exception:
            logger.exception("%s broke off; it is begun again", self._task.__name__)
        finally:
            connections.close_all()
