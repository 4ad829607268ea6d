"""Credentials that are tried before they are stored: for the test of a form."""

from collections.abc import Iterable, Mapping

from django.utils import timezone

from membership.models import Connection
from membership.remotes import SIGN_INS_AT_MOST, Credentials, recent_sign_ins, too_many_sign_ins


class TrialCredentials(Credentials):
    """The credentials of a row as it would be. What a log-in gives stays in `session`; nothing is renewed.

    Log-ins count all the same, because the remote counts them: on the row where it is stored, else after `sign_ins`.
    """

    def __init__(self, row: Connection, sign_ins: Iterable[float] = ()) -> None:
        super().__init__(row)
        self.session: dict[str, str] = {}
        self.sign_ins: list[float] = []
        self._earlier = list(sign_ins)
        self._is_stored = not row._state.adding

    def begin_renewal(self) -> bool:
        return False

    def note_sign_in(self) -> None:
        now = timezone.now()
        if self._is_stored:
            super().note_sign_in()
        else:
            recent = recent_sign_ins([*self._earlier, *self.sign_ins], now)
            if len(recent) >= SIGN_INS_AT_MOST:
                raise too_many_sign_ins(recent[0], now)
        self.sign_ins.append(now.timestamp())

    def save(self, values: Mapping[str, str]) -> None:
        self.session.update(values)
        self._values.update(values)
