"""The log-in chain: who came in, who went, who was refused.

Fails closed: a log-in that cannot be recorded does not happen.
"""

import datetime as dt
import hmac
import logging
from typing import TYPE_CHECKING, Any

from axes.helpers import get_client_ip_address
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db import DatabaseError, transaction
from django.http import HttpRequest
from django.utils import timezone

from membership.audit import record
from membership.errors import AuditUnavailable
from membership.models import FailedLogIns
from membership.vocab import AuditAction, Chain

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)

LISTED_A_MINUTE = 10
"""Failed log-ins and forged requests from one address that get an entry each, every minute; the rest is counted."""
_MINUTE = dt.timedelta(minutes=1)


class PanelBackend(ModelBackend):
    """Lets in only who has a role: anybody else fails like with a wrong password, and that is recorded."""

    def user_can_authenticate(self, user: "User | AnonymousUser | None") -> bool:
        return bool(super().user_can_authenticate(user) and getattr(user, "is_staff", False))


def name_for_lockout(request: HttpRequest | None, credentials: dict[str, Any] | None) -> str:
    """What the lockout counts by instead of the typed name, which may be a password, and of any length."""
    typed = (credentials or {}).get("username") or (request.POST.get("username") if request is not None else "")
    return _keyed("locked out name", str(typed or ""))


def connect() -> None:
    """Have the panel's log-ins recorded. Called once, when the application starts."""
    user_logged_in.connect(_logged_in, dispatch_uid="musterbook.logged_in")
    user_logged_out.connect(_logged_out, dispatch_uid="musterbook.logged_out")
    user_login_failed.connect(_failed, dispatch_uid="musterbook.log_in_failed")


def close_counts(*, now: dt.datetime | None = None) -> bool:
    """Write the counting entries of minutes that are over. True if there were any. Housekeeping of the worker."""
    minute = _minute(now or timezone.now())
    if not FailedLogIns.objects.filter(minute__lt=minute).exists():
        return False
    with transaction.atomic():
        over = list(FailedLogIns.objects.select_for_update().filter(minute__lt=minute).order_by("pk")[:500])
        FailedLogIns.objects.filter(pk__in=[row.pk for row in over]).delete()
        record.write(Chain.LOG_IN, [_counted(row) for row in over if row.count > LISTED_A_MINUTE])
    return True


def gets_own_entry(request: HttpRequest) -> bool:
    """Count one refused request of nobody known; False where its address is past the limit of this minute."""
    with transaction.atomic():
        return _count(address_of(request), _minute(timezone.now())) <= LISTED_A_MINUTE


def address_of(request: HttpRequest | None) -> str:
    """Where a request came from."""
    return str(get_client_ip_address(request) or "") if request is not None else ""


def _logged_in(request: HttpRequest, user: "User", **_more: Any) -> None:
    try:
        with transaction.atomic():
            record.write(Chain.LOG_IN, [_entry(AuditAction.LOGGED_IN, request, user)])
    except (AuditUnavailable, DatabaseError) as error:
        _end(request)
        raise AuditUnavailable(why=type(error).__name__) from error


def _logged_out(request: HttpRequest, user: "User | None", **_more: Any) -> None:
    if user is None:
        return
    try:
        with transaction.atomic():
            record.write(Chain.LOG_IN, [_entry(AuditAction.LOGGED_OUT, request, user)])
    except (AuditUnavailable, DatabaseError) as error:
        _end(request)  # the session ends all the same: that takes rights away, and the refusal is shown
        raise AuditUnavailable(why=type(error).__name__) from error


def _end(request: HttpRequest) -> None:
    """End the session without the signals of a log-out: nobody is logged in after this."""
    try:
        request.session.flush()
    except DatabaseError:
        # The row cannot be deleted. A new, empty session is what the middleware would save now.
        log.warning("a session could not be deleted from the database")
        request.session.clear()
        request.session._session_key = None
    request.user = AnonymousUser()


def _failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_more: Any) -> None:
    now = timezone.now()
    address = address_of(request)
    with transaction.atomic():
        if _count(address, _minute(now)) > LISTED_A_MINUTE:
            return
        known = _known(credentials)
        entry = record.Entry(
            AuditAction.LOG_IN_FAILED,
            outcome="locked_out" if getattr(request, "axes_locked_out", False) else "not_accepted",
            data={"user": known.pk if known else None},
            # What was typed as a name may be a password: it is kept only where it names somebody.
            personal={"address": address, **({"user": known.get_username()} if known else {})},
        )
        record.write(Chain.LOG_IN, [entry], at=now)


def _count(address: str, minute: dt.datetime) -> int:
    """How many log-ins failed from this address in this minute, this one included."""
    hashed = _keyed("failed log-ins", f"{address}\n{minute}")
    FailedLogIns.objects.bulk_create([FailedLogIns(address_hash=hashed, minute=minute)], ignore_conflicts=True)
    row = FailedLogIns.objects.select_for_update().get(address_hash=hashed, minute=minute)
    row.count += 1
    row.save(update_fields=["count"])
    return row.count


def _keyed(purpose: str, text: str) -> str:
    message = f"{purpose}\n{text}".encode(errors="replace")
    return hmac.digest(settings.SECRET_KEY.encode(), message, "sha256").hex()


def _counted(row: FailedLogIns) -> record.Entry:
    return record.Entry(
        AuditAction.LOG_INS_FAILED,
        data={"count": row.count - LISTED_A_MINUTE, "minute": row.minute, "address": row.address_hash[:16]},
    )


def _known(credentials: dict[str, Any]) -> "User | None":
    name = credentials.get(get_user_model().USERNAME_FIELD)
    if not isinstance(name, str) or "\0" in name:
        return None
    return get_user_model().objects.filter(**{get_user_model().USERNAME_FIELD: name[:150]}).first()


def _entry(action: AuditAction, request: HttpRequest, user: "User") -> record.Entry:
    return record.Entry(action, actor=user, personal={"address": address_of(request)})


def _minute(at: dt.datetime) -> dt.datetime:
    return at.replace(second=0, microsecond=0)
