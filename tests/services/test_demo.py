import random
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from membership import tasks
from membership.management import ports
from membership.models import Account, Change, Connection, Operation, Participant, Person
from membership.sandbox.demo import describe_demo, fill_demo
from membership.sandbox.sandbox import Sandbox
from membership.services import demo
from membership.services.panel_users import create_first_owner
from membership.vocab import ChangeState


def systems(urls):
    return [demo.DemoSystem(e.provider, e.name, e.url, e.options, e.secrets) for e in describe_demo(urls)]


@pytest.fixture
def urls(fresh_db):
    create_first_owner()
    with Sandbox() as sandbox:
        fill_demo(sandbox)
        yield {server.kind: server.url for server in sandbox.servers}


@pytest.fixture
def worker(urls):
    stop = threading.Event()

    def work():
        tasks.run_worker(stop)
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield thread
    stop.set()
    thread.join(20)


@pytest.mark.once
def test_the_demo_is_read_linked_and_ready_to_be_confirmed(urls, worker):
    loaded = demo.load(systems(urls), wait_s=100)
    assert (loaded.groups >= 55, loaded.participants, 380 <= loaded.people <= 420) == (True, 2000, True)
    assert loaded.change.state == ChangeState.DRAFT
    assert loaded.change.compiled_at is not None
    steps = Operation.objects.filter(change=loaded.change)
    assert steps.values("connection_id").distinct().count() == 3
    assert steps.count() == 9
    shown = {name for row in steps.values_list("subject_label", "group__name") for name in row}
    assert not [name for name in shown if set(name) & set("<>{}()=")]
    assert Account.objects.filter(person=None).exclude(email=None).exclude(is_own=True).count() == 0
    same = Person.objects.filter(accounts__connection__provider="kaiten").filter(
        accounts__connection__provider="inwendo"
    )
    assert same.exists()

    again = demo.load(systems(urls), wait_s=1)
    assert again.change.pk == loaded.change.pk
    assert Change.objects.count() == 1
    assert Person.objects.count() == loaded.people
    assert Participant.objects.count() == loaded.participants


def test_without_a_worker_the_demo_is_connected_and_waits(urls):
    assert demo.load(systems(urls), wait_s=0.1).change is None
    assert Connection.objects.count() == 3
    moved = {kind: url.replace("127.0.0.1", "localhost") for kind, url in urls.items()}
    demo.load(systems(moved), wait_s=0.1)
    assert {row.base_url for row in Connection.objects.all()} == set(moved.values())


def test_nothing_is_connected_before_the_sandbox_listens(fresh_db):
    create_first_owner()
    with pytest.raises(CommandError, match="No sandbox listens"):
        call_command("demo", port_base=1, wait=0.1)
    assert not Connection.objects.exists()


def test_a_sandbox_that_starts_late_is_waited_for(tmp_path):
    (tmp_path / "port").write_text(str(random.randrange(29_000, 32_000, 10)))  # another test at once has its own
    base = ports.kept_port_base(tmp_path / "port")
    sandbox = Sandbox(ports=ports.sandbox_ports(base))
    late = threading.Timer(0.5, sandbox.start)
    late.start()
    try:
        assert not ports.wait_until_listening(base, 0.1)
        assert ports.wait_until_listening(base, 20)
    finally:
        late.join()
        sandbox.stop()
