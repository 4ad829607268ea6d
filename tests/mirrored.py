"""A mirror written by hand, without remotes: rows as a complete reading leaves them."""

import itertools

from django.contrib.auth import get_user_model
from django.utils import timezone

from membership.models import Account, Connection, Group, Participant, Person, Reach
from membership.services.roles import ensure_roles, give_role
from membership.vocab import Role

OPTIONS = {
    "inwendo": {"auth": "login", "username": "musterbook"},
    "mudbase": {"project_id": "proj_1", "org_id": "org_1", "email": "musterbook@club.example"},
    "kaiten": {},
}

_number = itertools.count(1)


def next_number():
    return next(_number)


def system(name="Office", provider="kaiten", **fields):
    fields = {"options": OPTIONS[provider], "read_at": timezone.now(), "rate_per_s": 5, **fields}
    return Connection.objects.create(provider=provider, name=name, base_url="https://remote.example", **fields)


def group(name, connection, **fields):
    now = timezone.now()
    fields = {"remote_id": f"g{next(_number)}", "read_at": now, "seen_at": now, **fields}
    return Group.objects.create(connection=connection, name=name, **fields)


def account(label, connection, **fields):
    fields = {"remote_id": str(next(_number)), "seen_at": timezone.now(), **fields}
    return Account.objects.create(connection=connection, label=label, **fields)


def person(name, *accounts, **fields):
    made = Person.objects.create(name=name, **fields)
    for each in accounts:
        each.person = made
        each.save()
    return made


def participant(who, where, **fields):
    """`who` is an account, or the label of a row of which the account is not known."""
    known = isinstance(who, Account)
    fields = {
        "remote_id": who.remote_id if known and where.connection.provider != "inwendo" else f"{next(_number)}",
        "label": who.label if known else who,
        "account": who if known else None,
        "seen_at": timezone.now(),
        **fields,
    }
    return Participant.objects.create(group=where, **fields)


def crowd(count, where, **fields):
    """`count` people, each with an account, in one group."""
    now = timezone.now()
    start = next(_number) * 100_000
    accounts = Account.objects.bulk_create(
        Account(connection=where.connection, remote_id=str(start + n), label=f"Member {n:05}", seen_at=now)
        for n in range(count)
    )
    Participant.objects.bulk_create(
        Participant(group=where, remote_id=each.remote_id, account=each, label=each.label, seen_at=now, **fields)
        for each in accounts
    )
    return Participant.objects.filter(group=where)


def user(name, role=Role.OPERATOR, systems=None):
    ensure_roles()
    made = get_user_model().objects.create_user(name, is_staff=True)
    give_role(made, role, None, actor=None)
    if systems is not None:
        Reach.objects.create(user=made).connections.set(systems)
    return get_user_model().objects.get(pk=made.pk)


def rows(*participants):
    return Participant.objects.filter(pk__in=[row.pk for row in participants])


def ids(*participants):
    return {"kind": "ids", "ids": [row.pk for row in participants]}
