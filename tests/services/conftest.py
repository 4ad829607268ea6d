"""Who asks and where, in most tests of services. A test file may have its own."""

import pytest

from membership.vocab import Role
from tests import mirrored as m


@pytest.fixture
def vera():
    """An operator."""
    return m.user("vera")


@pytest.fixture
def olga():
    return m.user("olga", Role.OWNER)


@pytest.fixture
def office():
    return m.system("Office")


@pytest.fixture
def nord():
    return m.system("Nord", "inwendo")


@pytest.fixture
def club():
    return m.system("Club", "mudbase")
