"""People: local humans, their accounts, and where they are in all systems."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import URLPattern
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import erasure, filters, person_links, person_matrix, person_privacy, time_machine
from membership.admin.person_verbs import PersonVerbs
from membership.admin.requests import Request, visible_systems
from membership.models import Account, LinkProposal, Person, visible_to
from membership.services import leaving, leaving_pages, pages, people, removal
from membership.templatetags import cells
from membership.vocab import Right


@admin.register(Person)
class PersonAdmin(PersonVerbs):
    is_mirrored = True
    lead = gettext_lazy("People to whom accounts are linked. Link accounts on the accounts list.")
    empty = gettext_lazy(
        "No accounts are linked yet. Look at what is proposed, or link accounts on their list by hand."
    )
    empty_leads_to = (LinkProposal, gettext_lazy("To the proposals"))
    page_template = "membership/people/page.html"
    posts = {
        "remove_everywhere": Right.ACT,
        "leaver": Right.ACT,
        "protect": Right.PROTECT,
        "unprotect": Right.PROTECT,
        "unlink": Right.ACT,
        "places": Right.ACT,
        "report": Right.REPORT,
        "erase": Right.ERASE,
    }
    list_display = ("who", "accounts_count", "marks", "since")
    list_filter = (filters.flag(gettext_lazy("protected"), "protected", "is_protected"),)
    search_fields = ("name",)
    search_help_text = gettext_lazy("Name or e-mail")
    ordering = ("name", "pk")

    def own_urls(self, prefix: str) -> list[URLPattern]:
        return [*super().own_urls(prefix), *time_machine.urls(self, prefix)]

    def get_queryset(self, request: Request) -> QuerySet:
        return people.listed(super().get_queryset(request), request.user)

    def get_search_results(self, request: Request, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By name, or by name and e-mail of accounts that the user may see: hidden ones find nobody."""
        for word in search_term.replace("\0", "").split():
            named = Q(label__icontains=word) | Q(email__icontains=word)
            accounts = visible_to(Account.objects.filter(named, person__isnull=False), request.user)
            queryset = queryset.filter(Q(name__icontains=word) | Q(pk__in=accounts.order_by().values("person_id")))
        return queryset, False

    def page_rows(self, request: Request) -> QuerySet:
        return visible_to(Person.objects.all(), request.user)

    def page_context(self, request: Request, row: Person) -> dict[str, Any]:
        about = pages.person_page(row, request.user)
        return {
            "about": about,
            "as_of_systems": visible_systems(request),
            "may_act": self.has_act_permission(request),
            "leaving": leaving_pages.of_person(row, request.user),
            **person_links.context(request, row),
            **person_privacy.context(request, row),
            **person_matrix.context(request, row, about),
        }

    @admin.display(description=gettext_lazy("name"), ordering="name")
    def who(self, row: Person) -> SafeString:
        return cells.link(cells.page(row), cells.name(row.name))

    @admin.display(description=gettext_lazy("accounts"), ordering="accounts_n")
    def accounts_count(self, row: Person) -> int:
        return row.accounts_n  # type: ignore[attr-defined,no-any-return]

    @admin.display(description=gettext_lazy("marks"))
    def marks(self, row: Person) -> SafeString:
        return cells.tag(_("protected"), "info") if row.is_protected else cells.NOTHING

    @admin.display(description=gettext_lazy("known since"), ordering="created_at")
    def since(self, row: Person) -> SafeString:
        return cells.moment(row.created_at)

    def do_remove_everywhere(self, request: Request, row: Person) -> HttpResponse:
        return HttpResponseRedirect(cells.page(removal.draft_removal_everywhere(person=row, actor=request.user)))

    def do_leaver(self, request: Request, row: Person) -> HttpResponse:
        return HttpResponseRedirect(cells.page(leaving.draft_leaving([row], actor=request.user)))

    def do_protect(self, request: Request, row: Person) -> None:
        people.protect_person(row, request.POST.get("note", ""), actor=request.user)
        messages.success(request, _("Protected: no change made here removes this person."))

    def do_unprotect(self, request: Request, row: Person) -> None:
        people.unprotect_person(row, request.POST.get("note", ""), actor=request.user)
        messages.success(request, _("The protection is lifted."))

    def do_unlink(self, request: Request, row: Person) -> HttpResponse | None:
        return person_links.unlink(request, row)

    def do_report(self, request: Request, row: Person) -> HttpResponse:
        return person_privacy.report(self, request, row)

    def do_erase(self, request: Request, row: Person) -> HttpResponse:
        return erasure.asked(request, row)
