"""The pages of the panel: thin; what they say and do comes from `services/`.

Only pages of ours are open: what other applications register by themselves is taken away again.
"""

from django.contrib import admin

from membership.admin import (
    account,
    audit,
    bundle,
    change,
    connection,
    drift,
    group,
    leaving,
    participant,
    person,
    proposal,
    roster,
    user,
)
from membership.admin.base import PanelAdmin

__all__ = [
    "account",
    "audit",
    "bundle",
    "change",
    "connection",
    "drift",
    "group",
    "leaving",
    "participant",
    "person",
    "proposal",
    "roster",
    "user",
]

for _model, _page in list(admin.site._registry.items()):
    if not isinstance(_page, PanelAdmin):
        admin.site.unregister(_model)
