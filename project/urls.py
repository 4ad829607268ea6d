"""Addresses: the panel is the whole site."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from membership.admin.health import healthz, readyz
from membership.admin.notices import my_notices, put_away, shown
from membership.admin.password import change_own_password
from membership.admin.search import search

handler400 = "membership.admin.refusals.bad_request"
handler500 = "membership.admin.refusals.server_error"

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    # The menu is the index: the stock lists of models lead to it.
    path("membership/", RedirectView.as_view(pattern_name="admin:index")),
    path("auth/", RedirectView.as_view(pattern_name="admin:index")),
    path("search/", admin.site.admin_view(search), name="search"),  # before the theme's own, which knows no reach
    path("password_change/", admin.site.admin_view(change_own_password)),  # before the stock one, which is not audited
    path("notices/", admin.site.admin_view(my_notices), name="my_notices"),
    path("notices/shown/", admin.site.admin_view(shown), name="shown_notices"),
    path("notices/put_away/", admin.site.admin_view(put_away), name="put_notices_away"),
    path("", admin.site.urls),
]
