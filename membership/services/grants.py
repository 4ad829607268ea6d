"""What membership of a group gives beyond the group, in words.

Source: Kaiten's reference page "Update company group", attribute `permissions`, read in 2026. Others have no such bits.
"""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

GRANTS: dict[int, Any] = {
    1: gettext_lazy("administers members"),
    2: gettext_lazy("billing"),
    4: gettext_lazy("company settings"),
    16: gettext_lazy("spaces"),
    32: gettext_lazy("card types"),
    64: gettext_lazy("timesheets"),
    128: gettext_lazy("reads colleagues' timesheets"),
    256: gettext_lazy("export"),
    512: gettext_lazy("tags"),
    1024: gettext_lazy("invites users"),
    2048: gettext_lazy("Service Desk settings"),
    4096: gettext_lazy("creates custom properties"),
    8192: gettext_lazy("public card access"),
    16384: gettext_lazy("turns cards into Service Desk requests"),
    32768: gettext_lazy("activity logs"),
    65536: gettext_lazy("resource planning"),
    131072: gettext_lazy("calendars"),
    262144: gettext_lazy("Service Desk analytics"),
    524288: gettext_lazy("Service Desk requests"),
}
"""`{bit: what it allows}`."""


def grants_in_words(bits: int) -> list[str]:
    """What the bits allow; one that is not known is named by its number."""
    found = [str(GRANTS.get(bit, _("right no. %(bit)d") % {"bit": bit})) for bit in _split(bits)]
    return sorted(found)


def _split(bits: int) -> list[int]:
    return [1 << place for place in range(bits.bit_length()) if bits >> place & 1] if bits > 0 else []
