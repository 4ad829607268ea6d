"""The mirror's door for callers. Callers open the transaction; every function here says what is true once it commits.

Readings put a listing together (`GroupListing`, `AccountListing`, `ParticipantListing`), let it `take` what the remote
told, and `write` what differs, chunk by chunk. The engine calls `remove_confirmed`, `put_found`
and what is in `effects`.
"""

from membership.mirror.accounts import AccountIndex, AccountListing, mark_own, note_places_asked
from membership.mirror.confirmed import Links, link_rows, put_found, remove_confirmed
from membership.mirror.effects import Added, Altered, group_deleted, group_renamed, put_added, put_group, put_rights
from membership.mirror.groups import GroupListing, empty_gone, lost_sight, mark_gone, note_problem
from membership.mirror.listing import Known, Listing, Pending, Problem, Tally
from membership.mirror.participants import ParticipantListing, conclude
from membership.mirror.times import none_after

__all__ = [
    "AccountIndex",
    "AccountListing",
    "Added",
    "Altered",
    "GroupListing",
    "Known",
    "Links",
    "Listing",
    "ParticipantListing",
    "Pending",
    "Problem",
    "Tally",
    "conclude",
    "empty_gone",
    "group_deleted",
    "group_renamed",
    "link_rows",
    "lost_sight",
    "mark_gone",
    "mark_own",
    "none_after",
    "note_places_asked",
    "note_problem",
    "put_added",
    "put_found",
    "put_group",
    "put_rights",
    "remove_confirmed",
]
