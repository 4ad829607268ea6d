"""What can go wrong, as codes; and the errors that people at the panel are shown.

Floor 0: imports nothing of ours and no Django, so that providers may use it. The translated sentence for every code is
in `sentences.REASONS`.
"""

from enum import Enum, StrEnum
from typing import Any


class NextStep(Enum):
    """What the caller of a remote may do after a failed call."""

    RETRY = "retry"  # nothing left this machine
    PAUSE = "pause"  # the remote asked for a pause; nothing was done
    RENEW = "renew"  # the token was not accepted: renew it once
    READ_BACK = "read_back"  # it may have been done: read before anything else
    REFUSE = "refuse"  # asking again will not help
    STOP = "stop"  # stop this connection: token, tariff, URL or rights are wrong


class Reason(StrEnum):
    """Why something was not done, is not known, or stopped. Stored in rows and audit entries: never rename a value."""

    # Nothing left this machine.
    NOT_REACHED = "not_reached"
    NAME_NOT_RESOLVED = "name_not_resolved"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    CONNECTION_REFUSED = "connection_refused"
    CONNECT_TIMEOUT = "connect_timeout"
    TLS_FAILED = "tls_failed"
    TOO_LATE_TO_SEND = "too_late_to_send"
    ID_NOT_SENDABLE = "id_not_sendable"
    NOT_STARTED = "not_started"

    # It may have been done.
    ANSWER_LOST = "answer_lost"
    ANSWER_TIMEOUT = "answer_timeout"
    ANSWER_UNREADABLE = "answer_unreadable"
    ANSWER_TOO_LARGE = "answer_too_large"
    ANSWER_REDIRECTED = "answer_redirected"
    ANSWER_UNEXPECTED = "answer_unexpected"
    REMOTE_FAILED = "remote_failed"
    WORKER_DIED = "worker_died"

    # The remote asked for a pause.
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"

    # Asking again will not help.
    REMOTE_SAID_NO = "remote_said_no"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    GROUP_NOT_FOUND = "group_not_found"
    NOT_OFFERED = "not_offered"
    STILL_THERE = "still_there"
    NOT_REMOVED = "not_removed"
    SENT_TOO_OFTEN = "sent_too_often"

    # The connection is stopped.
    TOKEN_NOT_ACCEPTED = "token_not_accepted"  # noqa: S105 - a code, not a secret
    SIGN_IN_REFUSED = "sign_in_refused"
    SIGN_IN_TOO_OFTEN = "sign_in_too_often"
    SECOND_FACTOR_NEEDED = "second_factor_needed"
    TARIFF = "tariff"
    RIGHTS_MISSING = "rights_missing"
    WRONG_ADDRESS = "wrong_address"
    SECRET_MISSING = "secret_missing"  # noqa: S105 - a code, not a secret
    LONG_UNAVAILABLE = "long_unavailable"
    STOPPED_BY_OPERATOR = "stopped_by_operator"

    # A reading is not complete.
    PAGE_REPEATED = "page_repeated"
    PAGE_SHORT = "page_short"
    MAYBE_CAPPED = "maybe_capped"
    PAGING_IGNORED = "paging_ignored"
    TOO_MANY_PAGES = "too_many_pages"
    EMPTY_WHERE_ROWS_WERE = "empty_where_rows_were"
    FAR_FEWER_ROWS = "far_fewer_rows"
    WEAK_TOKEN = "weak_token"  # noqa: S105 - a code, not a secret
    GROUPS_NOT_LISTED = "groups_not_listed"
    FILTER_IGNORED = "filter_ignored"
    GROUP_VANISHED = "group_vanished"
    READING_FAILED = "reading_failed"
    READING_INTERRUPTED = "reading_interrupted"

    # A wish is left out of a plan, or not sent.
    OWN_ACCOUNT = "own_account"
    LAST_MANAGER = "last_manager"
    PERSON_PROTECTED = "person_protected"
    GROUP_PROTECTED = "group_protected"
    MANAGED_ELSEWHERE = "managed_elsewhere"
    ALREADY_GONE = "already_gone"
    ALREADY_SO = "already_so"
    GROUP_ARCHIVED = "group_archived"
    ACCOUNT_ELSEWHERE = "account_elsewhere"
    ACCOUNT_GONE = "account_gone"
    ACCOUNT_NOT_KNOWN = "account_not_known"
    NO_ACCOUNT_THERE = "no_account_there"
    SEVERAL_ACCOUNTS_THERE = "several_accounts_there"
    NOT_THERE = "not_there"
    PROTECTED_INSIDE = "protected_inside"
    SYSTEM_RETIRED = "system_retired"
    MOVE_INCOMPLETE = "move_incomplete"
    VALUE_NOT_KEPT = "value_not_kept"
    ALREADY_ASKED = "already_asked"
    PLACES_NOT_KNOWN = "places_not_known"
    PRECONDITION_GONE = "precondition_gone"
    STEP_BEFORE_FAILED = "step_before_failed"
    NOT_IN_PLAN = "not_in_plan"
    CANCELLED = "cancelled"
    SUPERSEDED = "superseded"
    END_DATE_ALTERED = "end_date_altered"
    CHANGED_BY_SOMEONE_ELSE = "changed_by_someone_else"
    READ_BACK_DONE = "read_back_done"
    READ_BACK_NOT_DONE = "read_back_not_done"
    SETTLED_WITHOUT_ANSWER = "settled_without_answer"
    DECIDED_BY_OPERATOR = "decided_by_operator"

    # A change is paused.
    PAUSED_BY_OPERATOR = "paused_by_operator"
    STAGE_DIFFERS = "stage_differs"
    STAGE_FAILED = "stage_failed"
    STAGE_NOT_READ = "stage_not_read"
    STAGE_LEFT_UNREAD = "stage_left_unread"
    ASKER_MAY_NOT = "asker_may_not"
    BACKUP_PUT_BACK = "backup_put_back"
    BACKUP_KNOWS_NO_MORE = "backup_knows_no_more"

    # A part of a change is not taken back.
    CHANGED_SINCE = "changed_since"
    GROUP_DELETED = "group_deleted"
    SECRET_NOT_KEPT = "secret_not_kept"  # noqa: S105 - a code, not a secret
    WAS_SO_BEFORE = "was_so_before"

    # A request at the panel is refused.
    NO_RIGHT = "no_right"
    NOT_VISIBLE = "not_visible"
    REASON_EMPTY = "reason_empty"
    NUMBER_NOT_TYPED = "number_not_typed"
    NAME_NOT_TYPED = "name_not_typed"
    EDITED_MEANWHILE = "edited_meanwhile"
    BEING_READ = "being_read"
    BEING_REMOVED = "being_removed"
    NOT_HALF_DONE = "not_half_done"
    NOTHING_TO_DO = "nothing_to_do"
    NOTHING_SELECTED = "nothing_selected"
    BEFORE_FIRST_LOOK = "before_first_look"
    STILL_IN_GROUPS = "still_in_groups"
    NEEDS_SECOND_PERSON = "needs_second_person"
    ALREADY_DECIDED = "already_decided"
    ALREADY_ASKED_TO_ERASE = "already_asked_to_erase"
    PERSON_MERGED = "person_merged"
    ERASED = "erased"
    PLAN_STALE = "plan_stale"
    PLAN_ALTERED = "plan_altered"
    PLAN_NOT_READY = "plan_not_ready"
    ALREADY_CONFIRMED = "already_confirmed"
    GUARD_FORBIDS = "guard_forbids"
    NOTHING_FORBIDDEN = "nothing_forbidden"
    OWN_REQUEST = "own_request"
    NOT_WAITING = "not_waiting"
    COMMENT_EMPTY = "comment_empty"
    NOT_A_DRAFT = "not_a_draft"
    NOT_RUNNING = "not_running"
    NOT_PAUSED = "not_paused"
    NOT_WAITING_FOR_START = "not_waiting_for_start"
    NOT_FINISHED = "not_finished"
    NOTHING_TO_RETRY = "nothing_to_retry"
    NOTHING_TO_TAKE_BACK = "nothing_to_take_back"
    RESULT_FILE_NOT_USABLE = "result_file_not_usable"
    NOT_FOREIGN = "not_foreign"
    REQUEST_FORGED = "request_forged"
    HOST_UNKNOWN = "host_unknown"
    TOO_MANY_TESTS = "too_many_tests"
    STEPS_UNDER_WAY = "steps_under_way"
    SYSTEM_NOT_WORKING = "system_not_working"
    BAD_VALUE = "bad_value"
    LAST_OWNER = "last_owner"

    # A list from a file cannot be used, or one of its rows is left out.
    ROSTER_TOO_LARGE = "roster_too_large"
    ROSTER_KIND = "roster_kind"
    ROSTER_ENCODING = "roster_encoding"
    ROSTER_DAMAGED = "roster_damaged"
    ROSTER_BOMB = "roster_bomb"
    ROSTER_TOO_MANY_ROWS = "roster_too_many_rows"
    ROSTER_CELL_TOO_LONG = "roster_cell_too_long"
    ROSTER_FORMULA = "roster_formula"
    ROSTER_NO_ROW = "roster_no_row"
    ROSTER_NOBODY = "roster_nobody"
    ROSTER_COLUMN_TWICE = "roster_column_twice"
    ROSTER_NO_COLUMN = "roster_no_column"
    ROSTER_NOT_ASKING = "roster_not_asking"
    ROSTER_BROKE_OFF = "roster_broke_off"
    ROSTER_GONE = "roster_gone"
    LEFT_BY_THEMSELVES = "left_by_themselves"
    ROW_UNCLEAR = "row_unclear"
    PLACE_UNMATCHED = "place_unmatched"

    # Why nobody can certify yet that a leaver is in no group.
    LEAVER_STILL_IN = "leaver_still_in"
    LEAVER_UNDER_WAY = "leaver_under_way"
    LEAVER_NOT_READ_BACK = "leaver_not_read_back"
    LEAVER_SYSTEM_NOT_READ = "leaver_system_not_read"
    LEAVER_GROUPS_UNREAD = "leaver_groups_unread"
    LEAVER_ROWS_UNMATCHED = "leaver_rows_unmatched"
    LEAVER_PROPOSALS_OPEN = "leaver_proposals_open"

    # The panel itself.
    BEING_VERIFIED = "being_verified"
    LOG_NOT_WHOLE = "log_not_whole"
    NO_ANCHOR_SO_OLD = "no_anchor_so_old"
    LOG_STILL_NEEDED = "log_still_needed"
    ARCHIVE_BROKEN = "archive_broken"
    ARCHIVE_NOT_ERASED = "archive_not_erased"
    LOG_CUT_MEANWHILE = "log_cut_meanwhile"
    BACKUP_BROKEN = "backup_broken"
    BACKUP_WITHOUT_KEYS = "backup_without_keys"
    BACKUP_OF_ANOTHER_KIND = "backup_of_another_kind"
    BACKUP_OF_NEWER_VERSION = "backup_of_newer_version"
    FILE_IN_THE_WAY = "file_in_the_way"
    PASSPHRASE_WRONG = "passphrase_wrong"  # noqa: S105 - a code, not a secret
    KEYS_MISSING = "keys_missing"
    DATABASE_NOT_EMPTY = "database_not_empty"
    WORKER_RUNS = "worker_runs"
    TOOL_FAILED = "tool_failed"
    AUDIT_UNAVAILABLE = "audit_unavailable"
    STORAGE_UNAVAILABLE = "storage_unavailable"


class MusterbookError(Exception):
    """Root of our errors: a reason code and its parameters; the sentence is `sentences.say(error)`.

    Parameters are shown to people and stored: never put a secret into them.
    """

    is_recorded = False
    """Whether the refusal is in the audit log already."""

    def __init__(self, reason: Reason, **params: Any) -> None:
        super().__init__(reason.value, params)
        self.reason = reason
        self.params = params

    def __str__(self) -> str:
        return f"{self.reason.value} {self.params}" if self.params else self.reason.value


class ChangeRefused(MusterbookError):
    """What was asked cannot be done as asked; nothing was changed."""


class NotAllowed(MusterbookError):
    """The user lacks the right, or may not see the object; nothing was changed."""


class BadValue(MusterbookError):
    """A value that was typed in cannot be used; nothing was saved."""


class AuditUnavailable(MusterbookError):
    """The audit log cannot be written, so nothing happens."""

    def __init__(self, **params: Any) -> None:
        super().__init__(Reason.AUDIT_UNAVAILABLE, **params)
