"""Accounts: remote users, where they take part, and whose they are."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import filters
from membership.admin.account_verbs import AccountVerbs
from membership.admin.requests import Request
from membership.models import Account, Connection, visible_to
from membership.services import list_filters, pages, people, refresh, removal
from membership.services.abilities import abilities
from membership.templatetags import cells
from membership.vocab import Right


@admin.register(Account)
class AccountAdmin(AccountVerbs):
    is_mirrored = True
    lead = gettext_lazy("Who can be in groups: the users of each system.")
    empty = gettext_lazy(
        "The systems were read, and list no accounts that their credentials may see. Their pages say why."
    )
    empty_leads_to = (Connection, gettext_lazy("To the systems"))
    page_template = "membership/accounts/page.html"
    posts = {"remove_everywhere": Right.ACT, "refresh": Right.REFRESH, "make_person": Right.ACT}
    list_display = ("who", "mail", "system", "whose", "marks", "changed")
    list_filter = filters.of_table(
        list_filters.ACCOUNTS, at_hand=("system", "person", "active", "virtual", "email_blocked", "deletion")
    )
    search_fields = ("label", "email", "remote_id", "person__name")
    search_help_text = gettext_lazy("Name, e-mail or id")
    list_select_related = ("connection", "person")
    ordering = ("label", "pk")
    actions = ("add_to_groups", "link")

    def get_queryset(self, request: Request) -> QuerySet:
        rows = super().get_queryset(request).filter(is_present=True)
        return rows.defer("attributes", "connection__secrets", "connection__session")

    def page_rows(self, request: Request) -> QuerySet:
        return visible_to(Account.objects.select_related("connection", "person"), request.user)

    def page_context(self, request: Request, row: Account) -> dict[str, Any]:
        return {
            "about": pages.account_page(row, request.user),
            "may_act": self.has_act_permission(request),
            "can": abilities(row.connection),
        }

    @admin.display(description=gettext_lazy("name"), ordering="label")
    def who(self, row: Account) -> SafeString:
        return cells.link(cells.page(row), cells.name(row.label or row.remote_id))

    @admin.display(description=gettext_lazy("e-mail"), ordering="email")
    def mail(self, row: Account) -> SafeString:
        return cells.name(row.email) if row.email else cells.NOTHING

    @admin.display(description=gettext_lazy("system"), ordering="connection__name")
    def system(self, row: Account) -> SafeString:
        return cells.name(row.connection.name)

    @admin.display(description=gettext_lazy("person"), ordering="person__name")
    def whose(self, row: Account) -> SafeString:
        return cells.link(cells.page(row.person), cells.name(row.person.name)) if row.person else cells.NOTHING

    @admin.display(description=gettext_lazy("marks"))
    def marks(self, row: Account) -> SafeString:
        return cells.account_tags(row)

    @admin.display(description=gettext_lazy("last changed as seen"), ordering="seen_at")
    def changed(self, row: Account) -> SafeString:
        return cells.moment(row.seen_at)

    @admin.action(description=gettext_lazy("Link to one person"), permissions=["act"])
    def link(self, request: Request, queryset: QuerySet) -> HttpResponse:
        """One person for the ticked accounts: the one that some have already, else a new one named as the first is."""
        accounts = list(queryset.order_by("label", "pk")[:100])
        person = people.link_accounts(accounts, name=accounts[0].label if accounts else "", actor=request.user)
        messages.success(request, _("Linked: these accounts are the same person from now on."))
        return HttpResponseRedirect(cells.page(person))

    def do_remove_everywhere(self, request: Request, row: Account) -> HttpResponse:
        return HttpResponseRedirect(cells.page(removal.draft_removal_everywhere(account=row, actor=request.user)))

    def do_refresh(self, request: Request, row: Account) -> None:
        refresh.request_refresh(connections=[Connection.objects.get(pk=row.connection_id)], actor=request.user)
        said = _("{} will be read again; reload the page in a moment.")
        messages.success(request, format_html(said, cells.name(row.connection.name)))
