"""Long work beside the lanes: in a thread of its own, begun again when it broke off."""

import threading

from membership import tasks
from membership.models import Roster, RosterState
from membership.operations.aside import Aside
from membership.services.rosters import uploading
from tests import mirrored as m


def test_the_worker_looks_at_an_uploaded_list_beside_its_lanes(fresh_db):
    group = m.group("Board", m.system("Office", next_reading_at="2099-01-01T00:00Z"))
    uploading.upload(group, "add", "a.csv", [b"E-Mail\r\nada@example.org\r\n"], actor=m.user("vera"))
    tasks.run_worker(until_idle=True)
    assert Roster.objects.get().state == RosterState.COLUMNS


def test_it_runs_once_at_a_time_and_again_after_it_broke_off(fresh_db, caplog):
    go, begun = threading.Event(), []

    def work():
        begun.append(threading.current_thread())
        go.wait(10)
        if len(begun) == 1:
            raise RuntimeError("broke")
        return False

    aside = Aside(work, lambda: len(begun) < 2)
    assert aside() and aside()
    assert len(begun) == 1 and begun[0] is not threading.main_thread()
    go.set()
    begun[0].join(10)
    assert "broke off; it is begun again" in caplog.text
    assert aside()
    begun[1].join(10)
    assert not aside()
