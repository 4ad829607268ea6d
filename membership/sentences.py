"""One sentence for every reason code, fit to be shown: what happened, what it means, what to do."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from membership.errors import MusterbookError, Reason

REASONS: dict[Reason, Any] = {
    # Nothing left this machine.
    Reason.NOT_REACHED: _("The system could not be reached. Nothing was sent; it is tried again."),
    Reason.NAME_NOT_RESOLVED: _("The host name of the system is not known. Check the address."),
    Reason.ADDRESS_NOT_ALLOWED: _(
        "The address is a private or local one. If that is meant, mark the system as inside your own network."
    ),
    Reason.CONNECTION_REFUSED: _("The system refused the connection: nothing answers at its address and port."),
    Reason.CONNECT_TIMEOUT: _("No connection came about in time. Nothing was sent; it is tried again."),
    Reason.TLS_FAILED: _(
        "The encrypted connection failed: the certificate or the protocol is wrong. Nothing was sent."
    ),
    Reason.TOO_LATE_TO_SEND: _("The worker had lost its turn before the call was sent. Nothing was sent."),
    Reason.ID_NOT_SENDABLE: _(
        "An id there cannot be carried by a web address, so no call can name it. Nothing is sent."
    ),
    Reason.NOT_STARTED: _("The worker stopped before the call was sent. It goes back into the queue."),
    # It may have been done.
    Reason.ANSWER_LOST: _("The answer was lost."),
    Reason.ANSWER_TIMEOUT: _("No answer came in time."),
    Reason.ANSWER_UNREADABLE: _("The answer could not be read."),
    Reason.ANSWER_TOO_LARGE: _("The answer was too large to be read."),
    Reason.ANSWER_REDIRECTED: _("The answer pointed to another address, which is never followed. Check the address."),
    Reason.ANSWER_UNEXPECTED: _("The answer does not fit what was asked (status %(status)s)."),
    Reason.REMOTE_FAILED: _("The system failed while it worked on the call (status %(status)s)."),
    Reason.WORKER_DIED: _("The worker ended before the answer was recorded."),
    # The remote asked for a pause.
    Reason.THROTTLED: _("The system asked for a pause. Nothing was done; it goes on by itself."),
    Reason.UNAVAILABLE: _("The system is not available now. It is tried again."),
    # Asking again will not help.
    Reason.REMOTE_SAID_NO: _("The system said no (status %(status)s): %(said)s"),
    Reason.FORBIDDEN: _("The system does not allow it to the account that Musterbook uses. %(said)s"),
    Reason.NOT_FOUND: _("What the call names is not there."),
    Reason.GROUP_NOT_FOUND: _("The group is gone, or Musterbook's account can no longer see it."),
    Reason.NOT_OFFERED: _("This system cannot do that."),
    Reason.STILL_THERE: _("The system said it is done, but the person is still there."),
    Reason.NOT_REMOVED: _("The system did not remove the person. %(said)s"),
    Reason.SENT_TOO_OFTEN: _("It was sent %(times)s times and is still not done. It is not sent again."),
    # The connection is stopped.
    Reason.TOKEN_NOT_ACCEPTED: _("The system does not accept the token. Enter a new one, then test and resume."),
    Reason.SIGN_IN_REFUSED: _("The system refused the log-in. Check user name and password, then test and resume."),
    Reason.SIGN_IN_TOO_OFTEN: _(
        "There were %(limit)s log-ins in 15 minutes; more could lock the account. It goes on by itself after a while."
    ),
    Reason.SECOND_FACTOR_NEEDED: _("The log-in asks for a second factor. Use an account or key that works without."),
    Reason.TARIFF: _("The tariff of the system does not include this: %(said)s"),
    Reason.RIGHTS_MISSING: _("The account that Musterbook uses lacks the right to do this."),
    Reason.WRONG_ADDRESS: _("What answers at this address is not the expected system. Check the address."),
    Reason.SECRET_MISSING: _("A secret is not set. Enter it, then test and resume."),
    Reason.LONG_UNAVAILABLE: _(
        "The system has not been available for long; the organisation there may be suspended. Ask its operator."
    ),
    Reason.STOPPED_BY_OPERATOR: _("Stopped by %(by)s: %(note)s"),
    # A reading is not complete.
    Reason.PAGE_REPEATED: _("The same page came twice, so the list may have gaps."),
    Reason.PAGE_SHORT: _("A page in the middle was short, so the list may have gaps."),
    Reason.MAYBE_CAPPED: _("Exactly 100 rows came from a list that may end there, so more may exist."),
    Reason.PAGING_IGNORED: _("The system ignored the page that was asked for, so the list may have gaps."),
    Reason.TOO_MANY_PAGES: _("The list did not end."),
    Reason.EMPTY_WHERE_ROWS_WERE: _("The list came empty where there were %(before)s rows before."),
    Reason.FAR_FEWER_ROWS: _("Only %(now)s rows came where there were %(before)s before."),
    Reason.WEAK_TOKEN: _("The account that Musterbook uses sees only a part of the people."),
    Reason.GROUPS_NOT_LISTED: _("The system does not list its groups, and no group is tracked by id."),
    Reason.FILTER_IGNORED: _("The system cannot be asked for one person in one group: look there who is in it."),
    Reason.GROUP_VANISHED: _("The group is no longer listed, but may still exist out of sight."),
    Reason.READING_FAILED: _("The reading failed."),
    Reason.READING_INTERRUPTED: _("The worker ended during the reading."),
    # A wish is left out of a plan, or not sent.
    Reason.OWN_ACCOUNT: _("This is the account that Musterbook uses: without it the group can no longer be seen."),
    Reason.LAST_MANAGER: _("The last manager stays: without one nobody could manage the group."),
    Reason.PERSON_PROTECTED: _("Protected by %(by)s, %(at)s: %(note)s"),
    Reason.GROUP_PROTECTED: _("The group is protected by %(by)s, %(at)s: %(note)s"),
    Reason.MANAGED_ELSEWHERE: _("The group is managed elsewhere (directory): a change here would be undone."),
    Reason.ALREADY_GONE: _("Already gone."),
    Reason.ALREADY_SO: _("Already so."),
    Reason.GROUP_ARCHIVED: _("The group is archived: nobody can join it."),
    Reason.ACCOUNT_ELSEWHERE: _("The account is one of another system; %(system)s does not know it."),
    Reason.ACCOUNT_GONE: _("The account is no longer there."),
    Reason.ACCOUNT_NOT_KNOWN: _("Whose place this is, is not known, so nobody can be added for it elsewhere."),
    Reason.NO_ACCOUNT_THERE: _("Has no account in %(system)s."),
    Reason.SEVERAL_ACCOUNTS_THERE: _("Has several accounts in %(system)s: choose the account itself."),
    Reason.NOT_THERE: _("Is not in this group."),
    Reason.PROTECTED_INSIDE: _("Somebody protected is in the group: %(name)s."),
    Reason.SYSTEM_RETIRED: _("%(system)s is retired: it is only kept for its history."),
    Reason.MOVE_INCOMPLETE: _("The other half of the move cannot be done, so this half is not done either."),
    Reason.VALUE_NOT_KEPT: _("The secret value is no longer stored. Enter it again."),
    Reason.ALREADY_ASKED: _("Already asked for in change %(change)s."),
    Reason.PLACES_NOT_KNOWN: _("Where the person takes part there is not known."),
    Reason.PRECONDITION_GONE: _("Something changed since the preview, so it was not sent."),
    Reason.STEP_BEFORE_FAILED: _("The step that has to come first did not go well, so this one was not sent."),
    Reason.NOT_IN_PLAN: _(
        "This step is not as it was confirmed: its row in the database was altered. Nothing of it was sent. "
        "Ask whoever looks after the database."
    ),
    Reason.CANCELLED: _("Cancelled before it was sent."),
    Reason.SUPERSEDED: _("Not sent: a newer change asks for the opposite, so both cancel out."),
    Reason.END_DATE_ALTERED: _("Not sent: the end date was altered or taken away before."),
    Reason.CHANGED_BY_SOMEONE_ELSE: _("It is neither as before nor as wished: somebody else changed it meanwhile."),
    Reason.READ_BACK_DONE: _("The answer was lost; read back: it is done."),
    Reason.READ_BACK_NOT_DONE: _("Read back: it was not done. It is sent again."),
    Reason.SETTLED_WITHOUT_ANSWER: _("The answer's text could not be stored; the outcome is kept without it."),
    Reason.DECIDED_BY_OPERATOR: _("Decided by %(by)s."),
    # A change is paused.
    Reason.PAUSED_BY_OPERATOR: _("Paused by %(by)s. What was being sent ends as it ends; the rest waits. %(note)s"),
    Reason.STAGE_DIFFERS: _(
        "Stage %(stage)s was read back. Steps that are not as confirmed: %(count)s. The rest waits: let it go on, or "
        "cancel it."
    ),
    Reason.STAGE_FAILED: _(
        "In stage %(stage)s, %(count)s of %(total)s steps did not go well. The rest waits: let it go on, or cancel it."
    ),
    Reason.STAGE_NOT_READ: _(
        "Stage %(stage)s could not be read back completely, so it is not known whether all is as confirmed. The rest "
        "waits: look at the systems, then cancel it, or let it go on without: these groups are then not asked about "
        "again in this change."
    ),
    Reason.STAGE_LEFT_UNREAD: _(
        "Groups that could not be read back, and of which somebody said before that this change goes on without: "
        "%(count)s."
    ),
    Reason.ASKER_MAY_NOT: _(
        "%(by)s, who asked for this, may not do it any more. Nothing of it is sent before somebody who may answers for "
        "it: by a preview of their own, or by letting it go on where it is paused."
    ),
    Reason.BACKUP_PUT_BACK: _(
        "A backup of %(at)s was put back. What was sent of this change after that is not known here: refresh its "
        "systems and look what is done, then let the rest go on, or cancel it."
    ),
    Reason.BACKUP_KNOWS_NO_MORE: _(
        "A backup of %(at)s was put back. Whether this was confirmed or approved after that, and done, is not known "
        "here: refresh its systems and look, then make a new preview of what is still to be done."
    ),
    # A part of a change is not taken back.
    Reason.CHANGED_SINCE: _("Somebody changed it since. It stays as it is now."),
    Reason.GROUP_DELETED: _("A deleted group cannot come back, nor can what was written in it."),
    Reason.SECRET_NOT_KEPT: _(
        "What the secret was before is not stored, so it cannot come back. It stays; enter it anew where it is needed."
    ),
    Reason.WAS_SO_BEFORE: _("It was so before this change, so there is nothing to take back."),
    # A request at the panel is refused.
    Reason.NO_RIGHT: _("You do not have the right to do this."),
    Reason.NOT_VISIBLE: _("There is nothing here that you may see."),
    Reason.REASON_EMPTY: _("Say why. A reason is needed, because it stays in the audit log."),
    Reason.NUMBER_NOT_TYPED: _("Type the number %(number)s to confirm a change of this size."),
    Reason.NAME_NOT_TYPED: _("Type the name of the group to delete it: %(name)s"),
    Reason.EDITED_MEANWHILE: _("Somebody else changed this participant since the page was shown. Nothing was changed."),
    Reason.BEING_READ: _("The group is being read again after the half step. Try again in a moment."),
    Reason.BEING_REMOVED: _("The end date is over, and the removal has begun. Look again when it has ended."),
    Reason.NOT_HALF_DONE: _("This step is not half done, so there is no way back from it."),
    Reason.NOTHING_TO_DO: _("There is nothing to do in this change."),
    Reason.NOTHING_SELECTED: _("Nothing is selected."),
    Reason.STILL_IN_GROUPS: _(
        "This person is still in %(count)s groups, and each reading would tell so again. Nothing was erased."
        " Remove them everywhere first, then erase."
    ),
    Reason.NEEDS_SECOND_PERSON: _(
        "Whoever asks for an erasure cannot approve it. Nothing was erased; another owner has to approve."
    ),
    Reason.ALREADY_DECIDED: _("Somebody has decided about this already. Reload the page to see how."),
    Reason.ALREADY_ASKED_TO_ERASE: _("The erasure of this person is asked for already, and waits for a second person."),
    Reason.PERSON_MERGED: _(
        "This person is part of %(name)s by now, and so are the accounts. Nothing was erased: reject this, and ask to "
        "erase %(name)s."
    ),
    Reason.ERASED: _("Whom this was about was erased, so it cannot be planned again. Nothing was changed."),
    Reason.BEFORE_FIRST_LOOK: _(
        "On that day Musterbook did not look at this group yet: who was in it is not known."
        " It has looked since %(since)s."
    ),
    Reason.PLAN_STALE: _("This preview is too old, or things changed under it. Nothing was queued; make a new one."),
    Reason.PLAN_ALTERED: _("The plan is not the one that was shown. Nothing was queued."),
    Reason.PLAN_NOT_READY: _("The preview is not ready yet: some systems are still being read."),
    Reason.ALREADY_CONFIRMED: _("This change was already confirmed. Nothing is done twice."),
    Reason.GUARD_FORBIDS: _(
        "A guard forbids this plan. Nothing was queued; somebody with the right may override it for this plan alone."
    ),
    Reason.NOTHING_FORBIDDEN: _("No guard forbids this plan, or that was overridden already."),
    Reason.OWN_REQUEST: _("Whoever asked for a change cannot decide about it: a second person has to."),
    Reason.NOT_WAITING: _("This change does not wait for approval."),
    Reason.COMMENT_EMPTY: _("Say why. The comment stays in the audit log, and the person who asked reads it."),
    Reason.NOT_A_DRAFT: _("This is no longer a preview."),
    Reason.NOT_RUNNING: _("This change is not running."),
    Reason.NOT_PAUSED: _("This change is not paused. Nothing was changed."),
    Reason.NOT_WAITING_FOR_START: _("This change does not wait for its start any more. Nothing was changed."),
    Reason.NOT_FINISHED: _("This change has not ended yet. Wait for its end, or cancel the rest; then take it back."),
    Reason.NOTHING_TO_TAKE_BACK: _("Nothing of this change was done, so there is nothing to take back."),
    Reason.RESULT_FILE_NOT_USABLE: _("The file cannot be used: %(why)s. Nothing was planned."),
    Reason.NOTHING_TO_RETRY: _("There is nothing that could be tried again."),
    Reason.NOT_FOREIGN: _("This step does not wait for a decision."),
    Reason.REQUEST_FORGED: _("The request did not come from a page of this panel, or its page was too old."),
    Reason.HOST_UNKNOWN: _(
        "The panel does not answer to the name “%(host)s”. Its own is set by PUBLIC_URL, others by EXTRA_HOSTS."
    ),
    Reason.TOO_MANY_TESTS: _("The system was tested a moment ago. Try again in a few seconds."),
    Reason.STEPS_UNDER_WAY: _(
        "%(count)s steps are on their way to %(system)s or being checked. Wait until they have ended, then try again."
    ),
    Reason.SYSTEM_NOT_WORKING: _("%(system)s is not working now (%(state)s), so this cannot be done."),
    Reason.BAD_VALUE: _("The value of %(key)s cannot be used: %(why)s"),
    Reason.BEING_VERIFIED: _("The audit log is being verified already; wait until that has ended."),
    Reason.LOG_NOT_WHOLE: _("The audit log does not hold (%(fault)s), so nothing is cut off. Find out why first."),
    Reason.NO_ANCHOR_SO_OLD: _("No signed anchor is older than %(days)s days, so there is nothing to cut off."),
    Reason.LOG_STILL_NEEDED: _(
        "Change #%(change)s was asked for before that and is not done: without these entries no more of it would be"
        " sent. Let it end, cancel it, or keep more days. Nothing was cut off."
    ),
    Reason.ARCHIVE_BROKEN: _("The archive could not be written and read back (%(why)s). Nothing was cut off."),
    Reason.ARCHIVE_NOT_ERASED: _("An archive of the log could not be written anew (%(why)s). Nothing was erased."),
    Reason.LOG_CUT_MEANWHILE: _("Old entries were cut off the log meanwhile, and nothing was erased. Approve again."),
    Reason.BACKUP_BROKEN: _("%(file)s is no backup that can be used: %(why)s."),
    Reason.BACKUP_WITHOUT_KEYS: _("%(file)s does not hold the keys; they are where .env was kept."),
    Reason.BACKUP_OF_ANOTHER_KIND: _("The backup is of %(kind)s, and DATABASE_URL names another kind of database."),
    Reason.BACKUP_OF_NEWER_VERSION: _(
        "The backup is of a newer version (%(version)s): this one does not know %(migration)s. Install that one first."
    ),
    Reason.FILE_IN_THE_WAY: _("%(file)s is there already and is no backup: nothing was written."),
    Reason.PASSPHRASE_WRONG: _("The passphrase does not open the keys of this backup."),
    Reason.KEYS_MISSING: _(
        "These keys of the backup are not set here: %(keys)s. Put them into .env first, beside the newer ones. Where"
        " they are lost for good, say --keys-lost: docs/operations.md says what that costs."
    ),
    Reason.DATABASE_NOT_EMPTY: _("There is a database already. Say --replace to put it aside."),
    Reason.WORKER_RUNS: _("Musterbook is running. Stop it, wait half a minute, and try again."),
    Reason.TOOL_FAILED: _("%(tool)s could not do it: %(why)s"),
    Reason.LAST_OWNER: _("Somebody has to stay who may manage users: this is the last active owner."),
    # A list from a file cannot be used, or one of its rows is left out.
    Reason.ROSTER_TOO_LARGE: _("The file is larger than %(limit)s MB, so nothing of it is kept. Divide it first."),
    Reason.ROSTER_KIND: _(
        "This is not a table that can be read. Save it as CSV or as XLSX without a password, then upload it again."
    ),
    Reason.ROSTER_ENCODING: _(
        "The letters of the file cannot be read. Save it as UTF-8, UTF-16 or Windows-1252, then upload it again."
    ),
    Reason.ROSTER_DAMAGED: _("The file is damaged or not a whole XLSX file. Save it anew, then upload it again."),
    Reason.ROSTER_BOMB: _(
        "Unpacked the file would be far larger than any list of people, so it was not opened. Save it as CSV."
    ),
    Reason.ROSTER_TOO_MANY_ROWS: _("The file has more than %(limit)s rows. Divide it, then upload the parts."),
    Reason.ROSTER_CELL_TOO_LONG: _(
        "A cell in line %(line)s is longer than %(limit)s characters. Perhaps a quotation mark is not closed there."
    ),
    Reason.ROSTER_FORMULA: _(
        "Line %(line)s holds a formula without its value. Save the file with values, then upload it again."
    ),
    Reason.ROSTER_NO_ROW: _("The file has no row that could be used: below its headings there is nothing."),
    Reason.ROSTER_NOBODY: _(
        "Not one of the %(rows)s rows fits anybody in %(system)s. Perhaps other columns are meant: choose again."
    ),
    Reason.ROSTER_COLUMN_TWICE: _("The column %(column)s is chosen twice. Choose each column once."),
    Reason.ROSTER_NO_COLUMN: _("Choose a column with ids, e-mail addresses or names: without one nobody is found."),
    Reason.ROSTER_NOT_ASKING: _("This list does not wait for an answer."),
    Reason.ROSTER_BROKE_OFF: _("The work on this list broke off several times. Upload it again; the log says more."),
    Reason.ROSTER_GONE: _(
        "The contents of this list are deleted by now, or matched anew. Look at it, or upload the file again."
    ),
    Reason.LEFT_BY_THEMSELVES: _(
        "Left, or was removed there, outside Musterbook: only put back when ticked by name on the list's page."
    ),
    Reason.ROW_UNCLEAR: _("A row of the list that is not clear may mean this person, so nothing is done."),
    Reason.PLACE_UNMATCHED: _("Whose place this is, is not known, so the list cannot say whether it stays."),
    # Why nobody can certify yet that a leaver is in no group.
    Reason.LEAVER_STILL_IN: _("Still in %(group)s. A follow-up is previewed when the system can be read; confirm it."),
    Reason.LEAVER_UNDER_WAY: _("The removal from %(group)s is on its way."),
    Reason.LEAVER_NOT_READ_BACK: _("Removed from %(group)s, and not read back completely since. It is read by itself."),
    Reason.LEAVER_SYSTEM_NOT_READ: _(
        "%(system)s was not read completely since, so more places may exist there. %(why)s"
    ),
    Reason.LEAVER_GROUPS_UNREAD: _(
        "%(count)s groups of %(system)s were not read completely: the person may be in one of them. Refresh them."
    ),
    Reason.LEAVER_ROWS_UNMATCHED: _(
        "Of %(count)s places in %(system)s it is not known whose they are. Link or remove them first."
    ),
    Reason.LEAVER_PROPOSALS_OPEN: _("%(count)s more accounts may be the same person. Decide these proposals first."),
    # The panel itself.
    Reason.AUDIT_UNAVAILABLE: _("The audit log cannot be written, so nothing was done. Try again later."),
    Reason.STORAGE_UNAVAILABLE: _(
        "The database does not answer as it should. What you asked was probably not done: look before you ask again."
    ),
}

FINDINGS: dict[str, tuple[Any, Any]] = {
    "reads_groups": (_("Groups can be read."), _("Groups cannot be read.")),
    "lists_groups": (
        _("The system lists its groups."),
        _("The system does not list its groups: name those to track in the options."),
    ),
    "reads_accounts": (
        _("Accounts can be read."),
        _("Accounts cannot be read: the account used here lacks the right."),
    ),
    "reads_emails": (
        _("E-mail addresses can be read."),
        _("E-mail addresses cannot be read, so no links between systems are proposed."),
    ),
    "own_groups_only": (_("Only groups in which Musterbook's own account takes part are visible."), ""),
    "reads_own_log": (
        _("The system's own log tells who changed groups outside Musterbook."),
        _("The system's own log cannot be read, so who changed groups outside Musterbook stays unknown."),
    ),
    "writes_unknown": (_("Whether it may change anything shows only with the first change."), ""),
}
"""What "Test this system" found: `{code: (it works, it does not)}`."""


class _Tolerant(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


def sentence(reason: str, params: Mapping[str, Any] | None = None) -> str:
    """The translated sentence of a reason code; an unknown code is shown as it is."""
    try:
        template = str(REASONS[Reason(reason)])
    except (ValueError, KeyError):
        return reason
    return (template % _Tolerant({**(params or {})})).strip()


def say(error: MusterbookError) -> str:
    """The sentence of an error."""
    return sentence(error.reason, error.params)


def finding(code: str, works: bool) -> str:
    """The translated sentence of what a test found; an unknown code is shown as it is."""
    good, bad = FINDINGS.get(code, (code, code))
    return str(good if works else bad)
