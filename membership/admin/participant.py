"""Participants: who is in which group. What can be done with many of them is in `participant_verbs`."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import filters
from membership.admin.participant_verbs import ParticipantVerbs, offered_for
from membership.admin.requests import Request
from membership.models import Account, Group, Participant, visible_to
from membership.services import endings, list_filters, pages
from membership.services.abilities import abilities
from membership.templatetags import cells

HEAVY = (
    "secrets",
    "attributes",
    "group__secrets",
    "group__attributes",
    "group__connection__secrets",
    "group__connection__session",
    "account__attributes",
)
"""Columns that lists do not show: not fetched, and secrets not decrypted."""


@admin.register(Participant)
class ParticipantAdmin(ParticipantVerbs):
    is_mirrored = True
    lead = gettext_lazy("Everybody who is in a group, as the systems last confirmed it.")
    empty = gettext_lazy("Nobody is in a group of the systems that were read. Add people on a group's page.")
    empty_leads_to = (Group, gettext_lazy("To the groups"))
    page_template = "membership/participants/page.html"
    list_display = ("who", "where", "role", "writes", "muted", "participant_type", "last_read", "known")
    list_filter = filters.of_table(
        list_filters.PARTICIPANTS,
        at_hand=("system", "group_name", "role", "can_write", "muted", "type", "matched"),
        named_by={"group": (Group, "name"), "account": (Account, "label")},
    )
    search_fields = (
        "label",
        "remote_id",
        "account__label",
        "account__email",
        "account__remote_id",
        "account__person__name",
    )
    search_help_text = gettext_lazy("Name, e-mail or id")
    list_select_related = ("group__connection", "account__person")
    ordering = ("label", "pk")

    def get_queryset(self, request: Request) -> QuerySet:
        rows = super().get_queryset(request).filter(is_present=True)
        found: QuerySet = rows.annotate(last_day=endings.last_day_of_rows()).defer(*HEAVY)
        return found

    def page_rows(self, request: Request) -> QuerySet:
        rows = Participant.objects.select_related(*self.list_select_related)
        return visible_to(rows, request.user)

    def page_context(self, request: Request, row: Participant) -> dict[str, Any]:
        return {
            "about": pages.participant_page(row),
            "may_act": self.has_act_permission(request),
            "can": abilities(row.group.connection),
            "offered": offered_for(row),
        }

    @admin.display(description=gettext_lazy("name"), ordering="label")
    def who(self, row: Participant) -> SafeString:
        main = cells.link(cells.page(row), cells.name(row.label or row.remote_id))
        if row.account is None:
            below: object = cells.tag(_("unmatched"), "warning")
        else:
            below = cells.name(row.account.email or row.account.remote_id)
            if row.account.person:
                below = format_html("{} · {}", below, cells.link(cells.page(row.account.person), _("person")))
            marks = cells.account_tags(row.account)
            below = below if marks is cells.NOTHING else format_html("{} {}", below, marks)
        return cells.two(main, below)

    @admin.display(description=gettext_lazy("group"), ordering="group__name")
    def where(self, row: Participant) -> SafeString:
        group = cells.link(cells.page(row.group), cells.name(row.group.name))
        system = cells.name(row.group.connection.name)
        return format_html('<span class="mu-two">{}<span class="mu-quiet">{}</span></span>', group, system)

    @admin.display(description=gettext_lazy("role"), ordering="is_manager")
    def role(self, row: Participant) -> SafeString:
        return format_html("{} {}", cells.role(row), cells.until(row.last_day))  # type: ignore[attr-defined]

    @admin.display(description=gettext_lazy("can write"), ordering="can_write")
    def writes(self, row: Participant) -> SafeString:
        return cells.yes_no(row.can_write)

    @admin.display(description=gettext_lazy("muted"), ordering="is_muted")
    def muted(self, row: Participant) -> SafeString:
        return cells.yes_no(row.is_muted)

    @admin.display(description=gettext_lazy("last read"), ordering="last_read_at")
    def last_read(self, row: Participant) -> SafeString:
        return cells.moment(row.last_read_at)

    @admin.display(description=gettext_lazy("as of"), ordering="group__read_at")
    def known(self, row: Participant) -> SafeString:
        return cells.moment(row.group.read_at)
