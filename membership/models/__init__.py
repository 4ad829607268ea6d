"""All models, re-exported: the rest of the house imports them from here."""

from membership.models.audit import AuditEntry, AuditHead, AuditIndex, AuditPersonal, FailedLogIns
from membership.models.bundle import Bundle, BundleItem
from membership.models.change import Change, ChangeConnection, LeftOut
from membership.models.connection import Connection, WorkerBeat
from membership.models.erasure import Erasure
from membership.models.group import Group
from membership.models.operation import Operation
from membership.models.participant import Drift, Participant, Presence
from membership.models.person import Account, LinkProposal, Person
from membership.models.reading import Reading
from membership.models.visibility import Reach, has_right, reached_ids, visible_to

__all__ = [
    "Account",
    "AuditEntry",
    "AuditHead",
    "AuditIndex",
    "AuditPersonal",
    "Bundle",
    "BundleItem",
    "Change",
    "ChangeConnection",
    "Connection",
    "Drift",
    "Erasure",
    "FailedLogIns",
    "Group",
    "LeftOut",
    "LinkProposal",
    "Operation",
    "Participant",
    "Person",
    "Presence",
    "Reach",
    "Reading",
    "WorkerBeat",
    "has_right",
    "reached_ids",
    "visible_to",
]
