"""All models, re-exported: the rest of the house imports them from here."""

from membership.models.audit import AuditEntry, AuditHead, AuditIndex, AuditPersonal, FailedLogIns
from membership.models.bundle import Bundle, BundleItem
from membership.models.change import Change, ChangeConnection, LeftOut
from membership.models.connection import Connection, WorkerBeat
from membership.models.ending import Ending
from membership.models.erasure import Erasure
from membership.models.group import Group
from membership.models.guard import Decision, Finding, GuardRule, PendingPlan
from membership.models.leaving import Leaving, LeavingState
from membership.models.notice import Notice, NoticeChoice, NoticeCursor, NoticeEvent, NoticeState
from membership.models.operation import Operation
from membership.models.participant import Drift, Participant, Presence
from membership.models.person import Account, LinkProposal, Merging, Person
from membership.models.proof import AnchorSink, AuditAnchor, AuditCheck, AuditCut, AuditSpan
from membership.models.reading import Reading
from membership.models.roster import (
    Roster,
    RosterColumns,
    RosterMode,
    RosterPart,
    RosterRow,
    RosterState,
    RowOutcome,
)
from membership.models.stage import Stage
from membership.models.visibility import Reach, has_right, reached_ids, visible_to

__all__ = [
    "Account",
    "AnchorSink",
    "AuditAnchor",
    "AuditCheck",
    "AuditCut",
    "AuditEntry",
    "AuditHead",
    "AuditIndex",
    "AuditPersonal",
    "AuditSpan",
    "Bundle",
    "BundleItem",
    "Change",
    "ChangeConnection",
    "Connection",
    "Decision",
    "Drift",
    "Ending",
    "Erasure",
    "FailedLogIns",
    "Finding",
    "Group",
    "GuardRule",
    "Leaving",
    "LeavingState",
    "LeftOut",
    "LinkProposal",
    "Merging",
    "Notice",
    "NoticeChoice",
    "NoticeCursor",
    "NoticeEvent",
    "NoticeState",
    "Operation",
    "Participant",
    "PendingPlan",
    "Person",
    "Presence",
    "Reach",
    "Reading",
    "Roster",
    "RosterColumns",
    "RosterMode",
    "RosterPart",
    "RosterRow",
    "RosterState",
    "RowOutcome",
    "Stage",
    "WorkerBeat",
    "has_right",
    "reached_ids",
    "visible_to",
]
