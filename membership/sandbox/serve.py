"""The sandbox as a process of its own: for the demo, for `manage.py sandbox`, and for tests that kill it."""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

from membership.sandbox.demo import fill_demo
from membership.sandbox.sandbox import Sandbox


def run(
    host: str = "127.0.0.1",
    ports: Mapping[str, int] | None = None,
    state_dir: Path | None = None,
    with_demo: bool = False,
    limits: bool = False,
    stop_event: threading.Event | None = None,
    ready: Callable[[Sandbox], None] | None = None,
) -> None:
    """Serve until `stop_event` is set, or for ever. `ready(sandbox)` is called once all three listen.

    `limits` turns on the documented request limits. Raises OSError when a port is taken or the folder not writable.
    """
    sandbox = Sandbox(host=host, ports=ports, state_dir=state_dir)
    if with_demo:
        fill_demo(sandbox)
    switch_limits(sandbox, on=limits)
    with sandbox:
        if ready is not None:
            ready(sandbox)
        (stop_event or threading.Event()).wait()


def switch_limits(sandbox: Sandbox, *, on: bool) -> None:
    """The limits that the vendors document, or none but Mudbase's on log-ins."""
    sandbox.kaiten.state.switch(rate_per_s=5 if on else None)
    sandbox.mudbase.state.switch(
        login_limit=5,
        auth_limit=20 if on else None,
        refresh_limit=60 if on else None,
        general_limit=2000 if on else None,
    )


def urls(sandbox: Sandbox) -> dict[str, str]:
    """`{kind: url}`."""
    return {server.kind: server.url for server in sandbox.servers}


def announce(sandbox: Sandbox) -> None:
    """Print the addresses as one line of JSON."""
    print(json.dumps(urls(sandbox)), flush=True)
