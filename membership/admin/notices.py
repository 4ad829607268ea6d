"""What a user wants to be told, and how: a page for everybody who can log in."""

from django.contrib import admin, messages
from django.http import HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from membership import conf
from membership.admin.requests import Request
from membership.errors import BadValue
from membership.sentences import say
from membership.services import inert, notices


def my_notices(request: Request) -> HttpResponse:
    error, typed = "", request.user.email
    if request.method == "POST":
        typed = request.POST.get("email", "")
        try:
            notices.choose(
                email=typed,
                mail=request.POST.getlist("mail"),
                panel=request.POST.getlist("panel"),
                actor=request.user,
            )
        except BadValue as refusal:
            error = inert.inert(say(refusal))
        else:
            messages.success(request, _("Saved."))
            return HttpResponseRedirect(reverse("my_notices"))
    mail, panel = notices.chosen(request.user)
    context = {
        **admin.site.each_context(request),
        "title": _("My notices"),
        "events": [(event, event in mail, event in panel) for event in notices.offered(request.user)],
        "typed": typed,
        "error": error,
        "mails": conf.mails(),
    }
    return TemplateResponse(request, "membership/notices.html", context)


def shown(request: Request) -> HttpResponse:
    """The part of the first page that tells what happened."""
    told, failed = notices.for_overview(request.user)
    rows = [(notices.words(row), notices.address_of(row), row.at) for row in told]
    return TemplateResponse(request, "membership/overview/_notices.html", {"notices": rows, "notices_failed": failed})


@require_POST
def put_away(request: Request) -> HttpResponse:
    notices.put_away(request.user)
    return HttpResponseRedirect(reverse("admin:index"))
