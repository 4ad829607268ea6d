"""One look at a remote: wanted, running, and how it ended."""

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.models.connection import Connection
from membership.models.group import Group
from membership.models.person import Account
from membership.models.visibility import InConnection
from membership.vocab import ReadingKind, ReadingState


class Reading(InConnection, models.Model):
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="readings", verbose_name=_("system")
    )
    kind = models.CharField(_("what"), max_length=20, choices=ReadingKind)
    group = models.ForeignKey(Group, on_delete=models.PROTECT, null=True, blank=True, related_name="readings")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="readings")
    change = models.ForeignKey(Change, on_delete=models.SET_NULL, null=True, blank=True, related_name="readings")
    """The preview, or the stage of a change, that waits for it."""
    asked_by = models.ForeignKey(get_user_model(), on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    accept_fewer = models.BooleanField(default=False)
    """Somebody said that the group has really become smaller: how many were there before is no doubt then."""
    state = models.CharField(_("state"), max_length=20, choices=ReadingState, default=ReadingState.WANTED)
    reason = models.CharField(max_length=60, blank=True)
    reason_params = models.JSONField(default=dict, blank=True)
    requests = models.PositiveIntegerField(default=0)
    groups_seen = models.PositiveIntegerField(default=0)
    groups_incomplete = models.PositiveIntegerField(default=0)
    rows_seen = models.PositiveIntegerField(default=0)
    rows_changed = models.PositiveIntegerField(default=0)
    asked_at = models.DateTimeField(_("asked"))
    started_at = models.DateTimeField(_("began"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)

    class Meta:
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        ordering = ("-pk",)
        indexes = [
            models.Index(fields=["connection", "id"], condition=Q(state__in=("wanted", "running")), name="reading_open")
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.connection_id} ({self.state})"
