"""Rows of a mirror, and listings to write to it."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from membership.mirror.accounts import AccountIndex
from membership.mirror.participants import ParticipantListing, conclude
from membership.models import Account, Change, Connection, Group, Operation, Participant
from membership.providers.base import RemoteParticipant


def make_connection(**fields):
    given = {"provider": "kaiten", "name": "Club", "base_url": "https://club.example", **fields}
    return Connection.objects.create(**given)


def make_group(connection, remote_id="chess", **fields):
    return Group.objects.create(
        connection=connection, remote_id=remote_id, name=remote_id, **{"seen_at": timezone.now(), **fields}
    )


def make_account(connection, remote_id, label=""):
    return Account.objects.create(connection=connection, remote_id=remote_id, label=label, seen_at=timezone.now())


def make_operation(participant, state, **fields):
    change = Change.objects.create(kind="removal", created_at=timezone.now())
    return Operation.objects.create(
        change=change,
        position=1,
        connection=participant.group.connection,
        group=participant.group,
        participant=participant,
        verb="remove",
        subject=f"row:{participant.remote_id}",
        subject_label=participant.label,
        salt="s",
        digest="d",
        state=state,
        **fields,
    )


def people(*ids, **facts):
    return [RemoteParticipant(key, None, f"Person {key}", **facts) for key in ids]


def take(group, rows, *, began_at=None, complete=True):
    """A whole reading of one group at the level of the mirror."""
    group.refresh_from_db()
    listing = ParticipantListing(group, began_at=began_at or timezone.now(), accounts=AccountIndex(group.connection))
    listing.take(rows)
    write(listing, complete=complete)
    return listing


def write(listing, *, complete=True):
    with transaction.atomic():
        listing.write(listing.next_chunk(len(listing.pending)))
        problem = listing.problem()
        if complete and problem is None:
            listing.remove(listing.missing())
        conclude(listing.group, problem, began_at=listing.began_at)


def present(group):
    return set(Participant.objects.filter(group=group, is_present=True).values_list("remote_id", flat=True))


def ago(seconds):
    return timezone.now() - timedelta(seconds=seconds)
