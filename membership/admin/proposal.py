"""Proposals to link: accounts of two systems that may be the same human. Decided in bulk; taken back, too."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.views import ChangeList

from membership.admin import filters
from membership.admin.base import PanelAdmin
from membership.admin.changelist import Nothing, PanelChangeList
from membership.admin.requests import Request
from membership.admin.telling import go_back, tell_decided
from membership.models import Account, LinkProposal
from membership.services import link_pages, linking
from membership.services.decisions import Decided
from membership.templatetags import cells
from membership.vocab import ProposalHint, ProposalState, Right


class StateFilter(filters.Choice):
    """Without a choice: what waits for a decision."""

    title = gettext_lazy("decided")
    parameter_name = "state"
    options = (
        (ProposalState.ACCEPTED.value, ProposalState.ACCEPTED.label),
        (ProposalState.REJECTED.value, ProposalState.REJECTED.label),
    )
    nothing_chosen = gettext_lazy("not yet")

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value:
            return queryset.filter(state=value) if value in ProposalState.values else queryset.none()
        return queryset.filter(pk__in=linking.queue(request.user).order_by().values("pk"))  # type: ignore[arg-type]


class EitherSystem(filters.System):
    def condition(self, value: str) -> Q | None:
        if not filters.is_id(value):
            return None
        return Q(first__connection_id=int(value)) | Q(second__connection_id=int(value))


class ProposalChangeList(PanelChangeList):
    def get_results(self, request: Request) -> None:
        super().get_results(request)
        rows: list[LinkProposal] = list(self.shown_page.object_list)
        places = link_pages.places_of(side for row in rows for side in (row.first, row.second))
        for row in rows:
            row.places = places  # type: ignore[attr-defined]
            row.called = f"{row.first} = {row.second}"  # type: ignore[attr-defined]
        self.result_list = rows


@admin.register(LinkProposal)
class ProposalAdmin(PanelAdmin):
    is_mirrored = True
    lead = gettext_lazy(
        "Accounts of different systems that may belong to one person. Nothing is linked before somebody says so, and"
        " every link can be taken back."
    )
    empty = gettext_lazy(
        "Nobody seems to have accounts in two systems who is not linked already. Each reading looks again."
    )
    posts = {"accept": Right.ACT, "reject": Right.ACT, "take_back": Right.ACT}
    list_display = ("why", "one", "other", "then")
    list_filter = (
        StateFilter,
        EitherSystem,
        filters.of_enum(gettext_lazy("why"), "hint", "hint", ProposalHint),
    )
    search_fields = ("first__label", "second__label", "first__email", "second__email")
    search_help_text = gettext_lazy("Name or e-mail")
    list_select_related = False
    ordering = ("hint", "pk")
    actions = ("accept", "reject", "take_back")

    def get_queryset(self, request: Request) -> QuerySet:
        return linking.proposals(request.user)

    def get_changelist(self, request: Request, **kwargs: Any) -> type[ChangeList]:
        return ProposalChangeList

    def get_actions(self, request: Request) -> dict[str, Any]:
        """Those that fit what is listed."""
        state = request.GET.get("state", "")
        fitting = {"": ("accept", "reject"), ProposalState.ACCEPTED.value: ("take_back",)}.get(state, ())
        return {name: action for name, action in super().get_actions(request).items() if name in fitting}

    def nothing_yet(self, request: Request) -> Nothing:
        return Nothing(str(self.empty), cells.listing(Account, person="none"), _("Link accounts by hand"))

    # --- the list -----------------------------------------------------------------------------------------------------
    @admin.display(description=gettext_lazy("why"), ordering="hint")
    def why(self, row: LinkProposal) -> SafeString:
        return cells.tag(row.get_hint_display(), "good" if row.hint == ProposalHint.SAME_EMAIL else "warning")

    @admin.display(description=gettext_lazy("this account"), ordering="first__label")
    def one(self, row: LinkProposal) -> SafeString:
        return _side(row, row.first)

    @admin.display(description=gettext_lazy("and this one"), ordering="second__label")
    def other(self, row: LinkProposal) -> SafeString:
        return _side(row, row.second)

    @admin.display(description=gettext_lazy("accepted, it means"))
    def then(self, row: LinkProposal) -> SafeString:
        if row.state == ProposalState.OPEN:
            return format_html("{}", link_pages.what_accepting_does(row))
        person = row.second.person
        whose = cells.link(cells.page(person), cells.name(person.name)) if person else ""
        at = cells.moment(row.decided_at)
        variant = "good" if row.state == ProposalState.ACCEPTED else "plain"
        return format_html("{} {} {}", cells.tag(row.get_state_display(), variant), whose, at)

    # --- in bulk ------------------------------------------------------------------------------------------------------
    @admin.action(description=gettext_lazy("Link: the same person"), permissions=["act"])
    def accept(self, request: Request, queryset: QuerySet) -> None:
        _tell_accepted(request, linking.accept_proposals(queryset, actor=request.user))

    @admin.action(description=gettext_lazy("Different people"), permissions=["act"])
    def reject(self, request: Request, queryset: QuerySet) -> None:
        _tell_rejected(request, linking.reject_proposals(queryset, actor=request.user))

    @admin.action(description=gettext_lazy("Take the link back"), permissions=["act"])
    def take_back(self, request: Request, queryset: QuerySet) -> None:
        _tell_taken_back(request, linking.take_back_proposals(queryset, actor=request.user))

    # --- one by one, from a person's page -----------------------------------------------------------------------------
    def do_accept(self, request: Request, row: LinkProposal) -> HttpResponse:
        _tell_accepted(request, linking.accept_proposals([row], actor=request.user))
        person = Account.objects.select_related("person").get(pk=row.second_id).person
        return HttpResponseRedirect(cells.page(person)) if person else go_back(request, cells.listing(LinkProposal))

    def do_reject(self, request: Request, row: LinkProposal) -> HttpResponse:
        _tell_rejected(request, linking.reject_proposals([row], actor=request.user))
        return go_back(request, cells.listing(LinkProposal))

    def do_take_back(self, request: Request, row: LinkProposal) -> HttpResponse:
        _tell_taken_back(request, linking.take_back_proposals([row], actor=request.user))
        return go_back(request, cells.listing(LinkProposal))


def _side(row: LinkProposal, account: Account) -> SafeString:
    """An account as one side of a proposal: name, system, e-mail, groups."""
    places = row.places.get(account.pk, link_pages.NOWHERE)  # type: ignore[attr-defined]
    groups = ", ".join(places.names) or _("in no group")
    if places.more:
        groups = _("%(groups)s and %(count)d more") % {"groups": groups, "count": places.more}
    system = cells.name(account.connection.name)
    about = format_html("{} · {}", system, cells.name(account.email)) if account.email else system
    if account.person:
        about = format_html("{} · {}", about, cells.link(cells.page(account.person), _("person")))
    title = cells.link(cells.page(account), cells.name(account.label or account.remote_id))
    return cells.two(title, format_html('{}<br><span class="mu-small">{}</span>', about, cells.name(groups)))


def _tell_accepted(request: Request, decided: Decided) -> None:
    said = ngettext("%d pair is one person now.", "%d pairs are one person each now.", decided.done)
    tell_decided(request, said % decided.done, decided, cells.listing(LinkProposal, state="accepted"), _left(decided))


def _tell_rejected(request: Request, decided: Decided) -> None:
    said = ngettext("%d pair will not be proposed again.", "%d pairs will not be proposed again.", decided.done)
    tell_decided(request, said % decided.done, decided, cells.listing(LinkProposal, state="rejected"), _left(decided))


def _tell_taken_back(request: Request, decided: Decided) -> None:
    said = ngettext("%d link is taken back.", "%d links are taken back.", decided.done)
    tell_decided(request, said % decided.done, decided, cells.listing(LinkProposal), _left(decided))


def _left(decided: Decided) -> str:
    return ngettext(
        "%d was left as it is: decided by somebody else meanwhile, or it would merge people whom you cannot see"
        " completely.",
        "%d were left as they are: decided by somebody else meanwhile, or they would merge people whom you cannot see"
        " completely.",
        decided.left,
    )
