"""Wishes to erase a person, and what became of them."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.vocab import ErasureState


class Erasure(models.Model):
    """Asked for by one, approved by another. References are plain ids: what they name may be gone."""

    person_id = models.BigIntegerField(_("person no."))
    label = models.CharField(_("person"), max_length=300, blank=True)
    """The name, until the person is erased."""
    note = models.CharField(_("why"), max_length=300, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=ErasureState, default=ErasureState.ASKED)
    asked_by_id = models.BigIntegerField()
    asked_at = models.DateTimeField(_("asked"))
    decided_by_id = models.BigIntegerField(null=True, blank=True)
    decided_at = models.DateTimeField(_("decided"), null=True, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    """How many rows of each kind were emptied."""

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ("-pk",)
        constraints = [
            models.UniqueConstraint(fields=["person_id"], condition=Q(state="asked"), name="erasure_asked_once")
        ]

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        """An erasure knows no limits: whoever is limited to some systems sees none."""
        return Q(pk__in=())

    def __str__(self) -> str:
        return f"erasure {self.pk} ({self.state})"
