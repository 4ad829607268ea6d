"""Whether a stored plan is still what was shown, and still true."""

from membership.models import Change, Connection, LeftOut, Operation
from membership.plans import guards, hashing, wishes
from membership.plans.drafting import drafter


def stored_hash(change: Change) -> str:
    """The plan's hash, worked out anew from the stored rows."""
    rows = (
        Operation.objects.filter(change=change)
        .order_by("position")
        .values_list(
            "position",
            "connection_id",
            "connection__provider",
            "group__remote_id",
            "verb",
            "subject",
            "wanted",
            "before",
            "calls",
            "salt",
        )
    )
    digests = [
        hashing.digest_of(
            position=position,
            connection_id=connection_id,
            provider=provider,
            group=group,
            verb=verb,
            subject=subject,
            wanted=wanted,
            before=before,
            calls=calls,
            salt=salt,
        )
        for position, connection_id, provider, group, verb, subject, wanted, before, calls, salt in rows
    ]
    left_out = LeftOut.objects.filter(change=change).order_by("position")
    lines = [
        hashing.left_out_line(*row) for row in left_out.values_list("position", "connection_id", "group_id", "reason")
    ]
    return hashing.plan_hash(digests, lines)


def overtaken_count(change: Change) -> int:
    """How many operations of a draft would not be planned as they are now: changed underneath, gone, or guarded."""
    planned = Operation.objects.filter(change=change).order_by("position")
    before = {pk: stored for pk, stored in planned.values_list("participant_id", "before") if pk is not None}
    in_order = {participant_id: place for place, participant_id in enumerate(before)}
    now = wishes.load_ids(in_order)
    now.sort(key=lambda wish: in_order[wish.participant_id])
    connections = Connection.objects.defer("secrets", "session").in_bulk({wish.connection_id for wish in now})
    refusals = guards.sift(now, connections, {pk: drafter(connection) for pk, connection in connections.items()})
    true_still = [
        wish for wish in now if wish.before() == before[wish.participant_id] and wish.participant_id not in refusals
    ]
    return planned.count() - len(true_still)
