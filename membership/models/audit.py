"""The audit log's rows. Only `audit/record.py` writes them; triggers refuse UPDATE and DELETE of entries.

References are plain ids: no foreign-key action may ever touch an entry.
"""

from typing import Any, NoReturn

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from membership.models.change import Change
from membership.models.visibility import InConnection
from membership.vocab import AuditAction


class AuditHead(models.Model):
    """The end of one chain: what the next entry is sealed onto."""

    chain = models.CharField(max_length=60, unique=True)
    seq = models.BigIntegerField(default=0)
    mac = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = "audit head"

    def __str__(self) -> str:
        return f"{self.chain} {self.seq}"


class AuditEntry(InConnection, models.Model):
    """One line of the append-only log. `sealed` is the truth; the other columns repeat it for lists and filters."""

    chain = models.CharField(_("chain"), max_length=60)
    seq = models.BigIntegerField(_("number in chain"))
    at = models.DateTimeField(_("when"), db_index=True)
    action = models.CharField(_("what"), max_length=60, choices=AuditAction)
    actor_id = models.BigIntegerField(null=True, blank=True)
    change_id = models.BigIntegerField(null=True, blank=True, db_index=True)
    operation_id = models.BigIntegerField(null=True, blank=True, db_index=True)
    connection_id = models.BigIntegerField(null=True, blank=True)
    group_id = models.BigIntegerField(null=True, blank=True, db_index=True)
    account_id = models.BigIntegerField(null=True, blank=True, db_index=True)
    person_id = models.BigIntegerField(null=True, blank=True, db_index=True)
    participant_id = models.BigIntegerField(null=True, blank=True, db_index=True)
    outcome = models.CharField(_("outcome"), max_length=60, blank=True)
    sealed = models.TextField()
    """JSON exactly as sealed."""
    mac = models.CharField(max_length=64)

    class Meta:
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")
        ordering = ("-pk",)
        constraints = [models.UniqueConstraint(fields=["chain", "seq"], name="audit_seq_once")]
        indexes = [
            models.Index(fields=["connection_id", "id"], name="audit_of_connection"),
            models.Index(fields=["actor_id", "id"], name="audit_of_actor"),
            models.Index(fields=["action", "id"], name="audit_of_action"),
            models.Index(fields=["outcome", "id"], condition=~Q(outcome=""), name="audit_of_outcome"),
        ]

    def __str__(self) -> str:
        return f"{self.chain}#{self.seq} {self.action}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An audit entry is never changed.")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("An audit entry is never deleted.")

    @staticmethod
    def visible_within(connection_ids: list[int], user_id: int) -> Q:
        """What concerns these systems, changes that touch no other, and what the user did."""
        changes = Change.objects.filter(Change.visible_within(connection_ids, user_id)).values("pk")
        elsewhere = Q(connection_id=None) & (Q(actor_id=user_id) | Q(change_id__in=changes))
        return Q(connection_id__in=connection_ids) | elsewhere


class AuditPersonal(models.Model):
    """The personal part of one entry: names, e-mails, request and answer excerpts. May be deleted, never updated."""

    entry_id = models.BigIntegerField(primary_key=True)
    salt = models.CharField(max_length=32)
    data = models.TextField()
    """JSON exactly as committed to."""
    text = models.TextField(blank=True)
    """What of `data` can be searched, case-folded."""

    class Meta:
        verbose_name = "personal part"

    def __str__(self) -> str:
        return f"of entry {self.entry_id}"


class AuditIndex(models.Model):
    """How far the index of words has come: one row. See `audit/words.py`."""

    upto = models.BigIntegerField(default=0)
    """The last entry whose words are in it."""
    merge_wanted = models.BooleanField(default=False)
    """Something was erased: its traces are to leave the index's pages."""
    merge_begun_at_upto = models.BigIntegerField(default=-1)

    class Meta:
        verbose_name = "index of the audit log"

    def __str__(self) -> str:
        return f"up to entry {self.upto}"


class FailedLogIns(models.Model):
    """Failed log-ins from one address in one minute: beyond ten they are counted, not listed one by one."""

    address_hash = models.CharField(max_length=64)
    """Keyed: the address itself stands only in the personal parts of entries."""
    minute = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        verbose_name = "failed log-ins"
        constraints = [models.UniqueConstraint(fields=["address_hash", "minute"], name="failed_log_ins_once")]

    def __str__(self) -> str:
        return f"{self.minute}: {self.count}"
