"""The application: what is connected when it starts, and installed after every migrate."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class MembershipConfig(AppConfig):
    name = "membership"
    verbose_name = _("Musterbook")

    def ready(self) -> None:
        # Models cannot be imported before the registry is ready, so what needs them comes in here.
        from membership import checks
        from membership.services import sessions

        checks.register()
        sessions.connect()
        post_migrate.connect(_after_migrate, sender=self, dispatch_uid="musterbook.after_migrate")


def _after_migrate(using: str, **_more: Any) -> None:
    """Triggers and roles, anew: a table that was rebuilt has lost its triggers silently."""
    from membership.audit import triggers, typical, words
    from membership.services import roles

    if triggers.tables_exist(using):  # not after migrating back to nothing
        triggers.install(using)
        words.install(using)
        typical.tell_planner(using)
        roles.ensure_roles(using)
