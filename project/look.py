"""How the panel looks: the theme's settings. Callables are named by dotted path and live in `membership/admin/`."""

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Musterbook",
    "SITE_HEADER": "Musterbook",
}
