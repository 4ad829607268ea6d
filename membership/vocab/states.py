"""The states of what is worked on, arrow by arrow. The same tables are in docs/operations.md."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ConnectionState(TextChoices):
    """Whether the lane of a connection works.

    ACTIVE -> PAUSED     a call showed that token, tariff, URL or rights are wrong, or an operator paused it
    PAUSED -> ACTIVE     "Test and resume" found it well
    ACTIVE -> MAINTENANCE    an operator has changes queued only
    MAINTENANCE -> ACTIVE    resumed
    any -> RETIRED       read-only for ever; its history is kept
    """

    ACTIVE = "active", _("working")
    PAUSED = "paused", _("stopped")
    MAINTENANCE = "maintenance", _("maintenance: queued only")
    RETIRED = "retired", _("retired")


class ChangeState(TextChoices):
    """Life of what somebody asked for. The arrows, all of them, are in docs/operations.md.

    DRAFT -> QUEUED                   confirmed
    DRAFT -> WAITING                  confirmed, and a guard asks for a second person
    DRAFT, WAITING -> STALE           its time ran out, the mirror changed under it, or a backup was put back
    DRAFT -> CANCELLED                thrown away by its author
    WAITING -> QUEUED                 a second person approved exactly this plan
    WAITING -> REJECTED               a second person rejected it
    WAITING -> CANCELLED              withdrawn before anybody decided
    QUEUED -> RUNNING                 the worker claimed its first operation
    QUEUED, RUNNING -> PAUSED         somebody paused it, a stage did not end as confirmed, its asker may not act, or a
                                      backup was put back
    PAUSED -> QUEUED, RUNNING         somebody lets it go on
    PAUSED -> DONE, DONE_WITH_FAILURES, CANCELLED   what had begun has ended, and nothing is left
    QUEUED, RUNNING -> DONE           every operation ended well
    QUEUED, RUNNING -> DONE_WITH_FAILURES   some were refused, overtaken or cancelled as foreign
    QUEUED, RUNNING -> CANCELLED      the rest was cancelled, and what had begun has ended
    """

    DRAFT = "draft", _("preview")
    WAITING = "waiting", _("waits for approval")
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("running")
    PAUSED = "paused", _("paused")
    DONE = "done", _("done")
    DONE_WITH_FAILURES = "done_with_failures", _("done, not everything")
    CANCELLED = "cancelled", _("cancelled")
    STALE = "stale", _("too old")
    REJECTED = "rejected", _("rejected")

    @classmethod
    def open(cls) -> frozenset[str]:
        return frozenset({cls.QUEUED, cls.RUNNING, cls.PAUSED})

    @classmethod
    def moving(cls) -> frozenset[str]:
        """States in which operations are begun."""
        return frozenset({cls.QUEUED, cls.RUNNING})

    @classmethod
    def final(cls) -> frozenset[str]:
        return frozenset({cls.DONE, cls.DONE_WITH_FAILURES, cls.CANCELLED, cls.STALE, cls.REJECTED})

    @classmethod
    def unsent(cls) -> frozenset[str]:
        """Not confirmed, or not approved yet: nothing of it may be sent."""
        return frozenset({cls.DRAFT, cls.WAITING})

    @classmethod
    def dropped(cls) -> frozenset[str]:
        """States in which a plan ended that was never queued; `CANCELLED` may also end one that was."""
        return frozenset({cls.CANCELLED, cls.STALE, cls.REJECTED})


class StageState(TextChoices):
    """A part of a change that is looked at before the next one begins.

    WAITING -> RUNNING     the stage before was as confirmed, or somebody said: go on
    RUNNING -> READING     its operations have ended; their groups are being read
    READING -> AS_WISHED   read back: as confirmed
    READING -> DIFFERS     read back: not as confirmed, or too much failed, or it could not be read: the change pauses
    """

    WAITING = "waiting", _("waiting")
    RUNNING = "running", _("running")
    READING = "reading", _("being read back")
    AS_WISHED = "as_wished", _("as confirmed")
    DIFFERS = "differs", _("not as confirmed")


class OperationState(TextChoices):
    """Life of one wish at a remote. The arrows, all of them, are in docs/operations.md.

    PLANNED -> QUEUED         its change was confirmed
    PLANNED -> CANCELLED      its change was cancelled first, or a newer wish asks for the opposite
    QUEUED -> RUNNING         claimed by the worker that owns the lane; its intent is committed
    QUEUED -> NOT_NEEDED      already so
    QUEUED -> OVERTAKEN       the precondition is gone
    QUEUED -> CANCELLED       withdrawn, or superseded: a newer wish asks for the opposite
    QUEUED -> REFUSED         the row is not what was confirmed: nothing of it is sent; or its system was retired when
                              it was half done
    RUNNING -> CONFIRMED      the remote has it, or already had it
    RUNNING -> QUEUED         provably not sent, throttled, returned, or the token was renewed
    RUNNING -> REFUSED        asking again will not help
    RUNNING -> IN_DOUBT       the answer was lost or ambiguous, or the worker died: read before anything else
    IN_DOUBT -> CONFIRMED     read back: done
    IN_DOUBT -> QUEUED        read back: not done
    IN_DOUBT -> REFUSED       the ambiguous answer was a refusal, or it was sent too often
    IN_DOUBT -> FOREIGN       read back: neither as before nor as wished
    FOREIGN -> CONFIRMED, QUEUED, CANCELLED    an operator decided; its system was retired
    FOREIGN -> REFUSED        its system was retired when it was half done
    """

    PLANNED = "planned", _("planned")
    QUEUED = "queued", _("waiting")
    RUNNING = "running", _("being sent")
    IN_DOUBT = "in_doubt", _("checking what happened")
    FOREIGN = "foreign", _("changed by someone else")
    CONFIRMED = "confirmed", _("done")
    NOT_NEEDED = "not_needed", _("already so")
    OVERTAKEN = "overtaken", _("overtaken")
    REFUSED = "refused", _("said no")
    CANCELLED = "cancelled", _("cancelled")

    @classmethod
    def open(cls) -> frozenset[str]:
        return frozenset({cls.PLANNED, cls.QUEUED, cls.RUNNING, cls.IN_DOUBT, cls.FOREIGN})

    @classmethod
    def final(cls) -> frozenset[str]:
        return frozenset({cls.CONFIRMED, cls.NOT_NEEDED, cls.OVERTAKEN, cls.REFUSED, cls.CANCELLED})

    @classmethod
    def begun(cls) -> frozenset[str]:
        """States in which the remote may be about to change: readings leave such rows as they are."""
        return frozenset({cls.RUNNING, cls.IN_DOUBT})


class ReadingKind(TextChoices):
    SYSTEM = "system", _("whole system")
    GROUP = "group", _("one group")
    PLACES = "places", _("everywhere an account takes part")


class ReadingState(TextChoices):
    """One look at a remote.

    WANTED -> RUNNING                 the lane's owner began
    RUNNING -> COMPLETE               everything was seen
    RUNNING -> INCOMPLETE             nothing was concluded from what is missing; the reason is in words
    RUNNING -> FAILED                 nothing was learned
    WANTED -> FAILED                  the system is stopped
    """

    WANTED = "wanted", _("waiting")
    RUNNING = "running", _("reading…")
    COMPLETE = "complete", _("complete")
    INCOMPLETE = "incomplete", _("incomplete")
    FAILED = "failed", _("failed")

    @classmethod
    def open(cls) -> frozenset[str]:
        return frozenset({cls.WANTED, cls.RUNNING})
