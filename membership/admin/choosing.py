"""What can be chosen on the pages that ask: accounts, groups, people, bundles, as far as the user may see them."""

from collections.abc import Collection

from django.db.models import Count, Exists, OuterRef, Q
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from membership.admin.picking import Choices, Line
from membership.admin.requests import Request, visible_systems
from membership.models import Account, Bundle, Connection, Group, Participant, Person, visible_to
from membership.services.abilities import Abilities, abilities_of
from membership.services.people import apart
from membership.templatetags import cells


def able(request: Request) -> dict[int, Abilities]:
    """What can be done in each system that the user may see."""
    return dict(abilities_of(visible_systems(request)))


def rights_on_add(request: Request, connections: Collection[int]) -> list[str]:
    """The rights that every one of these systems can give to somebody who joins."""
    can = [each.rights_on_add for pk, each in able(request).items() if pk in connections]
    return [name for name in can[0] if all(name in each for each in can)] if can else []


# accounts


def accounts(request: Request, connection: Connection, *, outside: Group | None = None) -> Choices:
    """Accounts of one system; those that are in the group `outside` already are not offered."""
    known = visible_to(Account.objects.select_related("person"), request.user)
    rows = known.filter(connection=connection, is_present=True)
    if outside is not None:
        inside = Participant.objects.filter(account=OuterRef("pk"), group=outside, is_present=True)
        rows = rows.filter(~Exists(inside))
    return Choices(
        known=known,
        rows=rows.order_by("label", "pk"),
        named=lambda word: (
            Q(label__icontains=word)
            | Q(email__icontains=word)
            | Q(remote_id__icontains=word)
            | Q(person__name__icontains=word)
        ),
        line=_account_line,
        hint=gettext_lazy("Name, e-mail or id"),
        nothing=gettext_lazy("Nobody else is known in this system. Refresh it, if somebody is new there."),
    )


def _account_line(row: Account) -> Line:
    marks = cells.account_tags(row)
    below = cells.name(row.email or row.remote_id)
    return Line(row.pk, cells.name(row.label or row.remote_id), below, "" if marks is cells.NOTHING else marks)


# groups


def groups(
    request: Request, connections: Collection[int], *, but: Collection[int] = (), each_with_rights: bool = False
) -> Choices:
    """Groups of these systems that somebody can join. Those that nobody can join now are shown, and barred."""
    can = able(request)
    joinable = [pk for pk in connections if pk in can and can[pk].add]
    known = visible_to(Group.objects.select_related("connection"), request.user)
    known = known.defer("secrets", "attributes", "connection__secrets", "connection__session")

    def line(row: Group) -> Line:
        marks = cells.group_tags(row)
        abilities = can.get(row.connection_id)
        count = ngettext("%(count)d participant", "%(count)d participants", row.participants_count)
        below = format_html("{} · {}", cells.name(row.connection.name), count % {"count": row.participants_count})
        return Line(
            row.pk,
            cells.name(row.name or row.remote_id),
            below,
            "" if marks is cells.NOTHING else marks,
            barred=row.archived or row.managed_elsewhere or row.is_protected,
            rights=abilities.rights_on_add if abilities and each_with_rights else (),
        )

    return Choices(
        known=known,
        rows=known.filter(is_present=True, connection_id__in=joinable).exclude(pk__in=but).order_by("name", "pk"),
        named=lambda word: Q(name__icontains=word) | Q(remote_id=word) | Q(connection__name__icontains=word),
        line=line,
        hint=gettext_lazy("Group or system"),
        nothing=gettext_lazy("There is no group that could be chosen."),
    )


# people


def people(request: Request, *, but: Collection[int] = ()) -> Choices:
    """People, found by name, or by name and e-mail of accounts that the user may see."""
    known = visible_to(apart(Person.objects.prefetch_related("accounts")), request.user)
    seen = visible_to(Account.objects.filter(person__isnull=False), request.user).order_by()

    def named(word: str) -> Q:
        found = seen.filter(Q(label__icontains=word) | Q(email__icontains=word))
        return Q(name__icontains=word) | Q(pk__in=found.values("person_id"))

    def line(row: Person) -> Line:
        own = [each for each in row.accounts.all() if each.connection_id in systems]
        names = ", ".join(dict.fromkeys(systems[each.connection_id] for each in own))
        mail = next((each.email for each in own if each.email), "")
        below = cells.name(" · ".join(filter(None, (mail, names)))) if own else _("no account that you may see")
        return Line(row.pk, cells.name(row.name), below)

    systems = {row.pk: row.name for row in visible_systems(request)}
    return Choices(
        known=known,
        rows=known.exclude(pk__in=but).order_by("name", "pk"),
        named=named,
        line=line,
        hint=gettext_lazy("Name or e-mail"),
        nothing=gettext_lazy("There is nobody to choose. Link accounts to people first, on the accounts list."),
    )


# bundles


def bundles(request: Request) -> Choices:
    known = visible_to(Bundle.objects.annotate(groups_n=Count("items")), request.user)
    return Choices(
        known=known,
        rows=known.order_by("name"),
        named=lambda word: Q(name__icontains=word) | Q(note__icontains=word),
        line=_bundle_line,
        hint=gettext_lazy("Name or note"),
        nothing=gettext_lazy("There is no bundle yet. Create one on the bundles list."),
    )


def _bundle_line(row: Bundle) -> Line:
    count: int = row.groups_n  # type: ignore[attr-defined]
    groups_said = ngettext("%(count)d group", "%(count)d groups", count) % {"count": count}
    note = format_html("{} · {}", groups_said, cells.name(row.note)) if row.note else groups_said
    return Line(row.pk, cells.name(row.name), note)
