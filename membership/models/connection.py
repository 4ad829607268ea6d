"""One account on one remote host: on pages, a System."""

from typing import TYPE_CHECKING

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.fields import EncryptedJSONField
from membership.vocab import PROVIDERS, ConnectionState, Right, provider_choices


class Connection(models.Model):
    provider = models.CharField(_("kind"), max_length=40, choices=provider_choices)
    name = models.CharField(_("name"), max_length=120, unique=True)
    base_url = models.URLField(_("address"), max_length=500)
    internal = models.BooleanField(
        _("inside our own network"), default=False, help_text=_("May the address be a private or loopback one?")
    )
    options = models.JSONField(_("options"), default=dict, blank=True)
    secrets = EncryptedJSONField(_("secrets"), blank=True, default=dict)
    session = EncryptedJSONField(blank=True, default=dict)
    """What a sign-in gave: tokens. Apart from `secrets`, so that signing in again never touches what was typed."""
    sign_ins = models.JSONField(default=list, blank=True)
    """Epoch seconds of the last log-ins: at most three in fifteen minutes."""
    renewing_since = models.DateTimeField(null=True, blank=True)
    own_account_id = models.CharField(max_length=200, blank=True)
    """Remote id of the account that we act as."""

    rate_per_s = models.FloatField(_("requests per second"), default=2, validators=[MinValueValidator(0.01)])
    burst = models.PositiveIntegerField(_("burst"), default=1, validators=[MinValueValidator(1)])
    concurrency = models.PositiveIntegerField(_("requests at once"), default=4, validators=[MinValueValidator(1)])
    timeout_s = models.FloatField(
        _("time limit of a request, seconds"), default=30, validators=[MinValueValidator(0.1)]
    )
    settle_s = models.FloatField(_("wait before reading back, seconds"), default=30, validators=[MinValueValidator(0)])

    state = models.CharField(_("state"), max_length=20, choices=ConnectionState, default=ConnectionState.ACTIVE)
    state_reason = models.CharField(max_length=60, blank=True)
    state_params = models.JSONField(default=dict, blank=True)
    state_since = models.DateTimeField(null=True, blank=True)
    slowed_until = models.DateTimeField(null=True, blank=True)
    """The lane rests until then: the remote asked for a pause, or could not be reached."""
    slowed_reason = models.CharField(max_length=60, blank=True)
    slowed_params = models.JSONField(default=dict, blank=True)

    lane_owner = models.CharField(max_length=200, blank=True)
    lane_token = models.BigIntegerField(default=0)
    """Grows with each owner: results of an earlier owner are not accepted."""
    lane_beat = models.BigIntegerField(default=0)
    """A counter that the owner advances; a waiter takes over when it stands still."""
    tests_made = models.BigIntegerField(default=0)
    """Requests that pages made for "Test this system": the lane takes them from its limit."""
    tested_at = models.DateTimeField(null=True, blank=True)
    """When the last such test began."""

    groups_read_at = models.DateTimeField(null=True, blank=True)
    accounts_read_at = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(_("as of"), null=True, blank=True)
    """When the last complete reading of the whole system began."""
    next_reading_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("system")
        verbose_name_plural = _("systems")
        ordering = ("name",)
        permissions = [(right.value, right.value.replace("_", " ")) for right in Right]

    def __str__(self) -> str:
        return self.name

    @property
    def provider_label(self) -> str:
        entry = PROVIDERS.get(self.provider)
        return entry.label if entry else self.provider

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        return Q(pk__in=connection_ids)


class WorkerBeat(models.Model):
    """The heartbeat of one worker process."""

    name = models.CharField(max_length=200, unique=True)
    at = models.DateTimeField()
    trouble = models.CharField(max_length=60, blank=True, default="")
    """Why it could not write lately: a reason code."""

    class Meta:
        verbose_name = "worker beat"

    def __str__(self) -> str:
        return self.name


if TYPE_CHECKING:
    ConnectionQuery = models.QuerySet[Connection]
