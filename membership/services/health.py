"""Whether the panel can do its work: for the banner on every page, and for whoever watches from outside."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from membership import conf
from membership.audit import triggers
from membership.models import WorkerBeat
from membership.services import anchor_sinks


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready` says whether requests can be served; how worker and anchors are is told beside it."""

    ready: bool
    checks: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        return {"ready": self.ready, **self.checks}


def worker_age_s() -> float | None:
    """Seconds since the last heartbeat of any worker; None when there is none."""
    now = timezone.now()
    beats = WorkerBeat.objects.filter(at__lte=now + conf.CLOCKS_DIFFER).order_by("-at")
    last = beats.values_list("at", flat=True).first()
    return None if last is None else max(0.0, (now - last).total_seconds())


def _worker() -> str:
    if is_worker_silent():
        return "silent"
    since = timezone.now() - timedelta(seconds=conf.worker_silent_after_s())
    in_trouble = WorkerBeat.objects.filter(at__gt=since).exclude(trouble="").exists()
    return "cannot write" if in_trouble else "ok"


def is_worker_silent() -> bool:
    """Whether no worker gave a sign of life for too long: nothing is sent or read."""
    age = worker_age_s()
    return age is None or age > conf.worker_silent_after_s()


def readiness() -> Readiness:
    """Looks at database, migrations, the log's triggers, the worker, and where anchors go. Never raises."""
    checks = {
        "database": "ok",
        "migrations": "unknown",
        "audit_log": "unknown",
        "worker": "unknown",
        "anchors": "unknown",
    }
    try:
        checks["migrations"] = "ok" if _is_migrated() else "not applied"
        if checks["migrations"] == "ok":
            checks["audit_log"] = "ok" if not triggers.missing() else "not guarded"
            checks["worker"] = _worker()
            checks["anchors"] = anchor_sinks.standing().state
    except DatabaseError:
        checks["database"] = "does not answer"
    ready = all(checks[name] == "ok" for name in ("database", "migrations", "audit_log"))
    return Readiness(ready, checks)


def _is_migrated() -> bool:
    executor = MigrationExecutor(connection)
    return not executor.migration_plan(executor.loader.graph.leaf_nodes())
