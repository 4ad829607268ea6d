"""What a refused request gets: one sentence, and an entry in the audit log."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.views.csrf import csrf_failure as stock_csrf_failure


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return stock_csrf_failure(request, reason=reason)


class RefusalMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)
