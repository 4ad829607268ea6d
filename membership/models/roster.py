"""Lists from files: who is to be in a group, as somebody uploaded it, and what became of each row."""

from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q, TextChoices
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.models.connection import Connection
from membership.models.group import Group
from membership.models.participant import Participant
from membership.models.person import Account
from membership.models.visibility import InConnection


class RosterMode(TextChoices):
    """What the list says of a group."""

    ADD = "add", _("Add only: who is on the list joins, nobody leaves")
    REMOVE = "remove", _("Remove only: who is on the list leaves, nobody joins")
    EXACTLY = "exactly", _("Exactly this: who is on the list is in the group, everybody else leaves")


class RosterState(TextChoices):
    """Life of an uploaded list. Nothing is sent in any of them: the end is a preview.

    UPLOADED -> COLUMNS      looked at; which column is which has to be said
    UPLOADED -> MATCHING     looked at; the columns are those that were chosen for this system before
    COLUMNS -> MATCHING      the columns were chosen
    MATCHING -> COLUMNS      the columns fit nobody
    MATCHING -> ASKING       somebody has to confirm proposals by name
    MATCHING, ASKING -> PLANNING    nothing is left to ask
    PLANNING -> DONE         the preview is there
    UPLOADED, MATCHING, PLANNING -> FAILED    the file cannot be used; the reason says why
    """

    UPLOADED = "uploaded", _("being looked at")
    COLUMNS = "columns", _("asks for its columns")
    MATCHING = "matching", _("being matched")
    ASKING = "asking", _("asks for confirmation")
    PLANNING = "planning", _("being planned")
    DONE = "done", _("previewed")
    FAILED = "failed", _("not usable")

    @classmethod
    def of_the_worker(cls) -> frozenset[str]:
        return frozenset({cls.UPLOADED, cls.MATCHING, cls.PLANNING})


class RowOutcome(TextChoices):
    """Whom a row means."""

    FOUND = "found", _("found")
    PROPOSED = "proposed", _("found by name only")
    AMBIGUOUS = "ambiguous", _("several fit")
    NOT_FOUND = "not_found", _("not found")
    DUPLICATE = "duplicate", _("a second time")
    EMPTY = "empty", _("nothing in the chosen columns")


class RosterColumns(models.Model):
    """Which columns of files mean what, by their headings: chosen once for a system, and remembered."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="roster_columns")
    headings = models.JSONField(default=dict)
    """`{"id" | "email" | "name" | "surname": heading}`."""

    class Meta:
        verbose_name = "columns of lists"

    def __str__(self) -> str:
        return f"columns of system {self.connection_id}"


class Roster(InConnection, models.Model):
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+", verbose_name=_("system"))
    group = models.ForeignKey(Group, on_delete=models.PROTECT, related_name="rosters", verbose_name=_("group"))
    mode = models.CharField(_("what it says"), max_length=20, choices=RosterMode)
    state = models.CharField(_("state"), max_length=20, choices=RosterState, default=RosterState.UPLOADED)
    reason = models.CharField(max_length=60, blank=True)
    reason_params = models.JSONField(default=dict, blank=True)
    file_name = models.CharField(_("file"), max_length=200)
    file_bytes = models.PositiveBigIntegerField(default=0)
    layout = models.JSONField(default=dict, blank=True)
    """How the file is to be read: `sheets.Layout`, once it was looked at."""
    headings = models.JSONField(default=list, blank=True)
    sample = models.JSONField(default=list, blank=True)
    """The first rows, until the contents are deleted."""
    columns = models.JSONField(default=dict, blank=True)
    """`{"id" | "email" | "name" | "surname": number of the column}`."""
    counts = models.JSONField(default=dict, blank=True)
    """`{outcome: rows}`, and what is there already."""
    rows_count = models.PositiveIntegerField(_("rows"), default=0)
    asked_by = models.ForeignKey(
        get_user_model(), on_delete=models.PROTECT, related_name="+", verbose_name=_("uploaded by")
    )
    asked_at = models.DateTimeField(_("uploaded"))
    until = models.DateField(_("until"), null=True, blank=True)
    """The last day in the group of those whom the list adds."""
    change = models.ForeignKey(Change, on_delete=models.SET_NULL, null=True, blank=True, related_name="rosters")
    """The preview that it became."""
    is_emptied = models.BooleanField(default=False)
    """File and rows are deleted; what was counted is kept."""
    claimed_at = models.DateTimeField(null=True, blank=True)
    """A worker works on it; when it gave its last sign."""
    attempts = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name = _("list from a file")
        verbose_name_plural = _("lists from files")
        ordering = ("-pk",)
        indexes = [models.Index(fields=["state"])]

    def __str__(self) -> str:
        return self.file_name


class RosterPart(models.Model):
    """One piece of an uploaded file. Deleted as soon as its rows are planned, or cannot be."""

    roster = models.ForeignKey(Roster, on_delete=models.CASCADE, related_name="parts")
    number = models.PositiveIntegerField()
    data = models.BinaryField()

    class Meta:
        verbose_name = "part of a file"
        constraints = [models.UniqueConstraint(fields=["roster", "number"], name="roster_part_once")]

    def __str__(self) -> str:
        return f"list {self.roster_id}, part {self.number}"


class RosterRow(models.Model):
    """One row of a list, and whom it means. Deleted with the list's contents."""

    roster = models.ForeignKey(Roster, on_delete=models.CASCADE, related_name="rows")
    line = models.PositiveIntegerField(_("line"))
    said_id = models.CharField(_("id"), max_length=200, blank=True)
    said_email = models.CharField(_("e-mail"), max_length=320, blank=True)
    said_name = models.CharField(_("name"), max_length=600, blank=True)
    outcome = models.CharField(_("outcome"), max_length=20, choices=RowOutcome)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    """Their place in the group, where they are there."""
    left_at = models.DateTimeField(null=True, blank=True)
    """When they left the group outside Musterbook: they are only put back where somebody ticks it."""
    may_mean = models.JSONField(default=list, blank=True)
    """Places in the group that a row which is not clear may mean: they stay."""
    first_line = models.PositiveIntegerField(null=True, blank=True)
    is_ticked = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("row of a list")
        ordering = ("roster", "line")
        indexes = [models.Index(fields=["roster", "outcome", "line"], name="roster_row_by_outcome")]

    def __str__(self) -> str:
        return f"line {self.line}: {self.outcome}"

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        return Q(roster__connection_id__in=connection_ids)
