"""`make bench`: all measurements on SQLite and, where one answers, PostgreSQL; a table, and JSON beside it.

python -m bench                          a few minutes
python -m bench --long                   the figures of docs/benchmarks.md
python -m bench push limit --database sqlite
"""

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import psycopg

from bench.result import Result

POSTGRES = "postgres://postgres@127.0.0.1:5432/postgres"
ROOT = Path(__file__).resolve().parent.parent
NAMES = ("books", "sync", "push", "limit", "pages")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="what", help=f"some of {', '.join(NAMES)}; all by default")
    parser.add_argument("--long", action="store_true", help="the full numbers; takes the better part of an hour")
    parser.add_argument("--rounds", type=int, default=3, help="of each control and subject, in turn")
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument("--json", type=Path, default=ROOT / "var" / "bench.json")
    given = parser.parse_args()
    if unknown := set(given.names) - set(NAMES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    results = [
        result
        for url in urls(given.database)
        for result in measured(url, given.names or list(NAMES), is_long=given.long, rounds=given.rounds)
    ]
    print(table(results))
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps([{**asdict(r), "is_reached": r.is_reached} for r in results], indent=1))
    print(f"\nAlso in {given.json}")
    return 0 if results else 1


def urls(database: str) -> list[str]:
    """Addresses of the databases; empty for SQLite in a folder of its own."""
    found = [""] if database in ("sqlite", "both") else []
    url = os.environ.get("DATABASE_URL_TEST_PG", POSTGRES)
    if database in ("postgresql", "both"):
        if answers(url):
            found.append(url)
        else:
            print("No PostgreSQL answers (DATABASE_URL_TEST_PG).", file=sys.stderr)
    return found


def answers(url: str) -> bool:
    """Whether a server is there; the database of the address need not exist."""
    try:
        psycopg.connect(url, dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def measured(url: str, names: list[str], *, is_long: bool, rounds: int) -> list[Result]:
    environment = {**os.environ, "DATABASE_URL": url} if url else {**os.environ}
    if not url:
        environment.pop("DATABASE_URL", None)
    command = [sys.executable, "-m", "bench.run", f"--rounds={rounds}", *(["--long"] if is_long else []), *names]
    found: list[Result] = []
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        for line in process.stdout or ():
            if (result := Result.read(line)) is not None:
                found.append(result)
                print(row(result), file=sys.stderr, flush=True)
    if process.returncode:
        print(f"The measurement ended with {process.returncode}: what follows is not all.", file=sys.stderr)
    return found


def row(result: Result) -> str:
    goal = "" if result.goal is None else f"goal {result.goal:g}: {'reached' if result.is_reached else 'NOT reached'}"
    said = "; ".join(part for part in (result.subject, result.control, result.note) if part)
    return f"{result.database:<11} {result.name:<62} {result.ratio:8.2f}{result.unit}  {goal:<22} {said}"


def table(results: list[Result]) -> str:
    return "\n".join(row(result) for result in results)


if __name__ == "__main__":
    sys.exit(main())
