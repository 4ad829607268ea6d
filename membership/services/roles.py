"""The five roles and what each may do. Kept by code after every migrate: rights given by hand are taken back."""

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group as AuthGroup
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db import DEFAULT_DB_ALIAS, transaction
from django.db.models import Q

from membership.audit import record
from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import Connection, Reach, reached_ids
from membership.services.shell import audited, need_right
from membership.vocab import AuditAction, Chain, Right, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.SEE}),
    Role.OPERATOR: frozenset({Right.SEE, Right.ACT, Right.REFRESH, Right.PROTECT, Right.READ_AUDIT}),
    Role.APPROVER: frozenset({Right.SEE, Right.REFRESH, Right.APPROVE, Right.READ_AUDIT}),
    Role.AUDITOR: frozenset({Right.SEE, Right.READ_AUDIT, Right.READ_LOG_INS, Right.REPORT}),
    Role.OWNER: frozenset(Right),
}

_SEEN = ("account", "change", "connection", "drift", "group", "operation", "participant", "person", "reading")
MODEL_RIGHTS: dict[Right, frozenset[tuple[str, str]]] = {
    Right.SEE: frozenset(("membership", f"view_{model}") for model in _SEEN),
    Right.READ_AUDIT: frozenset({("membership", "view_auditentry")}),
    Right.MANAGE_USERS: frozenset({("auth", "view_user"), ("auth", "add_user"), ("auth", "change_user")}),
}
"""Django's own rights that come with ours, `(app, codename)`. Nothing of the mirror or the log can be added, changed or
deleted by them."""


def ensure_roles(using: str = DEFAULT_DB_ALIAS) -> None:
    """Give every role exactly its rights. Safe to repeat; users keep their roles."""
    with transaction.atomic(using=using):
        for role, rights in RIGHTS.items():
            group, _made = AuthGroup.objects.using(using).get_or_create(name=role.value)
            wanted = set(_permissions(rights, using))
            if wanted != set(group.permissions.using(using).all()):
                group.permissions.set(wanted)


def _permissions(rights: Collection[Right], using: str) -> list[Permission]:
    types = ContentType.objects.db_manager(using)
    holder = types.get_for_model(Connection)
    condition = Q(content_type=holder, codename__in=[right.value for right in rights])
    for right in rights:
        for app, codename in MODEL_RIGHTS.get(right, ()):
            condition |= Q(content_type__app_label=app, codename=codename)
    return list(Permission.objects.using(using).filter(condition))


def role_of(user: "User") -> Role | None:
    """The user's role; None for a user without one, and for superusers, who may do everything."""
    names = set(user.groups.values_list("name", flat=True))
    return next((role for role in reversed(Role) if role.value in names), None)


@audited
def give_role(
    user: "User", role: Role | None, connections: Collection[Connection] | None = None, *, actor: "User | None"
) -> None:
    """Make `role` the user's only role, limited to `connections` (None: all systems, also future ones).

    `role` None takes every role away: the user can no longer enter the panel. `actor` None is the command line.
    Raises `NotAllowed`, also where an actor limited to some systems would give more than that, and `ChangeRefused`
    where no active owner would be left.
    """
    if actor is not None:
        need_right(actor, Right.MANAGE_USERS)
        _need_reach(actor, connections)
    with transaction.atomic():
        before = role_of(user)
        if before == Role.OWNER and role != Role.OWNER and not has_other_owner(user):
            raise ChangeRefused(Reason.LAST_OWNER)
        _put_role(user, role)
        _put_reach(user, connections)
        entry = record.Entry(
            AuditAction.USER_EDITED,
            actor=actor,
            data={
                "user": user.pk,
                "role": role,
                "role_before": before,
                "connections": None if connections is None else sorted(row.pk for row in connections),
            },
            personal={"user": user.get_username()},
        )
        record.write(Chain.PANEL, [entry])


def _need_reach(actor: "User", connections: Collection[Connection] | None) -> None:
    mine = reached_ids(actor)
    if mine is not None and (connections is None or not {row.pk for row in connections} <= set(mine)):
        raise NotAllowed(Reason.NO_RIGHT)


def _put_role(user: "User", role: Role | None) -> None:
    user.groups.remove(*AuthGroup.objects.filter(name__in=Role.values))
    if role is not None:
        user.groups.add(AuthGroup.objects.get(name=role.value))
    if user.is_staff != (role is not None or user.is_superuser):
        user.is_staff = not user.is_staff
        user.save(update_fields=["is_staff"])
    for name in ("_perm_cache", "_user_perm_cache", "_group_perm_cache", "_reached_ids"):
        user.__dict__.pop(name, None)  # what was cached on this instance no longer holds


def _put_reach(user: "User", connections: Collection[Connection] | None) -> None:
    if connections is None:
        Reach.objects.filter(user=user).delete()
        return
    reach, _made = Reach.objects.get_or_create(user=user)
    reach.connections.set(connections)


def has_other_owner(user: "User") -> bool:
    """Whether somebody else could still manage users."""
    owners = Q(groups__name=Role.OWNER.value) | Q(is_superuser=True)
    others = get_user_model().objects.filter(owners, is_active=True).exclude(pk=user.pk)
    return others.exists()
