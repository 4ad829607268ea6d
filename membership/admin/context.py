"""What every page of the panel knows."""

from typing import Any

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from membership.services import overview


def badges(request: HttpRequest) -> overview.Badges | None:
    """The menu's counts, read once a request; None for nobody."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    found = getattr(request, "_panel_badges", None)
    if found is None:
        found = overview.badges(user)
        request._panel_badges = found  # type: ignore[attr-defined]
    return found


def panel(request: HttpRequest) -> dict[str, Any]:
    def silent() -> bool:
        found = badges(request)
        return bool(found and found.worker_silent)

    def seen_at() -> Any:
        found = badges(request)
        return found.worker_seen_at if found else None

    def trouble() -> str:
        found = badges(request)
        return found.worker_trouble if found else ""

    return {
        "worker_silent": SimpleLazyObject(silent),
        "worker_seen_at": SimpleLazyObject(seen_at),
        "worker_trouble": SimpleLazyObject(trouble),
    }
