import json
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

from membership.sandbox import Sandbox
from tests.sandbox.conftest import Caller

TOKEN = "5b1f4c1e-7a0c-4f5e-9d53-0de300000001"


@pytest.fixture
def start(tmp_path):
    """Starts the sandbox in a process of its own, over the same folder each time."""
    processes = []

    def begin(*args):
        process = subprocess.Popen(
            [sys.executable, "-m", "membership.sandbox", "--state", str(tmp_path), *args],
            stdout=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        urls = json.loads(process.stdout.readline())
        ports = {kind: int(url.rpartition(":")[2]) for kind, url in urls.items()}
        return process, {kind: SimpleNamespace(host="127.0.0.1", port=port) for kind, port in ports.items()}

    yield begin
    for process in processes:
        process.kill()
        process.wait(timeout=5)
        process.stdout.close()


def kill_hard(process):
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=5)


def test_state_journal_and_switches_survive_a_stop(tmp_path, clock):
    with Sandbox(state_dir=tmp_path, now=clock) as first:
        state = first.kaiten.state
        service = state.add_user("Service", own_permissions=1)
        group = state.add_group("Designers", permissions=2)
        state.add_member(group.uid, service.id)
        token = state.issue_token(service.id)
        state.switch(add_existing=400, rate_per_s=50)
        ask = Caller(first.kaiten, {"Authorization": f"Bearer {token}"})
        ask("DELETE", f"/api/v1/groups/{group.uid}/users/{service.id}")
        ask.connection.close()
        before = {server.kind: server.state.dump() for server in first.servers}
    with Sandbox(state_dir=tmp_path, now=clock) as second:
        assert {server.kind: server.state.dump() for server in second.servers} == before
        assert second.kaiten.state.switches == state.switches
        (entry,) = second.kaiten.journal.entries
        assert (entry.line, entry.status) == (f"DELETE /api/v1/groups/{group.uid}/users/{service.id}", 200)
        assert entry.header("Authorization") == f"Bearer {token}"
        assert second.kaiten.state.add_group("Next").id == group.id + 1


def test_an_emptied_journal_stays_empty(tmp_path, clock):
    for _ in range(2):
        with Sandbox(state_dir=tmp_path, now=clock) as running:
            assert running.inwendo.journal.seen == []
            ask = Caller(running.inwendo)
            ask("GET", "/api/users")
            ask.connection.close()
            running.inwendo.journal.clear()


def test_rows_come_back_in_the_order_in_which_they_were_made(tmp_path, clock):
    with Sandbox(state_dir=tmp_path, now=clock) as first:
        for name in ("b", "a", "c"):
            first.inwendo.state.add_room(name)
        first.inwendo.state.rename_room(1, "z")
    with Sandbox(state_dir=tmp_path, now=clock) as second:
        assert [room.name for room in second.inwendo.state.rooms] == ["z", "a", "c"]


def test_every_answered_effect_survives_kill_9(start):
    process, servers = start("--demo")
    ask = Caller(servers["kaiten"], {"Authorization": f"Bearer {TOKEN}"})
    (group,) = [g for g in ask("GET", "/api/latest/company/groups").json if g["name"] == "Все сотрудники"]
    path = f"/api/latest/groups/{group['uid']}/users"
    users = [user["id"] for user in ask("GET", path).json]
    assert [ask("DELETE", f"{path}/{user}").status for user in users[:40]] == [200] * 40
    kill_hard(process)
    ask.connection.close()

    _, servers = start("--demo")
    ask = Caller(servers["kaiten"], {"Authorization": f"Bearer {TOKEN}"})
    left = [user["id"] for user in ask("GET", path).json]
    assert left[:60] == users[40:]
    writes = ask("GET", "/__sandbox__/journal?writes=1").json["entries"]
    assert [(entry["path"], entry["status"]) for entry in writes] == [(f"{path}/{user}", 200) for user in users[:40]]
    ask.connection.close()


def test_an_effect_whose_answer_was_lost_survives_kill_9_too(start):
    process, servers = start()
    control = Caller(servers["kaiten"])
    made = control("POST", "/__sandbox__/state", {"call": "add_user", "args": ["S"], "kwargs": {"own_permissions": 1}})
    user = made.json["result"]["id"]
    token = control("POST", "/__sandbox__/state", {"call": "issue_token", "args": [user]}).json["result"]
    control("POST", "/__sandbox__/faults", {"kind": "hang", "method": "POST"})
    ask = Caller(servers["kaiten"], {"Authorization": f"Bearer {token}"}, timeout=0.3)
    with pytest.raises(TimeoutError):
        ask("POST", "/api/latest/company/groups", {"name": "New"})
    kill_hard(process)
    control.connection.close()

    _, servers = start()
    ask = Caller(servers["kaiten"], {"Authorization": f"Bearer {token}"})
    assert [group["name"] for group in ask("GET", "/api/latest/company/groups").json] == ["New"]
    ask.connection.close()


def test_a_folder_that_cannot_be_used_is_one_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        Sandbox(state_dir=tmp_path / "file")
    (tmp_path / "kaiten.sqlite3").write_text("no database " * 100)
    with pytest.raises(OSError, match="kaiten"):
        Sandbox(state_dir=tmp_path)
