"""People at the panel, for owners: who may enter, with which role, and to which systems."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import admin as stock_pages  # noqa: F401 - registers itself, so that it can be taken away
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from membership.admin.base import PanelAdmin
from membership.admin.requests import Request, refuse, visible_systems
from membership.errors import BadValue, ChangeRefused
from membership.models import Connection, Reach
from membership.services import roles, users
from membership.templatetags import cells
from membership.vocab import Right, Role

if TYPE_CHECKING:
    from django.contrib.auth.models import User

ACCOUNT = get_user_model()
if admin.site.is_registered(ACCOUNT):
    admin.site.unregister(ACCOUNT)


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices)
    systems = forms.MultipleChoiceField(
        label=gettext_lazy("Only these systems"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None ticked: all systems, also future ones."),
    )

    def __init__(self, systems: Sequence[Connection], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._systems = {str(row.pk): row for row in systems}
        self.fields["systems"].choices = [(pk, row.name) for pk, row in self._systems.items()]  # type: ignore[attr-defined]

    def reach(self) -> list[Connection] | None:
        """The systems that were ticked; None: all."""
        return [self._systems[pk] for pk in self.cleaned_data["systems"]] or None


class PasswordForm(forms.Form):
    password = forms.CharField(
        label=gettext_lazy("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=gettext_lazy("At least 12 characters, not a common password, not like the name."),
    )


class NewUserForm(PasswordForm, RoleForm):
    username = forms.CharField(label=gettext_lazy("Log-in name"), max_length=150)
    field_order = ("username", "role", "systems", "password")


@admin.register(ACCOUNT)
class UserAdmin(PanelAdmin):
    right = Right.MANAGE_USERS
    lead = gettext_lazy("Who may enter this panel.")
    page_template = "membership/users/page.html"
    posts = {"role": Right.MANAGE_USERS, "password": Right.MANAGE_USERS, "active": Right.MANAGE_USERS}
    list_display = ("who", "role_name", "reach_words", "state_word", "seen")
    search_fields = ("username",)
    search_help_text = gettext_lazy("Log-in name")
    ordering = ("username",)
    actions = ()
    change_list_template = "membership/users/list.html"

    def get_queryset(self, request: Request) -> QuerySet:
        rows = ACCOUNT.objects.prefetch_related("groups", "reach__connections").select_related("reach")
        return rows if self.has_view_permission(request) else rows.none()

    def own_urls(self, prefix: str) -> list[URLPattern]:
        return [path("new/", self.admin_site.admin_view(self.new_view), name=f"{prefix}_new")]

    def new_view(self, request: Request) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        form = NewUserForm(visible_systems(request), request.POST or None)
        if form.is_valid():
            data = form.cleaned_data
            try:
                user = users.create_user(
                    data["username"],
                    Role(data["role"]),
                    form.reach(),
                    password=data["password"],
                    actor=request.user,
                )
            except (BadValue, ChangeRefused) as error:
                refuse(request, error)
            else:
                messages.success(request, _("The user can log in now. Hand over the password in a safe way."))
                return HttpResponseRedirect(cells.page(user))
        return self.render(request, "membership/users/new.html", form=form, title=_("New user"))

    def page_context(self, request: Request, row: "User") -> dict[str, Any]:
        role = roles.role_of(row)
        reach = _reach(row)
        initial = {"role": role, "systems": [str(each.pk) for each in reach or ()]}
        return {
            "role_form": RoleForm(visible_systems(request), initial=initial),
            "password_form": PasswordForm(),
            "role_name": role.label if role else "",
            "is_me": row.pk == request.user.pk,
        }

    def do_role(self, request: Request, row: "User") -> None:
        form = RoleForm(visible_systems(request), request.POST)
        if not form.is_valid():
            messages.error(request, _("Choose a role."))
            return
        roles.give_role(row, Role(form.cleaned_data["role"]), form.reach(), actor=request.user)
        messages.success(request, _("Saved."))

    def do_password(self, request: Request, row: "User") -> None:
        users.set_password(row, request.POST.get("password", ""), actor=request.user)
        messages.success(request, _("The password is set. Hand it over in a safe way."))

    def do_active(self, request: Request, row: "User") -> None:
        active = request.POST.get("active") == "yes"
        users.set_active(row, active, actor=request.user)
        messages.success(request, _("The user may enter again.") if active else _("The user can no longer enter."))

    @admin.display(description=gettext_lazy("log-in name"), ordering="username")
    def who(self, row: "User") -> SafeString:
        return cells.link(cells.page(row), cells.name(row.get_username()))

    @admin.display(description=gettext_lazy("role"))
    def role_name(self, row: "User") -> SafeString:
        names = {group.name for group in row.groups.all()}
        found = next((role.label for role in reversed(Role) if role.value in names), None)
        return format_html("{}", found) if found else cells.NOTHING

    @admin.display(description=gettext_lazy("systems"))
    def reach_words(self, row: "User") -> SafeString:
        reach = _reach(row)
        return format_html("{}", _("all")) if reach is None else cells.name(", ".join(each.name for each in reach))

    @admin.display(description=gettext_lazy("state"), ordering="is_active")
    def state_word(self, row: "User") -> SafeString:
        return cells.tag(_("may enter"), "good") if row.is_active else cells.tag(_("shut out"), "bad")

    @admin.display(description=gettext_lazy("last log-in"), ordering="last_login")
    def seen(self, row: "User") -> SafeString:
        return cells.moment(row.last_login)


def _reach(user: "User") -> list[Connection] | None:
    """The systems that a user is limited to; None: all."""
    try:
        return list(user.reach.connections.all())
    except Reach.DoesNotExist:
        return None
