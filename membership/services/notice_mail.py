"""Notices by e-mail: sent by the worker outside any transaction, tried again for some hours, then given up in words."""

import logging
import smtplib
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.translation import gettext as _

from membership.models import Notice, NoticeEvent, NoticeState
from membership.services import notices

logger = logging.getLogger(__name__)

AT_ONCE = 20
CLAIMED_FOR = timedelta(minutes=5)
"""Until then no other worker takes a notice that is being sent. Who dies between sending and noting it sends it twice:
for a notice that is better than never."""
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 240))
"""Before each further try; after the last the notice has failed."""


def is_any_due() -> bool:
    return Notice.objects.filter(mail=NoticeState.WAITING, next_try_at__lte=timezone.now()).exists()


def send_due() -> bool:
    """Send what is due, some at a time. True: there was something."""
    due = Notice.objects.filter(mail=NoticeState.WAITING, next_try_at__lte=timezone.now()).order_by("pk")
    rows = list(due.select_related("user", "change", "connection")[:AT_ONCE])
    for row in rows:
        if Notice.objects.filter(pk=row.pk, mail=NoticeState.WAITING, next_try_at=row.next_try_at).update(
            next_try_at=timezone.now() + CLAIMED_FOR, attempts=row.attempts + 1
        ):
            _send(row)
    return bool(rows)


def _send(row: Notice) -> None:
    # Between the event and now somebody may have lost the right to see it.
    if not row.user.email or not notices.may_see(row.user, NoticeEvent(row.event), row.change, row.connection):
        _note(row, mail=NoticeState.NONE)
        return
    try:
        message(row).send()
    except (OSError, smtplib.SMTPException, ValueError) as error:
        # The kind alone: what a server says may hold addresses.
        kind = type(error).__name__
        tries = row.attempts  # before this one
        logger.warning("notice %s could not be sent (%s), try %s", row.pk, kind, tries + 1)
        if tries >= len(WAITS):
            _note(row, mail=NoticeState.FAILED, error=kind)
        else:
            _note(row, error=kind, next_try_at=timezone.now() + WAITS[tries])
    else:
        _note(row, mail=NoticeState.SENT, error="")


def _note(row: Notice, **fields: object) -> None:
    Notice.objects.filter(pk=row.pk).update(**fields)


def message(row: Notice) -> EmailMessage:
    """Plain text: one sentence and a link. Names, groups and reasons stay in the panel."""
    said = notices.words(row)
    lines = [
        said,
        "",
        notices.link_of(row),
        "",
        _("You are told this by Musterbook. What you are told is your choice: %(address)s")
        % {"address": f"{settings.PUBLIC_URL}/notices/"},
    ]
    return EmailMessage(subject=f"Musterbook: {said}", body="\n".join(lines), to=[row.user.email])
