"""What can be done with accounts: added to groups of their system, or made a person, to whom bundles can be given."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import choosing, selections
from membership.admin.base import PanelAdmin
from membership.admin.picking import Answer, Pick, ask
from membership.admin.requests import Request, selection_of
from membership.admin.until import until_form
from membership.errors import NotAllowed, Reason
from membership.models import Account, Change, has_right
from membership.services import addition, inert, people, titles
from membership.templatetags import cells
from membership.vocab import Right


class AccountVerbs(PanelAdmin):
    @admin.action(description=gettext_lazy("Add to groups…"), permissions=["act"])
    def add_to_groups(self, request: Request, queryset: QuerySet) -> HttpResponse:
        page = reverse("admin:membership_account_add_to_groups")
        return HttpResponseRedirect(selections.address(page, selection_of(request, queryset)))

    def own_urls(self, prefix: str) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.add_to_groups_view)
        return [*super().own_urls(prefix), path("add_to_groups/", view, name=f"{prefix}_add_to_groups")]

    def add_to_groups_view(self, request: Request) -> HttpResponse:
        if not has_right(request.user, Right.ACT):
            raise NotAllowed(Reason.NO_RIGHT)
        chosen = selections.selected(self, request)
        systems = set(chosen.rows.order_by().values_list("connection_id", flat=True).distinct())

        def draft(answer: Answer) -> Change:
            return addition.draft_addition(
                accounts=chosen.rows,
                groups=answer.rows,
                rights=answer.rights,
                until=answer.data["until"],
                actor=request.user,
            )

        who = inert.inert(str(chosen.only)) if chosen.only else titles.people(chosen.count)
        pick = Pick(
            title=_("Add %(people)s to which groups?") % {"people": who},
            button=_("Preview the addition…"),
            choices=choosing.groups(request, systems),
            rights=choosing.rights_on_add(request, systems),
            form=until_form(request),
            draft=draft,
            back=cells.page(chosen.only) if chosen.only else cells.listing(Account),
        )
        return ask(self, request, pick)

    def do_make_person(self, request: Request, row: Account) -> HttpResponse:
        """A person of ours for one account, so that it can be linked, and given bundles."""
        person = people.link_accounts([row], name=row.label or row.remote_id, actor=request.user)
        messages.success(request, _("From now on this account is a person: link more accounts, or assign bundles."))
        return HttpResponseRedirect(cells.page(person))
