"""`make test`: all tests on SQLite, then those that touch a database on PostgreSQL, where one answers.

With CI=true a PostgreSQL that does not answer is a failure. The last line counts both runs together.
"""

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
POSTGRES = "postgres://postgres@127.0.0.1:5432/test"
PROCESSES = "3"
"""One more than the two cores that it is made for: many tests wait for a remote, a pause or the end of a process."""
ELSEWHERE = "not pure and not once and not browser"
"""What the second run takes: tests without a database, in a browser, or that wait for neither say the same twice."""


def main(arguments: list[str]) -> int:
    url = os.environ.get("DATABASE_URL_TEST_PG", POSTGRES)
    counts: Counter[str] = Counter()
    codes = [run_pytest(arguments, {}, counts)]
    if answers(url):
        print(f"\nOn PostgreSQL at {urlsplit(url).hostname}:", flush=True)
        codes.append(run_pytest(both(arguments), {"DATABASE_URL": url}, counts))
    elif os.environ.get("CI") == "true":
        print(f"\nNo PostgreSQL answers at {urlsplit(url).hostname}:{urlsplit(url).port}; in CI it must.", flush=True)
        codes.append(1)
    else:
        print("\nNo PostgreSQL answers (DATABASE_URL_TEST_PG): tested on SQLite alone.", flush=True)
    # 5: nothing was selected, which a narrowed run may well be on one of the two.
    bad = [code for code in codes if code not in (0, 5)]
    if bad and not counts["failed"]:
        counts["failed"] = 1
    print(f"\n{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped", flush=True)
    return bad[0] if bad else 0 if counts["passed"] else 5


def run_pytest(arguments: list[str], environment: dict[str, str], counts: Counter[str]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        spread = ["-n", PROCESSES, "--dist", "worksteal"]
        command = [sys.executable, "-m", "pytest", *spread, f"--junit-xml={report}", *arguments]
        done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=False)  # noqa: S603
        count(report, counts)
    return done.returncode


def count(report: Path, counts: Counter[str]) -> None:
    if not report.is_file():
        return
    for suite in ElementTree.parse(report).iter("testsuite"):  # noqa: S314 - pytest's own file
        bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
        skipped = int(suite.get("skipped", 0))
        counts["failed"] += bad
        counts["skipped"] += skipped
        counts["passed"] += int(suite.get("tests", 0)) - bad - skipped


def both(arguments: list[str]) -> list[str]:
    """The arguments with the second run's own selection joined to what was selected already."""
    if "-m" not in arguments:
        return [*arguments, "-m", ELSEWHERE]
    place = arguments.index("-m") + 1
    return [*arguments[:place], f"({arguments[place]}) and {ELSEWHERE}", *arguments[place + 1 :]]


def answers(url: str) -> bool:
    """Whether a server is there; the database of the address need not exist."""
    parts = urlsplit(url)
    try:
        with psycopg.connect(
            host=parts.hostname,
            port=parts.port or 5432,
            user=parts.username,
            password=parts.password,
            dbname="postgres",
            connect_timeout=2,
        ):
            return True
    except psycopg.OperationalError:
        return False


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
