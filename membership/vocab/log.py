"""Every kind of audit entry, and the chains that exist once."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


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
