"""Proposals that accounts of several systems belong to one human. The worker makes them after readings; people decide.

Only accounts of different systems are proposed, never Musterbook's own. What was decided is not proposed again.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from membership.conf import ACT_ON_STEPS_PER_TRANSACTION as CHUNK
from membership.models import Account, Connection, LinkProposal
from membership.vocab import ProposalHint, ProposalState

RARE_NAME = 3
"""Accounts of all systems that may share a name for it to be a hint."""
OWN_EMAIL = 10
"""The same for an address: beyond that it is no human's own."""

_NOT_ASCII = re.compile("[^\x00-\x7f]")

Pair = tuple[int, int]
"""Ids of two accounts, the lower one first."""

_read_until: dict[int, datetime] = {}
"""Up to which reading of each system this process has proposed. Forgotten with the process: a full pass is cheap."""


class _Known(NamedTuple):
    pk: int
    connection_id: int
    person_id: int | None


def fold(text: str | None) -> str:
    """What is compared: code points, composed and case-folded, blanks collapsed. "" where there is nothing.

    Look-alike letters stay different: nothing is mapped from one script to another, and a letter that would only
    become an ASCII one by folding (the long s, the Kelvin sign, ligatures) is kept apart from it.
    """
    text = " ".join((text or "").split())
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())
    odd = "".join(filter(_folds_into_ascii, _NOT_ASCII.findall(text)))
    return f"{folded}\0{odd}" if odd else folded


@lru_cache(maxsize=4096)
def _folds_into_ascii(character: str) -> bool:
    if character in "ßẞ":  # two letters s by the rules of its language
        return False
    return unicodedata.normalize("NFC", character).casefold().isascii()


def propose_after_readings() -> bool:
    """Propose for what readings changed since the last time. True: something new was proposed. One small query else."""
    read = dict(Connection.objects.exclude(accounts_read_at=None).values_list("pk", "accounts_read_at"))
    newer = {pk: at for pk, at in read.items() if at is not None and _read_until.get(pk) != at}
    if not newer:
        return False
    changed = Q(pk__in=())
    for pk in newer:
        of_system = Q(connection_id=pk)
        changed |= of_system & Q(seen_at__gt=_read_until[pk]) if pk in _read_until else of_system
    made = _propose(changed, list(newer))
    _read_until.update(newer)
    return made > 0


def propose(connection_ids: Collection[int] | None = None) -> int:
    """Propose for all accounts of these systems (None: of all), looked for in all systems. Returns how many are new."""
    if connection_ids is None:
        return _propose(Q(), None)
    return _propose(Q(connection_id__in=connection_ids), connection_ids)


def _propose(changed: Q, connection_ids: Collection[int] | None) -> int:
    concerned = _keys(_accounts().filter(changed).values_list("email", "label").iterator(chunk_size=2000))
    _withdraw_untrue(connection_ids)
    if not concerned:
        return 0
    return _store(_wanted(_sharing(concerned)))


def _accounts() -> "QuerySet[Account]":
    return Account.objects.filter(is_present=True, is_own=False).order_by()


def _keys(rows: Iterable[tuple[str | None, str]]) -> set[tuple[ProposalHint, str]]:
    return {key for email, label in rows for key in _keys_of(email, label)}


def _keys_of(email: str | None, label: str) -> Iterator[tuple[ProposalHint, str]]:
    address, name = fold(email), fold(label)
    if "@" in address:
        yield ProposalHint.SAME_EMAIL, address
    if name:
        yield ProposalHint.SAME_NAME, name


def _sharing(keys: Collection[tuple[ProposalHint, str]]) -> Mapping[tuple[ProposalHint, str], list[_Known]]:
    """The accounts behind each key, by one pass over all of them: folding is ours, not the database's."""
    found: dict[tuple[ProposalHint, str], list[_Known]] = defaultdict(list)
    rows = _accounts().values_list("pk", "connection_id", "person_id", "email", "label")
    for pk, connection_id, person_id, email, label in rows.iterator(chunk_size=2000):
        for key in _keys_of(email, label):
            if key in keys:
                found[key].append(_Known(pk, connection_id, person_id))
    return found


def _wanted(sharing: Mapping[tuple[ProposalHint, str], list[_Known]]) -> dict[Pair, ProposalHint]:
    """`{pair: hint}`: the e-mail is the stronger one."""
    wanted: dict[Pair, ProposalHint] = {}
    for (hint, _key), known in sharing.items():
        if len(known) > (OWN_EMAIL if hint == ProposalHint.SAME_EMAIL else RARE_NAME):
            continue
        for one, other in combinations(sorted(known), 2):
            is_linked = one.person_id is not None and one.person_id == other.person_id
            if one.connection_id == other.connection_id or is_linked:
                continue
            pair = (one.pk, other.pk)
            wanted[pair] = ProposalHint.SAME_EMAIL if ProposalHint.SAME_EMAIL in (hint, wanted.get(pair)) else hint
    return wanted


def _store(wanted: Mapping[Pair, ProposalHint]) -> int:
    made, pairs, now = 0, sorted(wanted), timezone.now()
    for start in range(0, len(pairs), CHUNK):
        made += _store_chunk({pair: wanted[pair] for pair in pairs[start : start + CHUNK]}, now)
    return made


def _store_chunk(wanted: Mapping[Pair, ProposalHint], now: datetime) -> int:
    ids = sorted({pk for pair in wanted for pk in pair})
    # Accepting one may turn the pair round, so both ways are looked for.
    known = LinkProposal.objects.filter(first_id__in=ids, second_id__in=ids)
    there = {
        (min(first, second), max(first, second)): (pk, hint, state)
        for pk, first, second, hint, state in known.values_list("pk", "first_id", "second_id", "hint", "state")
    }
    new = [pair for pair in wanted if pair not in there]
    stronger = [
        pk
        for pair, (pk, hint, state) in there.items()
        if state == ProposalState.OPEN and wanted.get(pair, hint) == ProposalHint.SAME_EMAIL != hint
    ]
    if not new and not stronger:
        return 0
    with transaction.atomic():
        LinkProposal.objects.bulk_create(
            (LinkProposal(first_id=low, second_id=high, hint=wanted[low, high], proposed_at=now) for low, high in new),
            ignore_conflicts=True,  # another worker may have been quicker
        )
        LinkProposal.objects.filter(pk__in=stronger).update(hint=ProposalHint.SAME_EMAIL)
    return len(new)


def _withdraw_untrue(connection_ids: Collection[int] | None) -> None:
    """Proposals nobody decided about, whose accounts have neither address nor name in common any more, are gone."""
    waiting = LinkProposal.objects.filter(state=ProposalState.OPEN)
    if connection_ids is not None:
        waiting = waiting.filter(
            Q(first__connection_id__in=connection_ids) | Q(second__connection_id__in=connection_ids)
        )
    rows = waiting.values_list("pk", "first__email", "first__label", "second__email", "second__label")
    untrue = [
        pk
        for pk, email, label, other_email, other_label in rows.iterator(chunk_size=2000)
        if not set(_keys_of(email, label)) & set(_keys_of(other_email, other_label))
    ]
    for start in range(0, len(untrue), CHUNK):
        LinkProposal.objects.filter(pk__in=untrue[start : start + CHUNK], state=ProposalState.OPEN).delete()
