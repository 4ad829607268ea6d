"""Roles and rights of the people at the panel."""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Role(TextChoices):
    """The five roles, kept by code: `services/roles.py` gives each its rights after every migrate."""

    VIEWER = "viewer", _("Viewer")
    OPERATOR = "operator", _("Operator")
    APPROVER = "approver", _("Approver")
    AUDITOR = "auditor", _("Auditor")
    OWNER = "owner", _("Owner")


class Right(TextChoices):
    """What a role may do beyond Django's model rights. Django permission codenames on `Connection`."""

    SEE = "see_panel", _("see people, groups and changes")
    ACT = "act", _("change who is in which group")
    REFRESH = "refresh", _("have systems read again")
    APPROVE = "approve", _("approve changes of others")
    OVERRIDE = "override_guards", _("let one plan through against guards that forbid it")
    READ_AUDIT = "read_audit", _("read the audit log")
    READ_LOG_INS = "read_log_ins", _("read who logged in, and from where")
    PROTECT = "protect", _("protect people and groups")
    MANAGE_SYSTEMS = "manage_systems", _("connect, test, pause and change systems")
    MANAGE_USERS = "manage_users", _("give and take rights at the panel")
    REPORT = "report", _("get everything that is stored about a person")
    ERASE = "erase", _("have a person erased, and approve it for others")
