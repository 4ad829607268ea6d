from pathlib import Path

import pytest

from tests.providers.remotes import chat, club, company, sandbox

__all__ = ["chat", "club", "company", "sandbox"]


def pytest_collection_modifyitems(items):
    """No provider knows a database."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.pure)
