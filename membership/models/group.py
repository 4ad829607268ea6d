"""Rooms, chats and groups of the remotes."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from membership.models.connection import Connection
from membership.models.fields import EncryptedJSONField
from membership.models.visibility import InConnection


class Group(InConnection, models.Model):
    """An inwendo chatroom, a Mudbase chat or a Kaiten group, as the remote last told."""

    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="groups", verbose_name=_("system")
    )
    remote_id = models.CharField(_("id there"), max_length=200)
    remote_number = models.BigIntegerField(_("number there"), null=True, blank=True)
    name = models.CharField(_("name"), max_length=600)
    kind = models.CharField(_("kind"), max_length=40, blank=True)
    archived = models.BooleanField(_("archived"), default=False)
    managed_elsewhere = models.BooleanField(_("managed elsewhere"), default=False)
    grants = models.BigIntegerField(_("administrative rights"), default=0)
    attributes = models.JSONField(default=dict, blank=True)
    secrets = EncryptedJSONField(blank=True, default=dict)
    content_hash = models.CharField(max_length=32, blank=True)
    is_present = models.BooleanField(_("still there"), default=True)
    seen_at = models.DateTimeField()

    is_protected = models.BooleanField(_("protected"), default=False)
    protected_note = models.CharField(_("why protected"), max_length=300, blank=True)
    protected_by_id = models.BigIntegerField(null=True, blank=True)
    protected_at = models.DateTimeField(null=True, blank=True)

    participants_count = models.PositiveIntegerField(_("participants"), default=0)
    read_at = models.DateTimeField(_("as of"), null=True, blank=True)
    """When the last complete reading of the participants began."""
    tried_at = models.DateTimeField(null=True, blank=True)
    incomplete_reason = models.CharField(max_length=60, blank=True)
    """Why the newest reading was not complete; empty when it was."""
    incomplete_params = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("group")
        verbose_name_plural = _("groups")
        ordering = ("name", "pk")
        constraints = [models.UniqueConstraint(fields=["connection", "remote_id"], name="group_once")]
        indexes = [models.Index(fields=["name", "id"])]

    def __str__(self) -> str:
        return self.name or self.remote_id
