import pytest

pytest.register_assert_rewrite("tests.crash.scene", "tests.truth")

from tests.crash.scene import Scene  # noqa: E402
from tests.crash.workers import Zygote  # noqa: E402


@pytest.fixture(scope="session")
def zygote(migrated_copy, tmp_path_factory):
    made = Zygote(tmp_path_factory.mktemp("workers"))
    yield made
    made.close()


@pytest.fixture
def start(zygote):
    """`start(plan)` is a worker in a process of its own; none is left behind."""
    yield zygote.start
    zygote.end_all()


@pytest.fixture
def scene(world):
    return Scene(world)


@pytest.fixture
def read_world(world):
    world.read()
    return world
