"""The words of the house: choices, states, the provider registry. Sentences for reason codes are in `sentences.py`."""

from typing import NamedTuple

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class ProviderEntry(NamedTuple):
    label: str
    path: str  # dotted path of the package whose `build` makes the provider; imported when first used
    rate_per_s: float = 2  # requests a second of a new connection: what the vendor allows, or a careful guess


PROVIDERS: dict[str, ProviderEntry] = {
    "inwendo": ProviderEntry("inwendo", "membership.providers.inwendo"),
    "mudbase": ProviderEntry("Mudbase", "membership.providers.mudbase"),
    "kaiten": ProviderEntry("Kaiten", "membership.providers.kaiten", rate_per_s=5),
}


def provider_choices() -> list[tuple[str, str]]:
    """Choices for model fields: a callable, so that a new provider needs no migration."""
    return [(kind, entry.label) for kind, entry in PROVIDERS.items()]


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
    DRAFT, WAITING -> STALE           its time ran out, or the mirror changed under it
    DRAFT -> CANCELLED                thrown away by its author
    WAITING -> QUEUED                 a second person approved exactly this plan
    WAITING -> REJECTED               a second person rejected it
    WAITING -> CANCELLED              withdrawn before anybody decided
    QUEUED -> RUNNING                 the worker claimed its first operation
    QUEUED, RUNNING -> PAUSED         somebody paused it, or a stage did not end as confirmed
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
    QUEUED -> REFUSED         the row is not what was confirmed: nothing of it is sent
    RUNNING -> CONFIRMED      the remote has it, or already had it
    RUNNING -> QUEUED         provably not sent, throttled, returned, or the token was renewed
    RUNNING -> REFUSED        asking again will not help
    RUNNING -> IN_DOUBT       the answer was lost or ambiguous, or the worker died: read before anything else
    IN_DOUBT -> CONFIRMED     read back: done
    IN_DOUBT -> QUEUED        read back: not done
    IN_DOUBT -> REFUSED       the ambiguous answer was a refusal, or it was sent too often
    IN_DOUBT -> FOREIGN       read back: neither as before nor as wished
    FOREIGN -> CONFIRMED, QUEUED, CANCELLED    an operator decided
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


class Verb(TextChoices):
    """What a wish asks for. A plan does them in this order: nobody is left out longer than needed."""

    CREATE_GROUP = "create_group", _("create group")
    RENAME_GROUP = "rename_group", _("rename group")
    ADD = "add", _("add")
    UPDATE = "update", _("alter")
    REMOVE = "remove", _("remove")
    DELETE_GROUP = "delete_group", _("delete group")


class ChangeKind(TextChoices):
    REMOVAL = "removal", _("removal")
    REMOVAL_EVERYWHERE = "removal_everywhere", _("removal from everywhere")
    ADDITION = "addition", _("addition")
    ALTERATION = "alteration", _("alteration")
    MOVE = "move", _("move")
    COPY = "copy", _("copy")
    GROUP = "group", _("change of a group")
    BUNDLE = "bundle", _("bundle assigned")
    BUNDLE_WITHDRAWN = "bundle_withdrawn", _("bundle withdrawn")
    SAME_GROUPS = "same_groups", _("the same groups as somebody")
    MATRIX = "matrix", _("edit of a person's places")
    REVERT = "revert", _("revert of what was changed outside")
    WAY_BACK = "way_back", _("way back from half a change")
    BACK_TO_DAY = "back_to_day", _("group brought back to a day")
    RETRY = "retry", _("another try")
    ROSTER = "roster", _("list from a file")
    TAKE_BACK = "take_back", _("taken back")
    ENDING = "ending", _("end dates")
    LEAVER = "leaver", _("leaver")

    @classmethod
    def only_remove(cls) -> frozenset[str]:
        """Kinds by which people leave and nothing else happens."""
        return frozenset({cls.REMOVAL, cls.REMOVAL_EVERYWHERE, cls.BUNDLE_WITHDRAWN, cls.ENDING, cls.LEAVER})


class Guard(TextChoices):
    """What is looked at in a plan as a whole. Rows of rules name these values."""

    GROUP_REMOVALS = "group_removals", _("many leave one group")
    CHANGE_REMOVALS = "change_removals", _("many leave by one change")
    EMPTY_GROUP = "empty_group", _("a group is left empty")
    LAST_MANAGER = "last_manager", _("the last manager goes")
    MANAGED_ELSEWHERE = "managed_elsewhere", _("the group is managed elsewhere")
    MANY_PEOPLE = "many_people", _("many people are concerned")
    ADMINISTERS = "administers", _("somebody rises in a group that administers")
    OLD_READING = "old_reading", _("people leave a group that was not read completely of late")
    EVERY_CHANGE = "every_change", _("any change at all")


class GuardLevel(TextChoices):
    """What a guard does where it strikes, from the mildest to the strictest."""

    OFF = "off", _("off")
    WARN = "warn", _("warns")
    APPROVAL = "approval", _("asks for approval")
    FORBID = "forbid", _("forbids")

    @property
    def rank(self) -> int:
        return list(GuardLevel).index(self)


class DecisionKind(TextChoices):
    """What somebody decided about exactly one plan."""

    OVERRIDDEN = "overridden", _("guards overridden")
    APPROVED = "approved", _("approved")
    REJECTED = "rejected", _("rejected")


class EndingState(TextChoices):
    """The last day of somebody in a group.

    OPEN -> DUE          the day is over; a change that removes them was made
    DUE -> OPEN          nobody confirmed that change in time: it is made anew
    OPEN, DUE -> CLOSED  they are gone, or never came, or somebody threw the removal away or rejected it
    OPEN -> LIFTED       somebody took the end date away, or set another one
    """

    OPEN = "open", _("to come")
    DUE = "due", _("due")
    CLOSED = "closed", _("over")
    LIFTED = "lifted", _("taken away")


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


class DriftKind(TextChoices):
    JOINED = "joined", _("joined")
    LEFT = "left", _("left")
    ALTERED = "altered", _("altered")
    GROUP_APPEARED = "group_appeared", _("group appeared")
    GROUP_VANISHED = "group_vanished", _("group vanished")


class DriftState(TextChoices):
    """What was decided about a difference made outside.

    OPEN -> ADOPTED      it is right as it is
    OPEN -> REVERTED     a change was compiled that undoes it
    OPEN -> IGNORED      not shown until a day; then OPEN again
    """

    OPEN = "open", _("to look at")
    ADOPTED = "adopted", _("adopted")
    REVERTED = "reverted", _("being reverted")
    IGNORED = "ignored", _("ignored for now")


class ProposalState(TextChoices):
    """A proposal that an account belongs to a person.

    OPEN -> ACCEPTED     the accounts are linked
    OPEN -> REJECTED     they are different people; not proposed again
    ACCEPTED -> OPEN     taken back
    """

    OPEN = "open", _("to look at")
    ACCEPTED = "accepted", _("linked")
    REJECTED = "rejected", _("different people")


class ProposalHint(TextChoices):
    SAME_EMAIL = "same_email", _("same e-mail")
    SAME_NAME = "same_name", _("same name (a weak hint)")


class ErasureState(TextChoices):
    """What became of a wish to erase a person.

    ASKED -> DONE        somebody else approved; what is stored about the person is gone
    ASKED -> REJECTED    it stays as it is
    """

    ASKED = "asked", _("waits for a second person")
    DONE = "done", _("erased")
    REJECTED = "rejected", _("rejected")


ERASED = "(erased)"
"""What stands where a name was, in rows and on pages."""


class PresenceCause(TextChoices):
    """How a presence began or ended."""

    OPERATION = "operation", _("by a change made here")
    READING = "reading", _("changed outside")
    UNKNOWN = "unknown", _("there before Musterbook looked")


class Role(TextChoices):
    """The five roles, kept by code: `services/roles.py` gives each its rights after every migrate."""

    VIEWER = "viewer", _("Viewer")
    OPERATOR = "operator", _("Operator")
    APPROVER = "approver", _("Approver")
    AUDITOR = "auditor", _("Auditor")
    OWNER = "owner", _("Owner")


class Right(TextChoices):
    """What a role may do beyond Django's model rights. Django permission codenames on `Connection`."""

    SEE = "see_panel", _("see people, groups and changes")
    ACT = "act", _("change who is in which group")
    REFRESH = "refresh", _("have systems read again")
    APPROVE = "approve", _("approve changes of others")
    OVERRIDE = "override_guards", _("let one plan through against guards that forbid it")
    READ_AUDIT = "read_audit", _("read the audit log")
    READ_LOG_INS = "read_log_ins", _("read who logged in, and from where")
    PROTECT = "protect", _("protect people and groups")
    MANAGE_SYSTEMS = "manage_systems", _("connect, test, pause and change systems")
    MANAGE_USERS = "manage_users", _("give and take rights at the panel")
    REPORT = "report", _("get everything that is stored about a person")
    ERASE = "erase", _("have a person erased, and approve it for others")


class AuditAction(TextChoices):
    """Every kind of audit entry. Stored for ever: never rename or remove a value."""

    # one entry a change
    CHANGE_DRAFTED = "change.drafted", _("previewed")
    CHANGE_REQUESTED = "change.requested", _("requested")
    CHANGE_APPROVED = "change.approved", _("approved")
    CHANGE_REJECTED = "change.rejected", _("rejected")
    CHANGE_OVERRIDDEN = "change.overridden", _("guards overridden")
    CHANGE_CANCELLED = "change.cancelled", _("cancelled")
    CHANGE_FINISHED = "change.finished", _("finished")
    CHANGE_PAUSED = "change.paused", _("paused")
    CHANGE_RESUMED = "change.resumed", _("resumed")
    CHANGE_STARTED_NOW = "change.started_now", _("started before its time")
    CHANGE_STAGE_FINISHED = "change.stage_finished", _("stage finished")
    CHANGE_STALE = "change.expired", _("expired")
    # per operation, in the connection's chain
    OPERATION_INTENDED = "operation.intended", _("intended")
    OPERATION_RETURNED = "operation.returned", _("returned")
    OPERATION_CONFIRMED = "operation.confirmed", _("confirmed")
    OPERATION_REFUSED = "operation.refused", _("refused")
    OPERATION_IN_DOUBT = "operation.doubted", _("in doubt")
    OPERATION_ALTERED = "operation.found_altered", _("found altered, not sent")
    OPERATION_RESOLVED = "operation.resolved", _("resolved")
    OPERATION_OVERTAKEN = "operation.overtaken", _("overtaken")
    OPERATION_NOT_NEEDED = "operation.not_needed", _("not needed")
    OPERATION_SUPERSEDED = "operation.superseded", _("superseded")
    OPERATION_FOREIGN = "operation.found_foreign", _("found changed by someone else")
    OPERATION_DECIDED = "operation.decided", _("decided by an operator")
    # connections and readings
    CONNECTION_CREATED = "connection.created", _("system connected")
    CONNECTION_EDITED = "connection.edited", _("system edited")
    CONNECTION_TESTED = "connection.tested", _("system tested")
    GUARDS_EDITED = "guards.edited", _("guards edited")
    CONNECTION_PAUSED = "connection.paused", _("system stopped")
    CONNECTION_RESUMED = "connection.resumed", _("system resumed")
    CONNECTION_SIGNED_IN = "connection.signed_in", _("signed in to the system")
    READING_REQUESTED = "reading.requested", _("refresh asked for")
    READING_FINISHED = "reading.finished", _("read")
    SECRETS_ROTATED = "secrets.rotated", _("secrets encrypted anew")
    # people at the panel
    PERSON_LINKED = "person.linked", _("accounts linked to a person")
    PERSON_UNLINKED = "person.unlinked", _("accounts unlinked from a person")
    PROPOSAL_REJECTED = "proposal.rejected", _("proposal to link rejected")
    BUNDLE_SAVED = "bundle.saved", _("bundle saved")
    BUNDLE_DELETED = "bundle.deleted", _("bundle deleted")
    ROSTER_UPLOADED = "roster.uploaded", _("list uploaded")
    ROSTER_MAPPED = "roster.mapped", _("columns of a list chosen")
    ROSTER_MATCHED = "roster.matched", _("list held against a group")
    ROSTER_TICKED = "roster.ticked", _("proposals of a list confirmed")
    ROSTER_REFUSED = "roster.refused", _("list could not be used")
    ROSTER_EMPTIED = "roster.emptied", _("contents of a list deleted")
    ENDING_SET = "ending.set", _("end date set")
    ENDING_LIFTED = "ending.lifted", _("end date taken away")
    ENDING_CLOSED = "ending.closed", _("end date over")
    LEAVING_BEGUN = "leaving.begun", _("leaver: removal from everywhere begun")
    LEAVING_DROPPED = "leaving.dropped", _("leaver: nothing was asked for")
    LEAVING_CERTIFIED = "leaving.certified", _("leaver: certificate issued")
    DRIFT_ADOPTED = "drift.adopted", _("change made outside adopted")
    DRIFT_IGNORED = "drift.ignored", _("change made outside ignored for now")
    DRIFT_REVERTED = "drift.reverted", _("revert of a change made outside previewed")
    GROUP_TRACKED = "group.tracked", _("group tracked by id")
    CONNECTION_RETIRED = "connection.retired", _("system retired")
    PERSON_PROTECTED = "person.protected", _("person protected")
    PERSON_UNPROTECTED = "person.unprotected", _("protection of a person lifted")
    GROUP_PROTECTED = "group.protected", _("group protected")
    GROUP_UNPROTECTED = "group.unprotected", _("protection of a group lifted")
    USER_CREATED = "user.created", _("panel user created")
    USER_EDITED = "user.edited", _("panel user edited")
    PASSWORD_SET = "password.set", _("password set")
    LOGGED_IN = "session.started", _("logged in")
    LOGGED_OUT = "session.ended", _("logged out")
    LOG_IN_FAILED = "session.refused", _("log-in failed")
    LOG_INS_FAILED = "session.refused_many", _("log-ins failed, counted")
    REQUEST_REFUSED = "request.refused", _("request refused")
    EXPORT_MADE = "export.made", _("list exported")
    COMMAND_RUN = "command.run", _("command run")
    LOG_VERIFIED = "log.verified", _("audit log verified")
    VERIFICATION_REQUESTED = "log.verification_requested", _("verification asked for")
    LOG_CUT = "log.cut", _("audit log cut")
    DATABASE_RESTORED = "database.restored", _("database put back from a backup")
    PERSON_REPORTED = "person.reported", _("report about a person made")
    ERASURE_ASKED = "erasure.asked", _("erasure of a person asked for")
    ERASURE_REJECTED = "erasure.rejected", _("erasure of a person rejected")
    PERSON_ERASED = "person.erased", _("person erased")


class Chain(TextChoices):
    """The audit chains that exist once; each connection has one of its own, named `connection:<id>`."""

    PANEL = "panel", pgettext_lazy("audit chain", "Panel")
    LOG_IN = "login", pgettext_lazy("audit chain", "Log-ins")
