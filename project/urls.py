"""Addresses: the panel is the whole site."""

from django.contrib import admin
from django.urls import path

from membership.admin.health import healthz, readyz

urlpatterns = [
    path("healthz", healthz),
    path("readyz", readyz),
    path("", admin.site.urls),
]
