"""The registry of providers: one line a kind of remote."""

from typing import NamedTuple


class ProviderEntry(NamedTuple):
    label: str
    path: str  # dotted path of the package whose `build` makes the provider; imported when first used
    rate_per_s: float = 2  # requests a second of a new connection: what the vendor allows, or a careful guess


PROVIDERS: dict[str, ProviderEntry] = {
    "inwendo": ProviderEntry("inwendo", "membership.providers.inwendo"),
    "mudbase": ProviderEntry("Mudbase", "membership.providers.mudbase"),
    "kaiten": ProviderEntry("Kaiten", "membership.providers.kaiten", rate_per_s=5),
}


def provider_choices() -> list[tuple[str, str]]:
    """Choices for model fields: a callable, so that a new provider needs no migration."""
    return [(kind, entry.label) for kind, entry in PROVIDERS.items()]
