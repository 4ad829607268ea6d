"""Who is in which group, as the remotes last confirmed it, and since when."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.connection import Connection
from membership.models.fields import EncryptedJSONField
from membership.models.group import Group
from membership.models.person import Account
from membership.models.visibility import InConnection
from membership.vocab import DriftKind, DriftState, PresenceCause


class Participant(models.Model):
    """One account's place in one group. Only `mirror/` writes these rows."""

    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="participants", verbose_name=_("group"))
    remote_id = models.CharField(_("id there"), max_length=200)
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, null=True, blank=True, related_name="places", verbose_name=_("account")
    )
    label = models.CharField(_("name"), max_length=600)
    is_member = models.BooleanField(_("member"), default=True)
    is_manager = models.BooleanField(_("manager"), default=False)
    can_write = models.BooleanField(_("can write"), null=True, blank=True)
    is_muted = models.BooleanField(_("muted"), null=True, blank=True)
    participant_type = models.CharField(_("type"), max_length=60, blank=True)
    last_read_at = models.DateTimeField(_("last read"), null=True, blank=True)
    auto_created = models.BooleanField(_("made automatically"), null=True, blank=True)
    attributes = models.JSONField(default=dict, blank=True)
    secrets = EncryptedJSONField(blank=True, default=dict)
    content_hash = models.CharField(max_length=32, blank=True)
    is_present = models.BooleanField(_("still there"), default=True)
    seen_at = models.DateTimeField()
    """When the remote last told something new about this row, or confirmed a change of it."""

    class Meta:
        verbose_name = _("participant")
        verbose_name_plural = _("participants")
        ordering = ("label", "pk")
        constraints = [models.UniqueConstraint(fields=["group", "remote_id"], name="participant_once")]
        indexes = [
            models.Index(fields=["label", "id"], condition=Q(is_present=True), name="participant_by_label"),
            models.Index(fields=["account", "is_present"], name="participant_of_account"),
        ]

    def __str__(self) -> str:
        return self.label or self.remote_id

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        return Q(group__connection_id__in=connection_ids)


class Presence(models.Model):
    """One stretch of time in which a participant was there."""

    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, related_name="presences")
    since = models.DateTimeField()
    until = models.DateTimeField(null=True, blank=True)
    began_by = models.CharField(max_length=20, choices=PresenceCause)
    began_operation_id = models.BigIntegerField(null=True, blank=True)
    ended_by = models.CharField(max_length=20, choices=PresenceCause, blank=True)
    ended_operation_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = "presence"
        constraints = [
            models.UniqueConstraint(fields=["participant"], condition=Q(until=None), name="presence_open_once")
        ]

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        return Q(participant__group__connection_id__in=connection_ids)

    def __str__(self) -> str:
        return f"{self.participant_id}: {self.since} – {self.until or '…'}"


class Drift(InConnection, models.Model):
    """A difference that no operation of ours explains. Labels are copied: the row outlives what it names."""

    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="drifts", verbose_name=_("system")
    )
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="drifts", verbose_name=_("group"))
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, null=True, blank=True, related_name="drifts")
    kind = models.CharField(_("what"), max_length=20, choices=DriftKind)
    label = models.CharField(_("who"), max_length=600, blank=True)
    before = models.JSONField(default=dict, blank=True)
    after = models.JSONField(default=dict, blank=True)
    noticed_at = models.DateTimeField(_("noticed"))
    remote_actor = models.CharField(_("who did it there"), max_length=300, blank=True)
    remote_at = models.DateTimeField(_("when there"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=DriftState, default=DriftState.OPEN)
    ignored_until = models.DateField(null=True, blank=True)
    decided_by_id = models.BigIntegerField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    change_id = models.BigIntegerField(null=True, blank=True)
    """The change that reverts it."""
    reading_id = models.BigIntegerField(null=True, blank=True)

    class Meta:
        verbose_name = _("change made outside")
        verbose_name_plural = _("changed outside")
        ordering = ("-noticed_at", "-pk")
        indexes = [models.Index(fields=["-noticed_at", "-id"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.label}"
