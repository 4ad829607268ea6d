"""Remote values as columns of the mirror, and a hash over them: what did not change is not written."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

from django.utils.crypto import salted_hmac

from membership.providers.base import RemoteAccount, RemoteGroup, RemoteParticipant

Columns = dict[str, Any]

LABEL_CHARS = 600
EMAIL_CHARS = 320
TYPE_CHARS = 60
KIND_CHARS = 40
ID_CHARS = 200

GROUP_COLUMNS = (
    "remote_number",
    "name",
    "kind",
    "archived",
    "managed_elsewhere",
    "grants",
    "attributes",
    "secrets",
)
ACCOUNT_COLUMNS = (
    "label",
    "email",
    "active",
    "virtual",
    "email_blocked_at",
    "delete_requested_at",
    "attributes",
)
PARTICIPANT_COLUMNS = (
    "label",
    "is_member",
    "is_manager",
    "can_write",
    "is_muted",
    "participant_type",
    "last_read_at",
    "auto_created",
    "attributes",
    "secrets",
)
RIGHTS = ("is_member", "is_manager", "can_write", "is_muted")
"""Facts about a participant whose change outside is worth telling."""


def of_group(remote: RemoteGroup) -> Columns:
    return {
        "remote_number": remote.remote_number,
        "name": remote.name[:LABEL_CHARS],
        "kind": remote.kind[:KIND_CHARS],
        "archived": remote.archived,
        "managed_elsewhere": remote.managed_elsewhere,
        "grants": remote.grants,
        "attributes": dict(remote.attributes),
        "secrets": dict(remote.secrets),
    }


def of_account(remote: RemoteAccount) -> Columns:
    return {
        "label": remote.label[:LABEL_CHARS],
        "email": remote.email if remote.email is None else remote.email[:EMAIL_CHARS],
        "active": remote.active,
        "virtual": remote.virtual,
        "email_blocked_at": remote.email_blocked_at,
        "delete_requested_at": remote.delete_requested_at,
        "attributes": dict(remote.attributes),
    }


def of_participant(remote: RemoteParticipant, *, label: str = "") -> Columns:
    """`label`: the account's, for remotes whose rows carry no name."""
    return {
        "label": (remote.label or label)[:LABEL_CHARS],
        "is_member": remote.is_member,
        "is_manager": remote.is_manager,
        "can_write": remote.can_write,
        "is_muted": remote.is_muted,
        "participant_type": remote.participant_type[:TYPE_CHARS],
        "last_read_at": remote.last_read_at,
        "auto_created": remote.auto_created,
        "attributes": dict(remote.attributes),
        "secrets": dict(remote.secrets),
    }


def content_hash(columns: Columns) -> str:
    """blake2b-128, hex, over the columns in the order of the functions above.

    Of secrets a keyed digest goes in: short ones could be guessed from a plain hash.
    """
    secrets = columns.get("secrets")
    shown = {**columns, "secrets": _digest(secrets)} if secrets else columns
    return blake2b(_canonical([*shown.values()]).encode("ascii"), digest_size=16).hexdigest()


def _digest(secrets: Mapping[str, str]) -> str:
    return salted_hmac("membership.mirror.secrets", _canonical(secrets), algorithm="sha256").hexdigest()


def _plain(value: object) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)


# ASCII: a lone surrogate is escaped, never an error. Made once: an encoder is not cheap, and rows are many.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_plain).encode
