"""The words of the house: choices, states, the provider registry. Sentences for reason codes are in `sentences.py`."""

from membership.vocab.log import AuditAction, Chain
from membership.vocab.people import (
    ERASED,
    DriftKind,
    DriftState,
    EndingState,
    ErasureState,
    PresenceCause,
    ProposalHint,
    ProposalState,
)
from membership.vocab.plans import ChangeKind, DecisionKind, Guard, GuardLevel, Verb
from membership.vocab.providers import PROVIDERS, ProviderEntry, provider_choices
from membership.vocab.rights import Right, Role
from membership.vocab.states import ChangeState, ConnectionState, OperationState, ReadingKind, ReadingState, StageState

__all__ = [
    "ERASED",
    "PROVIDERS",
    "AuditAction",
    "Chain",
    "ChangeKind",
    "ChangeState",
    "ConnectionState",
    "DecisionKind",
    "DriftKind",
    "DriftState",
    "EndingState",
    "ErasureState",
    "Guard",
    "GuardLevel",
    "OperationState",
    "PresenceCause",
    "ProposalHint",
    "ProposalState",
    "ProviderEntry",
    "ReadingKind",
    "ReadingState",
    "Right",
    "Role",
    "StageState",
    "Verb",
    "provider_choices",
]
