"""The calls that fulfil a case, as its provider says them. Nothing is sent here: the door is shut."""

from membership.plans.cases import Case
from membership.plans.wishes import RIGHTS, SECRET_MARK
from membership.providers.base import AccountRef, Provider, RemoteCall, Wanted
from membership.vocab import Verb


def calls_of(case: Case, provider: Provider) -> tuple[RemoteCall, ...]:
    """What is sent, in order. The case has passed the guards."""
    if case.verb == Verb.REMOVE:
        return provider.remove(case.ref(provider))
    if case.verb == Verb.UPDATE:
        return provider.update(case.ref(provider), _wanted(case))
    if case.verb == Verb.CREATE_GROUP:
        return provider.create_group(case.name, [AccountRef(member.remote_id) for member in case.members])
    assert case.group is not None  # noqa: S101 - for the type checker: all others are about a group
    if case.verb == Verb.RENAME_GROUP:
        return provider.rename_group(case.group.ref, case.name)
    if case.verb == Verb.DELETE_GROUP:
        return provider.delete_group(case.group.ref)
    assert case.account is not None  # noqa: S101 - for the type checker: who joins is known
    return provider.add(case.group.ref, AccountRef(case.account.remote_id), _wanted(case))


def _wanted(case: Case) -> Wanted:
    fields = {
        name: None if value == SECRET_MARK else value for name, value in case.values.items() if name not in RIGHTS
    }
    return Wanted(
        name=case.name,
        is_manager=case.values.get("is_manager"),
        can_write=case.values.get("can_write"),
        is_muted=case.values.get("is_muted"),
        fields=fields,
    )
