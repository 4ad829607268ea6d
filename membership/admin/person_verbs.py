"""What can be done with ticked people, and with one on its page: groups, the same groups as somebody, bundles."""

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import choosing, person_matrix, selections
from membership.admin.base import PanelAdmin
from membership.admin.picking import Answer, Choices, Pick, ask
from membership.admin.requests import Request, selection_of, sent
from membership.admin.selections import Selected
from membership.admin.until import UntilForm, until_form
from membership.errors import ChangeRefused, NotAllowed, Reason
from membership.models import Account, Change, Person, has_right, visible_to
from membership.services import addition, bundles, inert, leaving, same_groups, titles
from membership.templatetags import cells
from membership.vocab import Right


class SameGroupsForm(UntilForm):
    with_rights = forms.BooleanField(label=gettext_lazy("With the rights of that person there"), required=False)


class PersonVerbs(PanelAdmin):
    actions = ("add_to_groups", "assign_bundle", "withdraw_bundle", "leavers")

    # --- actions ------------------------------------------------------------------------------------------------------
    @admin.action(description=gettext_lazy("Add to groups…"), permissions=["act"])
    def add_to_groups(self, request: Request, queryset: QuerySet) -> HttpResponse:
        return _go("add_to_groups", selection_of(request, queryset))

    @admin.action(description=gettext_lazy("Assign a bundle…"), permissions=["act"])
    def assign_bundle(self, request: Request, queryset: QuerySet) -> HttpResponse:
        return _go("assign_bundle", selection_of(request, queryset))

    @admin.action(description=gettext_lazy("Withdraw a bundle…"), permissions=["act"])
    def withdraw_bundle(self, request: Request, queryset: QuerySet) -> HttpResponse:
        return _go("withdraw_bundle", selection_of(request, queryset))

    @admin.action(description=gettext_lazy("Leavers…"), permissions=["act"])
    def leavers(self, request: Request, queryset: QuerySet) -> HttpResponse:
        return HttpResponseRedirect(cells.page(leaving.draft_leaving(queryset, actor=request.user)))

    # --- pages that ask -----------------------------------------------------------------------------------------------
    def own_urls(self, prefix: str) -> list[URLPattern]:
        pages: dict[str, Callable[[Request, Selected], HttpResponse]] = {
            "add_to_groups": self._ask_groups,
            "same_groups": self._ask_model,
            "assign_bundle": self._ask_bundle,
            "withdraw_bundle": self._ask_withdrawn,
        }
        own = [
            path(f"{name}/", self.admin_site.admin_view(self._asker(page)), name=f"{prefix}_{name}")
            for name, page in pages.items()
        ]
        return [*super().own_urls(prefix), *own]

    def _asker(self, page: Callable[[Request, Selected], HttpResponse]) -> Callable[..., HttpResponse]:
        def ask_view(request: Request) -> HttpResponse:
            if not has_right(request.user, Right.ACT):
                raise NotAllowed(Reason.NO_RIGHT)
            return page(request, selections.selected(self, request))

        return ask_view

    def _ask_groups(self, request: Request, chosen: Selected) -> HttpResponse:
        seen = visible_to(Account.objects.filter(person__in=chosen.rows.values("pk"), is_present=True), request.user)
        systems = set(seen.order_by().values_list("connection_id", flat=True).distinct())

        def draft(answer: Answer) -> Change:
            return addition.draft_addition(
                persons=chosen.rows,
                groups=answer.rows,
                rights=answer.rights,
                until=answer.data["until"],
                actor=request.user,
            )

        return self._pick(
            request,
            chosen,
            _("Add %(people)s to which groups?"),
            choosing.groups(request, systems),
            draft,
            button=_("Preview the addition…"),
            lead=_("Groups of the systems in which they have an account. Who has none in a system is left out there."),
            rights=choosing.rights_on_add(request, systems),
            form=until_form(request),
        )

    def _ask_model(self, request: Request, chosen: Selected) -> HttpResponse:
        form = SameGroupsForm(sent(request), initial={"with_rights": True})

        def draft(answer: Answer) -> Change:
            return same_groups.draft_same_groups(answer.rows[0], chosen.rows, **answer.data, actor=request.user)

        return self._pick(
            request,
            chosen,
            _("Give %(people)s the same groups as whom?"),
            choosing.people(request, but=[chosen.only.pk] if chosen.only else ()),
            draft,
            button=_("Preview the same groups…"),
            lead=_("They join every group that this person is in. Nobody leaves a group by it."),
            many=False,
            form=form,
        )

    def _ask_bundle(self, request: Request, chosen: Selected) -> HttpResponse:
        return self._pick(
            request,
            chosen,
            _("Assign which bundle to %(people)s?"),
            choosing.bundles(request),
            lambda answer: bundles.draft_bundle(
                answer.rows[0], chosen.rows, until=answer.data["until"], actor=request.user
            ),
            button=_("Preview the bundle…"),
            form=until_form(request),
            many=False,
        )

    def _ask_withdrawn(self, request: Request, chosen: Selected) -> HttpResponse:
        return self._pick(
            request,
            chosen,
            _("Withdraw which bundle from %(people)s?"),
            choosing.bundles(request),
            lambda answer: bundles.draft_withdrawal(answer.rows[0], chosen.rows, actor=request.user),
            button=_("Preview the withdrawal…"),
            lead=_("They leave every group of the bundle, whoever put them there."),
            many=False,
        )

    def _pick(
        self,
        request: Request,
        chosen: Selected,
        title: str,
        choices: Choices,
        draft: Callable[[Answer], Change],
        *,
        button: str,
        lead: str = "",
        many: bool = True,
        rights: Sequence[str] = (),
        form: forms.Form | None = None,
    ) -> HttpResponse:
        who = inert.inert(str(chosen.only)) if chosen.only else titles.people(chosen.count)
        pick = Pick(
            title=title % {"people": who},
            lead=lead,
            button=button,
            choices=choices,
            draft=draft,
            many=many,
            rights=rights,
            form=form,
            back=cells.page(chosen.only) if chosen.only else cells.listing(Person),
        )
        return ask(self, request, pick)

    # --- the matrix ---------------------------------------------------------------------------------------------------
    def do_places(self, request: Request, row: Person) -> HttpResponse | None:
        try:
            return HttpResponseRedirect(cells.page(person_matrix.draft(request, row)))
        except ChangeRefused as refusal:
            if refusal.reason != Reason.NOTHING_SELECTED:
                raise
            messages.info(request, _("Nothing differs from what is there already."))
            return None


def _go(name: str, selection: dict[str, Any]) -> HttpResponse:
    return HttpResponseRedirect(selections.address(reverse(f"admin:membership_person_{name}"), selection))
