"""The menu: what the user may see, with the numbers that need somebody."""

from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _

from membership.admin.context import badges
from membership.models import (
    Account,
    AuditEntry,
    Bundle,
    Change,
    Connection,
    Drift,
    Erasure,
    Group,
    Leaving,
    LinkProposal,
    Participant,
    Person,
    Roster,
    has_right,
)
from membership.templatetags import cells
from membership.vocab import Right


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    found = badges(request)
    if found is None:
        return []
    items: list[dict[str, Any]] = []

    def add(title: str, address: str, icon: str, right: Right, **badge: Any) -> None:
        if has_right(request.user, right):
            home = reverse("admin:index")
            active = request.path == home if address == home else request.path.startswith(address)
            items.append({"title": title, "link": address, "icon": icon, "active": active, **badge})

    waiting = {"count": found.waiting, "variant": "bad", "means": _("waiting for you")}
    proposals = {"count": found.proposals, "variant": "plain", "means": _("to look at")}
    erasures = {"count": found.erasures, "variant": "bad", "means": _("waiting for you")}
    drifts = {"count": found.drifts, "variant": "plain", "means": _("to look at")}
    stopped = {"count": found.stopped, "variant": "bad", "means": _("stopped")}
    add(_("Overview"), reverse("admin:index"), "dashboard", Right.SEE)
    add(_("People"), cells.listing(Person), "person", Right.SEE)
    add(_("Leavers"), cells.listing(Leaving), "person_off", Right.SEE)
    add(_("Bundles"), cells.listing(Bundle), "inventory_2", Right.SEE)
    add(_("Groups"), cells.listing(Group), "groups", Right.SEE)
    add(_("Lists from files"), cells.listing(Roster), "upload_file", Right.ACT)
    add(_("Participants"), cells.listing(Participant), "group_add", Right.SEE)
    add(_("Accounts"), cells.listing(Account), "badge", Right.SEE)
    add(_("Proposals to link"), cells.listing(LinkProposal), "link", Right.SEE, **proposals)
    add(_("Changes"), cells.listing(Change), "swap_horiz", Right.SEE, **waiting)
    add(_("Changed outside"), cells.listing(Drift), "sync_problem", Right.SEE, **drifts)
    add(_("Audit log"), cells.listing(AuditEntry), "history", Right.READ_AUDIT)
    add(_("Systems"), cells.listing(Connection), "dns", Right.SEE, **stopped)
    add(_("Erasures"), cells.listing(Erasure), "person_off", Right.ERASE, **erasures)
    add(_("Users"), cells.listing(get_user_model()), "manage_accounts", Right.MANAGE_USERS)
    return [{"title": "", "items": items}]
