"""Digests of operations and the hash of a plan: what was shown is what is done.

Labels are not part of a digest, so that a person can be erased and every hash still holds.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from membership.models import Operation

# Canonical: sorted keys, no blanks, ASCII. The JSON columns of both databases give back what such a text says.
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def digest_of(
    *,
    position: int,
    connection_id: int,
    provider: str,
    group: str | None,
    verb: str,
    subject: str,
    wanted: Any,
    before: Any,
    calls: Any,
    salt: str,
) -> str:
    """SHA-256 over everything that says what one operation does. `group` is the remote id."""
    text = _canonical(
        {
            "position": position,
            "connection": connection_id,
            "provider": provider,
            "group": group,
            "verb": str(verb),
            "subject": subject,
            "wanted": wanted,
            "before": before,
            "calls": calls,
            "salt": salt,
        }
    )
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def digest(operation: Operation) -> str:
    """The digest of a stored operation. Reads its group and connection where they are not loaded."""
    return digest_of(
        position=operation.position,
        connection_id=operation.connection_id,
        provider=operation.connection.provider,
        group=operation.group.remote_id if operation.group else None,
        verb=operation.verb,
        subject=operation.subject,
        wanted=operation.wanted,
        before=operation.before,
        calls=operation.calls,
        salt=operation.salt,
    )


def left_out_line(position: int, connection_id: int, group_id: int | None, reason: str) -> str:
    """What the plan's hash knows of a wish that is left out."""
    return _canonical([position, connection_id, group_id, str(reason)])


def finding_line(guard: str, level: str, connection_id: int | None, group_id: int | None, params: Any) -> str:
    """What the plan's hash knows of a guard that struck: what was shown is what is confirmed and approved."""
    return _canonical([str(guard), str(level), connection_id, group_id, params])


def plan_hash(digests: Iterable[str], left_out: Iterable[str] = (), findings: Iterable[str] = ()) -> str:
    """SHA-256 over the digests in order, the lines of what is left out, and those of what guards found, in order."""
    text = _canonical({"operations": list(digests), "left_out": list(left_out), "findings": list(findings)})
    return hashlib.sha256(text.encode("ascii")).hexdigest()
