"""`python -m membership.sandbox [--state DIR] [--demo] [--limits]`: serve, and print the addresses as JSON."""

import argparse
from pathlib import Path

from membership.sandbox.sandbox import KINDS
from membership.sandbox.serve import announce, run


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m membership.sandbox")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--state", type=Path, help="folder in which state and journal survive")
    parser.add_argument("--demo", action="store_true", help="fill empty remotes with the demo")
    parser.add_argument("--limits", action="store_true", help="keep the documented request limits")
    for kind in KINDS:
        parser.add_argument(f"--{kind}", type=int, default=0, metavar="PORT")
    given = parser.parse_args()
    ports = {kind: getattr(given, kind) for kind in KINDS}
    run(given.host, ports, given.state, with_demo=given.demo, limits=given.limits, ready=announce)


if __name__ == "__main__":
    main()
