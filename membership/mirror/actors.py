"""Who changed something outside, and when, as the remote's own log tells it."""

from collections.abc import Mapping
from datetime import datetime

from membership.models import Drift

NAME_CHARS = 300


def put_actors(told: Mapping[int, tuple[str, datetime]]) -> None:
    """Keep who did it there and when: `{drift id: (name, time)}`. Inside the caller's transaction."""
    for drift_id, (name, at) in told.items():
        Drift.objects.filter(pk=drift_id).update(remote_actor=name[:NAME_CHARS], remote_at=at)
