"""Until when somebody is in a group."""

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.models.connection import Connection
from membership.models.group import Group
from membership.models.operation import Operation
from membership.models.person import Account
from membership.models.visibility import InConnection
from membership.vocab import EndingState


class Ending(InConnection, models.Model):
    """The last day of one account in one group. Only `services/endings.py` writes these rows."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="endings", verbose_name=_("group"))
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="endings", verbose_name=_("account"))
    last_day = models.DateField(_("until"))
    """They leave when this day is over, in the panel's time zone."""
    state = models.CharField(_("state"), max_length=20, choices=EndingState, default=EndingState.OPEN)
    set_by = models.ForeignKey(get_user_model(), on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()
    operation = models.ForeignKey(Operation, on_delete=models.PROTECT, null=True, related_name="+")
    """The addition that it came with; None where it was set on a page."""
    removal = models.ForeignKey(Change, on_delete=models.PROTECT, null=True, related_name="endings")
    """The change that was made when the day was over."""
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("end date")
        verbose_name_plural = _("end dates")
        constraints = [
            models.UniqueConstraint(
                fields=["group", "account"], condition=Q(state__in=("open", "due")), name="ending_once"
            )
        ]
        indexes = [
            models.Index(fields=["last_day"], condition=Q(state__in=("open", "due")), name="ending_to_come"),
        ]

    def __str__(self) -> str:
        return f"{self.account_id} in {self.group_id} until {self.last_day} ({self.state})"
