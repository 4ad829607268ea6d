"""How the panel looks: the theme's settings. Callables are named by dotted path and live in `membership/admin/`."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.translation import gettext_lazy as _


def _style(_request: HttpRequest) -> str:
    return static("musterbook/panel.css")


def _script(_request: HttpRequest) -> str:
    return static("musterbook/panel.js")


def _icon(_request: HttpRequest) -> str:
    return static("musterbook/icon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Musterbook",
    "SITE_HEADER": "Musterbook",
    "SITE_SUBHEADER": _("who is in which group, and why"),
    "SITE_URL": None,
    "SITE_SYMBOL": "menu_book",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _icon}],
    "SHOW_HISTORY": False,
    "SHOW_VIEW_ON_SITE": False,
    "STYLES": [_style],
    "SCRIPTS": [_script],
    "DASHBOARD_CALLBACK": "membership.admin.overview.dashboard",
    "SIDEBAR": {"show_search": False, "navigation": "membership.admin.sidebar.navigation"},
    "BORDER_RADIUS": "8px",
    "COLORS": {
        "primary": {
            "50": "#eef2ff",
            "100": "#e0e7ff",
            "200": "#c7d2fe",
            "300": "#a5b4fc",
            "400": "#818cf8",
            "500": "#818cf8",
            "600": "#4338ca",
            "700": "#3730a3",
            "800": "#312e81",
            "900": "#2a2770",
            "950": "#1e1b4b",
        },
    },
}
