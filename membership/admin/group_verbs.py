"""What can be done with groups: people added, a group created, renamed, deleted, or tracked by its id."""

from collections.abc import Callable, Sequence

from django import forms
from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin import choosing
from membership.admin.base import PanelAdmin
from membership.admin.picking import Answer, Pick, ask
from membership.admin.requests import Request, missing, sent, visible_systems
from membership.admin.until import until_form
from membership.errors import BadValue, ChangeRefused, NotAllowed, Reason
from membership.models import Change, Connection, Group, has_right
from membership.sentences import say
from membership.services import addition, groups, inert
from membership.services.abilities import Abilities, abilities
from membership.services.grants import grants_in_words
from membership.templatetags import cells
from membership.vocab import Right


class NameForm(forms.Form):
    name = forms.CharField(label=gettext_lazy("Name"), strip=True)


class TrackForm(forms.Form):
    """The system is asked for where several can track."""

    system = forms.ChoiceField(label=gettext_lazy("System"))
    text = forms.CharField(
        label=gettext_lazy("Id or link of the room"),
        help_text=gettext_lazy("The number of the room, or its address in the browser."),
    )

    def __init__(self, systems: Sequence[Connection], *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["system"].choices = [(str(row.pk), row.name) for row in systems]  # type: ignore[attr-defined]


def able_systems(request: Request, ability: Callable[[Abilities], bool]) -> list[Connection]:
    """The systems in sight that can do something."""
    return [row for row in visible_systems(request) if ability(abilities(row))]


def creates(can: Abilities) -> bool:
    return can.create_group


def tracks(can: Abilities) -> bool:
    return can.tracks_groups


class GroupVerbs(PanelAdmin):
    change_list_template = "membership/groups/list.html"

    def changelist_view(self, request: Request, extra_context: dict[str, object] | None = None) -> HttpResponse:
        may_act = has_right(request.user, Right.ACT)
        extra = {
            "may_create": may_act and bool(able_systems(request, creates)),
            "may_track": may_act and bool(able_systems(request, tracks)),
            **(extra_context or {}),
        }
        return super().changelist_view(request, extra)

    def own_urls(self, prefix: str) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            *super().own_urls(prefix),
            path("new/", view(self.new_view), name=f"{prefix}_new"),
            path("track/", view(self.track_view), name=f"{prefix}_track"),
            path("<int:pk>/add_people/", view(self.add_people_view), name=f"{prefix}_add_people"),
        ]

    # --- one group ----------------------------------------------------------------------------------------------------
    def add_people_view(self, request: Request, pk: int) -> HttpResponse:
        _need_right(request)
        row: Group | None = self.page_rows(request).filter(pk=pk).first()
        if row is None:
            raise missing(request, Group, pk)

        def draft(answer: Answer) -> Change:
            return addition.draft_addition(
                accounts=answer.rows, groups=[row], rights=answer.rights, until=answer.data["until"], actor=request.user
            )

        rights = _("Whoever joins gets administrative rights: %(rights)s.")
        pick = Pick(
            title=_("Add people to %(group)s") % {"group": inert.inert(str(row))},
            lead=_("Accounts of %(system)s that are not in the group yet.")
            % {"system": inert.inert(row.connection.name)},
            warning=rights % {"rights": ", ".join(grants_in_words(row.grants))} if row.grants else "",
            button=_("Preview the addition…"),
            choices=choosing.accounts(request, row.connection, outside=row),
            rights=abilities(row.connection).rights_on_add,
            form=until_form(request),
            draft=draft,
            back=cells.page(row),
        )
        return ask(self, request, pick)

    def do_rename_group(self, request: Request, row: Group) -> HttpResponse:
        change = groups.draft_rename(row, request.POST.get("name", ""), actor=request.user)
        return HttpResponseRedirect(cells.page(change))

    def do_delete_group(self, request: Request, row: Group) -> HttpResponse:
        return HttpResponseRedirect(cells.page(groups.draft_delete(row, actor=request.user)))

    # --- new ones -----------------------------------------------------------------------------------------------------
    def new_view(self, request: Request) -> HttpResponse:
        """Which system, where several can; then a name, and members where the system takes them at once."""
        _need_right(request)
        systems = able_systems(request, creates)
        if not systems:
            raise NotAllowed(Reason.NO_RIGHT)
        wanted = request.GET.get("system", "")
        if len(systems) > 1 and not wanted:
            context = {"systems": systems, "title": _("Create a group in which system?")}
            return self.render(request, "membership/groups/new.html", **context)
        system = next((row for row in systems if wanted in ("", str(row.pk))), None)
        if system is None:
            raise Http404
        form = NameForm(sent(request))
        title = _("Create a group in %(system)s") % {"system": inert.inert(system.name)}
        if abilities(system).members_on_create:
            return ask(self, request, self._with_members(request, system, form, title))
        return self._named_only(request, system, form, title)

    def _with_members(self, request: Request, system: Connection, form: forms.Form, title: str) -> Pick:
        def draft(answer: Answer) -> Change:
            return groups.draft_create(system, answer.data["name"], members=answer.rows, actor=request.user)

        return Pick(
            title=title,
            lead=_("Its first members can be chosen now; others join later."),
            button=_("Preview the new group…"),
            choices=choosing.accounts(request, system),
            draft=draft,
            form=form,
            needs_one=False,
            back=cells.listing(Group),
        )

    def _named_only(self, request: Request, system: Connection, form: forms.Form, title: str) -> HttpResponse:
        error = ""
        if form.is_valid():
            try:
                change = groups.draft_create(system, form.cleaned_data["name"], actor=request.user)
                return HttpResponseRedirect(cells.page(change))
            except (BadValue, ChangeRefused) as refusal:
                error = inert.inert(say(refusal))
        lead = _("People join when it is there: this system takes no members with a new group.")
        button = _("Preview the new group…")
        context = {"form": form, "error": error, "title": title, "lead": lead, "button": button}
        return self.render(request, "membership/groups/form.html", **context)

    def track_view(self, request: Request) -> HttpResponse:
        _need_right(request)
        systems = able_systems(request, tracks)
        if not systems:
            raise NotAllowed(Reason.NO_RIGHT)
        form, error = TrackForm(systems, request.POST or None, initial={"system": request.GET.get("system")}), ""
        if form.is_valid():
            system = next(row for row in systems if str(row.pk) == form.cleaned_data["system"])
            try:
                groups.track(system, form.cleaned_data["text"], actor=request.user)
            except (BadValue, ChangeRefused) as refusal:
                error = inert.inert(say(refusal))
            else:
                said = _("The room is tracked from now on. {} is being read: the room appears when it has been.")
                messages.success(request, format_html(said, cells.name(system.name)))
                return HttpResponseRedirect(cells.listing(Group, system=system.pk))
        lead = _("For systems that do not list their rooms: name the room, and it is read from now on.")
        context = {"form": form, "error": error, "title": _("Track a room"), "lead": lead, "button": _("Track it")}
        return self.render(request, "membership/groups/form.html", **context)


def _need_right(request: Request) -> None:
    if not has_right(request.user, Right.ACT):
        raise NotAllowed(Reason.NO_RIGHT)
