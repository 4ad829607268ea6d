"""What monitoring asks; needs no log-in and tells nothing about what is stored."""

from django.http import HttpRequest, HttpResponse, JsonResponse

from membership.services import health


def healthz(_request: HttpRequest) -> HttpResponse:
    """This process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


def readyz(_request: HttpRequest) -> JsonResponse:
    """200 when requests can be served, else 503; says which part is not as it should be."""
    found = health.readiness()
    answer = JsonResponse(found.to_json(), status=200 if found.ready else 503)
    answer["Cache-Control"] = "no-store"
    return answer
