"""People who leave for good: removed from everything on all systems, until it can be certified."""

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.models.person import Account, Person


class LeavingState(TextChoices):
    """How far a leaver is. What is open is worked out from changes and readings, never stored.

    OPEN -> DONE       read back from every system: the certificate is issued
    OPEN -> DROPPED    its preview was thrown away or became too old, and nothing was asked for; or all accounts were
                       unlinked from the person
    """

    OPEN = "open", _("not certified yet")
    DONE = "done", _("certified")
    DROPPED = "dropped", _("dropped")


class Leaving(models.Model):
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="leavings", verbose_name=_("person"))
    state = models.CharField(_("state"), max_length=20, choices=LeavingState, default=LeavingState.OPEN)
    asked_by = models.ForeignKey(
        get_user_model(), on_delete=models.PROTECT, related_name="+", verbose_name=_("asked by")
    )
    asked_at = models.DateTimeField(_("asked"))
    begun_at = models.DateTimeField(null=True, blank=True)
    """When a preview of it was confirmed, or had nothing to do."""
    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="leavings")
    """The newest preview or change of it."""
    looked_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(_("certified"), null=True, blank=True)
    certificate = models.JSONField(default=dict, blank=True)
    """What was certified, as it was then."""
    certificate_hash = models.CharField(max_length=64, blank=True)
    """SHA-256 of the certificate's canonical JSON; the audit log holds it, too."""

    class Meta:
        verbose_name = _("leaver")
        verbose_name_plural = _("leavers")
        ordering = ("-pk",)
        constraints = [models.UniqueConstraint(fields=["person"], condition=Q(state="open"), name="leaving_open_once")]

    def __str__(self) -> str:
        return str(self.person)

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        return Q(person__in=Account.objects.filter(connection_id__in=connection_ids).values("person_id"))
