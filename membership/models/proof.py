"""What stands around the audit log to prove it: anchors, where they were sent, cuts, and when it was checked."""

from typing import Any, NoReturn

from django.db import models


class AuditAnchor(models.Model):
    """The ends of all chains at one moment, signed. Only `audit/anchoring.py` writes them; triggers refuse changes.

    The copies outside the database are what proves something; these rows serve exports, and sinks that missed some.
    """

    n = models.BigIntegerField(unique=True)
    at = models.DateTimeField()
    text = models.TextField()
    """JSON exactly as signed: `audit/anchors.py` describes it."""
    sig = models.CharField(max_length=128)

    class Meta:
        verbose_name = "audit anchor"
        ordering = ("-n",)

    def __str__(self) -> str:
        return f"anchor {self.n}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An anchor is never changed.")
        super().save(*args, **{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("An anchor is never deleted.")


class AuditSpan(models.Model):
    """Which entries of a chain an anchor covers: what finds the anchor of an entry."""

    chain = models.CharField(max_length=60)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    n = models.BigIntegerField()

    class Meta:
        verbose_name = "span of an audit anchor"
        indexes = [models.Index(fields=["chain", "last"], name="audit_span_of_chain")]

    def __str__(self) -> str:
        return f"{self.chain} #{self.first} to #{self.last}: anchor {self.n}"


class AnchorSink(models.Model):
    """One place that anchors are sent to, and how far it has come."""

    name = models.CharField(max_length=200, unique=True)
    sent_n = models.BigIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    failing_since = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name = "sink of audit anchors"

    def __str__(self) -> str:
        return f"{self.name}: {self.sent_n}"


class AuditCut(models.Model):
    """Where a chain begins since its older entries were cut off and put into an archive. One row a chain.

    `cutting` is set while entries are being deleted, and only then do the triggers let them go. It refers to a row
    that never exists, so that no transaction can commit while it is set: a door that is open for one transaction.
    """

    chain = models.CharField(max_length=60, unique=True)
    seq = models.BigIntegerField()
    """The last entry that was cut off."""
    mac = models.CharField(max_length=64)
    """Of that entry: what the first one that is left continues."""
    at = models.DateTimeField()
    cutting = models.ForeignKey("self", null=True, blank=True, on_delete=models.DO_NOTHING, related_name="+")

    class Meta:
        verbose_name = "cut of an audit chain"

    def __str__(self) -> str:
        return f"{self.chain} up to {self.seq}"


class AuditCheck(models.Model):
    """One check of the whole log: asked for at the panel and done by the worker, or done at the command line."""

    asked_by_id = models.BigIntegerField(null=True, blank=True)
    asked_by = models.CharField(max_length=150, blank=True)
    asked_at = models.DateTimeField()
    beat_at = models.DateTimeField(null=True, blank=True)
    """The last sign of life of whoever does it."""
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    ended_at = models.DateTimeField(null=True, blank=True)
    entries = models.BigIntegerField(default=0)
    anchors = models.BigIntegerField(default=0)
    faults = models.JSONField(default=list)
    """The first of them, in words."""
    faults_count = models.BigIntegerField(default=0)
    notes = models.JSONField(default=list)
    """What is no fault and must be known, in words."""

    class Meta:
        verbose_name = "check of the audit log"
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"asked at {self.asked_at}"

    @property
    def is_whole(self) -> bool:
        return self.ended_at is not None and not self.faults

    @property
    def more_faults(self) -> int:
        """So many are not in `faults`."""
        return max(0, self.faults_count - len(self.faults))

    @property
    def percent(self) -> int:
        return min(99, 100 * self.done // self.total) if self.total else 0
