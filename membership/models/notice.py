"""Notices to users of the panel: what happened that concerns them, on the first page and by e-mail."""

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.models.connection import Connection


class NoticeEvent(TextChoices):
    """What a notice is about. Stored: never rename a value."""

    APPROVAL_WANTED = "approval_wanted", _("A change waits for my approval")
    CHANGE_DONE = "change_done", _("A change of mine is done")
    CHANGE_FAILED = "change_failed", _("A change of mine ended, not everything was done")
    CHANGE_STOPPED = "change_stopped", _("A change of mine stopped and asks")
    SYSTEM_STOPPED = "system_stopped", _("A system stopped")
    DRIFT = "drift", _("Much was changed outside")
    AUDIT_ALARM = "audit_alarm", _("The audit log was altered")


class NoticeState(TextChoices):
    """How far the e-mail of a notice is.

    WAITING -> SENT      the mail server took it
    WAITING -> FAILED    tried too often, or its address cannot be used
    WAITING -> NONE      the user may not see it any more, or is shut out
    """

    NONE = "none", _("no e-mail")
    WAITING = "waiting", _("to be sent")
    SENT = "sent", _("sent")
    FAILED = "failed", _("not sent")


class Notice(models.Model):
    """One event for one user: a row of the outbox. It holds numbers, no names: the page behind its link has those."""

    user = models.ForeignKey(get_user_model(), on_delete=models.CASCADE, related_name="notices")
    event = models.CharField(max_length=30, choices=NoticeEvent)
    change = models.ForeignKey(Change, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    count = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()
    is_shown = models.BooleanField(default=True)
    """On the first page, until the user puts it away."""
    mail = models.CharField(max_length=20, choices=NoticeState, default=NoticeState.NONE)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=100, blank=True)
    """The kind of the last failure: never what a server said, which may hold addresses."""

    class Meta:
        verbose_name = _("notice")
        ordering = ("-pk",)
        indexes = [
            models.Index(fields=["next_try_at"], condition=Q(mail="waiting"), name="notice_to_send"),
            models.Index(fields=["user", "-id"], condition=Q(is_shown=True), name="notice_shown"),
        ]

    def __str__(self) -> str:
        return f"{self.event} for user {self.user_id}"


class NoticeChoice(models.Model):
    """What a user wants to be told, and how. A user without a row has the defaults."""

    user = models.OneToOneField(get_user_model(), on_delete=models.CASCADE, related_name="notice_choice")
    mail = models.JSONField(default=list)
    panel = models.JSONField(default=list)

    class Meta:
        verbose_name = "choice of notices"

    def __str__(self) -> str:
        return f"notices of user {self.user_id}"


class NoticeCursor(models.Model):
    """Up to which entry of an audit chain notices were made: chains have no gaps, so nothing is told twice."""

    chain = models.CharField(max_length=60, unique=True)
    seq = models.BigIntegerField()

    class Meta:
        verbose_name = "cursor of notices"

    def __str__(self) -> str:
        return f"{self.chain} {self.seq}"
