"""A plan that somebody asked for, with its reason."""

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.connection import Connection
from membership.models.group import Group
from membership.models.visibility import InConnection
from membership.vocab import ChangeKind, ChangeState


class Change(models.Model):
    """Counts of its operations are derived, never stored; what the author saw at the preview is."""

    kind = models.CharField(_("kind"), max_length=30, choices=ChangeKind)
    state = models.CharField(_("state"), max_length=30, choices=ChangeState, default=ChangeState.DRAFT)
    reason = models.CharField(_("reason"), max_length=1000, blank=True)
    ticket = models.CharField(_("ticket"), max_length=100, blank=True)
    requested_by = models.ForeignKey(
        get_user_model(), on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("asked by")
    )
    selection = models.JSONField(default=dict, blank=True)
    """What was selected: the stored query or the ids, as text for people and for compiling again."""
    retry_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="retries")
    plan_hash = models.CharField(max_length=64, blank=True)
    """SHA-256 over the digests of its operations in order; empty until the plan is compiled."""
    people_count = models.PositiveIntegerField(default=0)
    groups_count = models.PositiveIntegerField(default=0)
    operations_count = models.PositiveIntegerField(default=0)
    left_out_count = models.PositiveIntegerField(default=0)
    touches_hidden = models.BooleanField(default=False)
    """The person has places in systems that the author may not see; they are not part of this plan."""

    created_at = models.DateTimeField(_("previewed"))
    compiled_at = models.DateTimeField(null=True, blank=True)
    stale_at = models.DateTimeField(null=True, blank=True)
    waiting_since = models.DateTimeField(_("asked for approval"), null=True, blank=True)
    """When it was confirmed and a second person was asked for."""
    confirmed_at = models.DateTimeField(_("asked"), null=True, blank=True)
    """When it was queued: by whoever asked, or by the approval of a second person."""
    erased_at = models.DateTimeField(null=True, blank=True)
    """When somebody whom it names was erased: reason and names are gone, the plan's hash stays."""
    cancel_wanted_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(_("finished"), null=True, blank=True)
    starts_at = models.DateTimeField(null=True, blank=True)
    """Confirmed, and not to begin before."""
    released_to = models.PositiveIntegerField(null=True, blank=True)
    """The position before which operations may begin: the end of the newest stage. None: all of them."""
    paused_at = models.DateTimeField(null=True, blank=True)
    pause_reason = models.CharField(max_length=60, blank=True)
    """Why it is paused; of a preview that became stale because a backup was put back, that."""
    pause_params = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = _("change")
        verbose_name_plural = _("changes")
        ordering = ("-pk",)
        indexes = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        """Changes that touch no other system. A draft that touches none is its author's alone."""
        touched = ChangeConnection.objects.exclude(connection_id__in=connection_ids).values("change_id")
        within = ChangeConnection.objects.filter(connection_id__in=connection_ids).values("change_id")
        return (Q(pk__in=within) | Q(requested_by_id=user_id)) & ~Q(pk__in=touched)


class ChangeConnection(models.Model):
    """One system that a change touches, or could not be known: what its part of the preview says."""

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="parts")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    operations_count = models.PositiveIntegerField(default=0)
    calls_count = models.PositiveIntegerField(default=0)
    """Requests that its steps make, as far as the plan knows: what the remote's limit is about."""
    groups_count = models.PositiveIntegerField(default=0)
    as_of = models.DateTimeField(null=True, blank=True)
    """The oldest complete reading among the groups concerned."""
    unknown_reason = models.CharField(max_length=60, blank=True)
    """Not empty: where the person takes part in this system is not known, and why."""
    unknown_params = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = "part of a change"
        constraints = [models.UniqueConstraint(fields=["change", "connection"], name="change_part_once")]

    def __str__(self) -> str:
        return f"change {self.change_id} in system {self.connection_id}"


class LeftOut(InConnection, models.Model):
    """A wish that a plan does not contain, and why."""

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="left_outs")
    position = models.PositiveIntegerField()
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    group = models.ForeignKey(Group, on_delete=models.PROTECT, null=True, related_name="+")
    subject_label = models.CharField(max_length=600, blank=True)
    reason = models.CharField(max_length=60)
    reason_params = models.JSONField(default=dict, blank=True)

    class Meta:
        verbose_name = "left out"
        ordering = ("change", "position")

    def __str__(self) -> str:
        return f"{self.subject_label}: {self.reason}"
