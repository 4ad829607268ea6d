"""One wish about one person in one group, with the calls that fulfil it: on pages, a step."""

from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.models.connection import Connection
from membership.models.fields import EncryptedJSONField
from membership.models.group import Group
from membership.models.participant import Participant
from membership.models.person import Account
from membership.models.visibility import InConnection
from membership.vocab import OperationState, Verb


class Operation(InConnection, models.Model):
    """A row of the outbox. Its arrows are in `vocab.OperationState`; only `operations/outbox.py` moves them."""

    change = models.ForeignKey(Change, on_delete=models.PROTECT, related_name="operations")
    position = models.PositiveIntegerField()
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="operations", verbose_name=_("system")
    )
    group = models.ForeignKey(
        Group, on_delete=models.PROTECT, null=True, related_name="operations", verbose_name=_("group")
    )
    participant = models.ForeignKey(Participant, on_delete=models.PROTECT, null=True, related_name="operations")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, related_name="operations")
    verb = models.CharField(max_length=20, choices=Verb)
    subject = models.CharField(max_length=220)
    """Whom it is about: `account:<remote id>`, else `row:<remote id>`, as it was known when the plan was made; as it is
    known now: `plans.subjects`."""
    subject_label = models.CharField(_("person"), max_length=600)

    wanted = models.JSONField(default=dict)
    before = models.JSONField(default=dict)
    """The precondition: what the mirror said when the plan was compiled."""
    calls = models.JSONField(default=list)
    calls_done = models.PositiveSmallIntegerField(default=0)
    salt = models.CharField(max_length=32)
    """Part of the digest, so that an erased wish cannot be guessed from it."""
    digest = models.CharField(max_length=64)

    secrets: Any = EncryptedJSONField(blank=True, default=dict)
    """Values for slots `secret:<key>`; emptied when the operation ends. Of one that was cancelled by somebody they stay
    until the person is erased: another try needs them."""
    results = models.JSONField(default=dict, blank=True)
    """What earlier calls and readings of this operation gave to later ones: the id of a new row, rows known before."""

    state = models.CharField(_("state"), max_length=20, choices=OperationState, default=OperationState.PLANNED)
    attempts = models.PositiveSmallIntegerField(default=0)
    """How often it was claimed."""
    resends = models.PositiveSmallIntegerField(default=0)
    """How often it was read back as not done and queued again."""
    not_before = models.DateTimeField(null=True, blank=True)
    lane_token = models.BigIntegerField(default=0)
    suspicion = models.CharField(max_length=60, blank=True)
    """What a lost or ambiguous answer hinted: a reason code."""
    suspicion_params = models.JSONField(default=dict, blank=True)
    outcome = models.CharField(max_length=60, blank=True)
    """How a final state was reached: a reason code, or empty when the answer itself said so."""
    outcome_params = models.JSONField(default=dict, blank=True)
    found = models.JSONField(default=dict, blank=True)
    """What was read back when it was neither as before nor as wished."""
    erased_at = models.DateTimeField(null=True, blank=True)
    """When the person whom it was about was erased: what names them is gone, the digest stays."""
    claimed_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(_("when"), null=True, blank=True)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        ordering = ("change", "position")
        constraints = [
            models.UniqueConstraint(fields=["change", "position"], name="operation_position_once"),
            models.UniqueConstraint(
                fields=["connection", "group", "subject"],
                condition=Q(state__in=("running", "in_doubt")),
                name="operation_running_once",
            ),
        ]
        indexes = [
            models.Index(
                fields=["connection", "state", "id"],
                condition=Q(state__in=("queued", "running", "in_doubt", "foreign")),
                name="operation_open",
            ),
            models.Index(
                fields=["connection", "change", "position"], condition=Q(state="queued"), name="operation_next"
            ),
            models.Index(
                fields=["connection", "subject"],
                condition=Q(state__in=("queued", "running", "in_doubt", "foreign")),
                name="operation_of_subject",
            ),
            models.Index(fields=["change", "state"], name="operation_of_change"),
            models.Index(fields=["group", "settled_at"], name="operation_settled"),
        ]

    def __str__(self) -> str:
        return f"{self.verb} {self.subject} ({self.state})"
