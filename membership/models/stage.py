"""Parts of a change that are done one after the other, each looked at before the next."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.vocab import StageState


class Stage(models.Model):
    """The operations of a change from one position up to another. Only `operations/stages.py` writes these rows."""

    change = models.ForeignKey(Change, on_delete=models.CASCADE, related_name="stages")
    number = models.PositiveSmallIntegerField()
    """From 1."""
    begins = models.PositiveIntegerField()
    ends = models.PositiveIntegerField()
    """The position behind its last one."""
    state = models.CharField(_("state"), max_length=20, choices=StageState, default=StageState.WAITING)
    released_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    """When its last operation was seen to have ended: what is read back is read after that."""
    judged_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    differing = models.JSONField(default=list, blank=True)
    """Ids of the operations that are not as confirmed, the first hundred."""
    differences = models.PositiveIntegerField(default=0)
    unread = models.PositiveIntegerField(default=0)
    """Groups that could not be read back completely."""
    unread_groups = models.JSONField(default=list, blank=True)
    """Their ids, the first hundred: whoever lets the change go on does so without reading these back."""

    class Meta:
        verbose_name = _("stage")
        verbose_name_plural = _("stages")
        ordering = ("change", "number")
        constraints = [models.UniqueConstraint(fields=["change", "number"], name="stage_once")]
        indexes = [
            models.Index(fields=["state"], condition=models.Q(state__in=("running", "reading")), name="stage_open")
        ]

    def __str__(self) -> str:
        return f"stage {self.number} of change {self.change_id} ({self.state})"

    @property
    def size(self) -> int:
        return self.ends - self.begins
