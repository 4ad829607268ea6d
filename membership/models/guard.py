"""Guards of whole plans: their rules, what they found, what somebody decided about it; and plans not compiled yet."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.models.connection import Connection
from membership.models.fields import EncryptedJSONField
from membership.models.group import Group
from membership.models.visibility import InConnection
from membership.vocab import DecisionKind, Guard, GuardLevel


class GuardRule(models.Model):
    """What one guard does in one system; without a connection, in all that have no rule of their own for it.

    Where no row says anything, `plans.limits.DEFAULTS` holds. Numbers that a guard does not use are None.
    """

    connection = models.ForeignKey(
        Connection, on_delete=models.CASCADE, null=True, blank=True, related_name="guard_rules"
    )
    guard = models.CharField(max_length=30, choices=Guard)
    level = models.CharField(max_length=10, choices=GuardLevel)
    count = models.PositiveIntegerField(null=True, blank=True)
    """It strikes from so many on."""
    share_percent = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(0), MaxValueValidator(100)]
    )
    """And from this share of those who are there."""
    group_size = models.PositiveIntegerField(null=True, blank=True)
    """And only where at least so many are there."""
    age_minutes = models.PositiveIntegerField(null=True, blank=True)
    """A complete reading may be so old."""

    class Meta:
        verbose_name = "rule of a guard"
        constraints = [
            models.UniqueConstraint(fields=["connection", "guard"], name="guard_rule_once"),
            models.UniqueConstraint(fields=["guard"], condition=Q(connection=None), name="guard_rule_of_panel_once"),
        ]

    def __str__(self) -> str:
        return f"{self.guard}: {self.level}"


class Finding(InConnection, models.Model):
    """What a guard found in a plan as it was compiled: part of what the preview shows, and of the plan's hash."""

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="findings")
    position = models.PositiveIntegerField()
    guard = models.CharField(max_length=30, choices=Guard)
    level = models.CharField(max_length=10, choices=GuardLevel)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="+")
    """None: it is about the change as a whole."""
    group = models.ForeignKey(Group, on_delete=models.PROTECT, null=True, related_name="+")
    params = models.JSONField(default=dict, blank=True)
    """Numbers that its sentence names."""

    class Meta:
        verbose_name = "finding of a guard"
        ordering = ("change", "position")
        constraints = [models.UniqueConstraint(fields=["change", "position"], name="finding_position_once")]

    def __str__(self) -> str:
        return f"{self.guard} ({self.level})"


class Decision(models.Model):
    """What somebody decided about one plan, and about no other: it holds for `plan_hash` alone. Never altered."""

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="decisions")
    kind = models.CharField(_("what"), max_length=20, choices=DecisionKind)
    plan_hash = models.CharField(max_length=64)
    by = models.ForeignKey(get_user_model(), on_delete=models.PROTECT, related_name="+", verbose_name=_("by"))
    at = models.DateTimeField(_("when"))
    said = models.CharField(_("why"), max_length=1000, blank=True)

    class Meta:
        verbose_name = "decision about a plan"
        ordering = ("pk",)
        constraints = [
            models.UniqueConstraint(fields=["change", "kind"], name="decision_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.by_id}"


class PendingPlan(models.Model):
    """What a draft asks for that is too large to be compiled while somebody waits: the worker does it, then it goes."""

    change = models.OneToOneField(Change, on_delete=models.CASCADE, related_name="pending")
    wishes = models.JSONField(default=list)
    """Wishes as `plans.packing` packs them, without secret values."""
    secrets: Any = EncryptedJSONField(blank=True, default=dict)
    """Secret values of edits among them, by their place."""
    total = models.PositiveIntegerField(default=0)
    done = models.PositiveIntegerField(default=0)
    """How many of them are compiled, for the page that waits."""
    touched_at = models.DateTimeField(null=True, blank=True)
    """When the one who compiles it gave a sign last."""
    touched_by = models.CharField(max_length=32, blank=True)

    class Meta:
        verbose_name = "plan to be compiled"

    def __str__(self) -> str:
        return f"plan of change {self.change_id}: {self.done} of {self.total}"

    @property
    def percent(self) -> float:
        return 100 * self.done / self.total if self.total else 0.0
