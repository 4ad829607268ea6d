"""Protects the audit log, and makes and names its anchors, for the command line."""

import base64

from django.db import transaction
from django.utils import timezone

from membership import conf
from membership.audit import anchoring, anchors, record, triggers
from membership.services import anchor_sinks
from membership.vocab import AuditAction, Chain


def protect_log() -> list[str]:
    """Install the triggers anew. Gives the names of those that were missing or altered, and records them."""
    missing = triggers.missing()
    with transaction.atomic():
        triggers.install()
        entry = record.Entry(AuditAction.COMMAND_RUN, data={"what": "audit protect", "missing": missing})
        record.write(Chain.PANEL, [entry])
    return missing


def anchor_now() -> tuple[int, bool]:
    """Bring everything that was written under an anchor and send it: the newest number, and whether all got it.

    Where the last anchor does not hold, none can be made: that is shown as a sink that fails is.
    """
    can_sign = True
    try:
        anchoring.catch_up()
    except anchors.BadAnchor as error:
        anchor_sinks.cannot_sign(error, timezone.now())
        can_sign = False
    newest = anchor_sinks.standing().newest
    return (newest.n if newest else 0), anchor_sinks.send() and can_sign


def public_keys() -> dict[str, str]:
    """`{key id: public half}` of ANCHOR_KEYS, as that setting and the stand-alone script take them."""
    return {
        key_id: base64.urlsafe_b64encode(key.public_bytes_raw()).decode()
        for key_id, key in conf.anchor_public_keys().items()
    }
