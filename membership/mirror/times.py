"""When we looked. After a clock was set back nothing was read tomorrow: readings would find nothing to do till then."""

from datetime import datetime

from membership.models import Account, Connection, Group

LOOKED_AT = (
    (Connection, ("groups_read_at", "accounts_read_at", "read_at")),
    (Group, ("read_at", "tried_at")),
    (Account, ("places_read_at", "places_asked_at")),
)


def none_after(latest: datetime, *, now: datetime) -> int:
    """Everything that was read after `latest` counts as read now. Returns how many times that was written."""
    return sum(
        model._default_manager.filter(**{f"{column}__gt": latest}).update(**{column: now})
        for model, columns in LOOKED_AT
        for column in columns
    )
