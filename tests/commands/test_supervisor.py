import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from membership.management.supervisor import ONCE_AT_MOST, Program, Supervisor

pytestmark = pytest.mark.pure
ROOT = Path(__file__).resolve().parent.parent.parent

SUPERVISE = """
import sys
from pathlib import Path
from membership.management.supervisor import Program, Supervisor
names = iter(range(9))
programs = [Program(f"p{next(names)}", (sys.executable, "-c", code)) for code in sys.argv[1:]]
Supervisor(programs, Path.cwd(), lambda text: print(text, flush=True)).run()
"""
SAY_WHO = "import os, sys, time; os.write(1, b'pid %d\\n' % os.getpid()); "  # at once: two of them share the pipe


class Supervised:
    def __init__(self, *codes):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SUPERVISE, *codes],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def next_pid(self):
        for line in self.process.stdout:
            if line.startswith("pid "):
                return int(line.split()[1])
        raise AssertionError("ended")

    def end(self, number=signal.SIGTERM):
        began = time.monotonic()
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=20)
        return time.monotonic() - began, rest


@pytest.fixture
def supervise():
    running = []

    def start(*codes):
        running.append(Supervised(*codes))
        return running[-1]

    yield start
    for each in running:
        if each.process.poll() is None:
            each.process.kill()
        each.process.wait()
        each.process.stdout.close()


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(holds, seconds=10):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        if holds():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_every_child(supervise, number):
    running = supervise(SAY_WHO + "time.sleep(60)", SAY_WHO + "time.sleep(60)")
    pids = [running.next_pid(), running.next_pid()]
    seconds, _said = running.end(number)
    assert seconds < 5
    assert not any(is_running(pid) for pid in pids)
    assert running.process.returncode == 0


def test_a_child_that_dies_is_started_again(supervise):
    running = supervise(SAY_WHO + "time.sleep(60)")
    first = running.next_pid()
    os.kill(first, signal.SIGKILL)
    assert running.next_pid() != first


def test_a_child_that_dies_at_once_is_started_at_growing_intervals(supervise):
    running = supervise(SAY_WHO + "sys.exit(3)")
    times = []
    for _turn in range(3):
        running.next_pid()
        times.append(time.monotonic())
    assert times[2] - times[1] > times[1] - times[0] > 0.9


def test_a_child_that_does_not_listen_is_killed_within_ten_seconds(supervise):
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    running = supervise(deaf + SAY_WHO + "time.sleep(60)")
    pid = running.next_pid()
    seconds, said = running.end()
    assert seconds < 10
    assert "did not end in time" in said
    assert not is_running(pid)


def test_what_a_child_started_ends_with_it(supervise):
    parent = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', %r]); time.sleep(60)"
    running = supervise(parent % (SAY_WHO + "time.sleep(60)"))
    grandchild = running.next_pid()
    running.end()
    assert wait_until(lambda: not is_running(grandchild))


def test_children_end_when_the_supervisor_is_killed(supervise):
    running = supervise(SAY_WHO + "time.sleep(60)", SAY_WHO + "time.sleep(60)")
    pids = [running.next_pid(), running.next_pid()]
    running.process.kill()
    running.process.wait()
    assert wait_until(lambda: not any(is_running(pid) for pid in pids))


def starts_of_once(tmp_path, code, *, at_least):
    """How often a program that is run once was started; `code` makes its exit code of how often that was before."""
    marks = tmp_path / "marks"
    marks.touch()
    mark = f"from pathlib import Path; marks = Path({str(marks)!r}); made = marks.read_text() + 'x'; "
    script = mark + f"marks.write_text(made); raise SystemExit({code})"
    once = Program("once", (sys.executable, "-c", script), once=True)
    ticks = []

    def enough():
        ticks.append(len(marks.read_text()))
        if (ticks.count(ticks[-1]) > 10 and ticks[-1] >= at_least) or len(ticks) > 200:
            os.kill(os.getpid(), signal.SIGTERM)
        return False

    Supervisor([once], tmp_path, print, when_started=enough, first_pause_s=0.1).run()
    return ticks[-1]


def test_a_program_that_ends_by_itself_is_not_started_again(restored_signals, tmp_path):
    assert starts_of_once(tmp_path, "0", at_least=1) == 1


def test_a_program_that_fails_is_started_again_until_it_succeeds(restored_signals, tmp_path):
    assert starts_of_once(tmp_path, "len(made) < 2", at_least=2) == 2


def test_a_program_that_fails_again_and_again_is_left_alone(restored_signals, tmp_path):
    assert starts_of_once(tmp_path, "1", at_least=ONCE_AT_MOST) == ONCE_AT_MOST
