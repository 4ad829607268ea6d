"""Credentials that are tried before they are stored: for the test of a form."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.crypto import salted_hmac

from membership.audit import record
from membership.models import AuditEntry, Connection
from membership.remotes import SIGN_INS_AT_MOST, SIGN_INS_WITHIN, Credentials, recent_sign_ins, too_many_sign_ins
from membership.vocab import AuditAction, Chain

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class TrialCredentials(Credentials):
    """The credentials of a row as it would be. What a log-in gives stays in `session`; nothing is renewed.

    Log-ins are recorded and counted all the same, because the remote counts them: on the row where it is stored, else
    in the panel's chain, by address.
    """

    def __init__(self, row: Connection, actor: "User") -> None:
        super().__init__(row)
        self.session: dict[str, str] = {}
        self.sign_ins: list[float] = []
        self._row, self._actor = row, actor
        self._is_stored = not row._state.adding

    def begin_renewal(self) -> bool:
        return False

    def note_sign_in(self) -> None:
        now = timezone.now()
        if self._is_stored:
            super().note_sign_in()
        else:
            self._note_at_address(now)
        self.sign_ins.append(now.timestamp())

    def save(self, values: Mapping[str, str]) -> None:
        self.session.update(values)
        self._values.update(values)

    def _note_at_address(self, now: datetime) -> None:
        address = salted_hmac("membership.trial", self._row.base_url, algorithm="sha256").hexdigest()[:32]
        entry = record.Entry(
            AuditAction.CONNECTION_SIGNED_IN,
            actor=self._actor,
            data={"how": "log-in", "provider": self._row.provider, "address_hash": address},
            personal={"system": self._row.name, "address": self._row.base_url},
        )
        with transaction.atomic():
            record.write(Chain.PANEL, [entry], at=now)  # first: its lock keeps two at once from both passing
            recent = _sign_ins_at(address, now)
            if len(recent) > SIGN_INS_AT_MOST:
                raise too_many_sign_ins(recent[0], now)


def _sign_ins_at(address: str, now: datetime) -> list[float]:
    """Log-ins that tests of this address made (epoch seconds), the one that begins included."""
    recent = AuditEntry.objects.filter(
        action=AuditAction.CONNECTION_SIGNED_IN, connection_id=None, at__gt=now - SIGN_INS_WITHIN
    ).values_list("sealed", "at")
    at_address = [at.timestamp() for sealed, at in recent if json.loads(sealed)["data"]["address_hash"] == address]
    return recent_sign_ins(at_address, now)
