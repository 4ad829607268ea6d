"""The measurements on one database. Started by `python -m bench`, once for each."""

import argparse
import os
from collections.abc import Iterator

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")

import django

django.setup()

from bench import books, ground, pages, push, sync  # noqa: E402 - Django first
from bench.result import Result  # noqa: E402

NAMES = ("books", "sync", "push", "limit", "pages")


def results(names: list[str], database: str, *, is_long: bool, rounds: int) -> Iterator[Result]:
    remote = ground.RemoteProcess()
    try:
        if "books" in names:
            yield from books.measure(database, rounds=rounds, number=10_000 if is_long else 1_000)
        if "sync" in names:
            yield from sync.measure(database, rounds=rounds, rows=50_000 if is_long else 5_000)
        if "push" in names:
            yield from push.measure(remote, database, rounds=rounds, seconds=8 if is_long else 3)
        if "limit" in names:
            number, per_s = (10_000, 100) if is_long else (600, 50)
            yield from push.measure_limit(remote, database, rounds=1 if is_long else rounds, number=number, per_s=per_s)
        if "pages" in names:
            yield from pages.measure(remote, database, seconds=30 if is_long else 6)
    finally:
        remote.close()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("names", nargs="+", choices=NAMES)
    given = parser.parse_args()
    with ground.database() as database:
        for result in results(given.names, database, is_long=given.long, rounds=given.rounds):
            print(result.line(), flush=True)


if __name__ == "__main__":
    main()
