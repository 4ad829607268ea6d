"""Changing one's own password: through the service, so that it is in the audit log."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.forms import PasswordChangeForm
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.debug import sensitive_post_parameters

from membership.admin.requests import Request, whence
from membership.errors import BadValue, Reason
from membership.services import shell, users


class OwnPasswordForm(PasswordChangeForm):
    def save(self, commit: bool = True) -> Any:
        users.set_password(self.user, self.cleaned_data["new_password1"], actor=self.user)
        return self.user


@sensitive_post_parameters()
def change_own_password(request: Request) -> HttpResponse:
    form = OwnPasswordForm(request.user, request.POST or None)
    if form.is_valid():
        update_session_auth_hash(request, form.save())
        messages.success(request, _("Your password is changed. Other sessions of yours have ended."))
        return HttpResponseRedirect(reverse("admin:index"))
    if "old_password" in form.errors:
        wrong = BadValue(Reason.BAD_VALUE, key="old_password", why=_("it is not this user's"))
        shell.record_refusal("request", wrong, actor=request.user, personal=whence(request))
    context = {**admin.site.each_context(request), "form": form, "title": _("Change password")}
    return TemplateResponse(request, "membership/users/own_password.html", context)
