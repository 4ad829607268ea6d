"""The three servers together."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from membership.sandbox.inwendo import InwendoServer
from membership.sandbox.inwendo_state import InwendoState
from membership.sandbox.kaiten import KaitenServer
from membership.sandbox.kaiten_state import KaitenState
from membership.sandbox.mudbase import MudbaseServer
from membership.sandbox.mudbase_state import MudbaseState
from membership.sandbox.server import RemoteServer
from membership.sandbox.store import Store

KINDS = ("inwendo", "mudbase", "kaiten")


class Sandbox:
    """Three remotes. `ports`: `{kind: port}`, 0 or missing for a free one. With `state_dir` everything survives.

    Use as a context manager, or call `start` and `stop`. A stopped sandbox is not started again: make a new one.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        ports: Mapping[str, int] | None = None,
        state_dir: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        ports = ports or {}
        self._stores = {kind: Store(state_dir / f"{kind}.sqlite3") for kind in KINDS} if state_dir is not None else {}
        stores = {kind: self._stores.get(kind) for kind in KINDS}
        self.inwendo = InwendoServer(
            state=InwendoState(now=now, store=stores["inwendo"]),
            store=stores["inwendo"],
            host=host,
            port=ports.get("inwendo", 0),
        )
        self.mudbase = MudbaseServer(
            state=MudbaseState(now=now, store=stores["mudbase"]),
            store=stores["mudbase"],
            host=host,
            port=ports.get("mudbase", 0),
        )
        self.kaiten = KaitenServer(
            state=KaitenState(now=now, store=stores["kaiten"]),
            store=stores["kaiten"],
            host=host,
            port=ports.get("kaiten", 0),
        )

    @property
    def servers(self) -> tuple[RemoteServer, ...]:
        return (self.inwendo, self.mudbase, self.kaiten)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever seeded."""
        return all(server.state.is_empty for server in self.servers)

    def start(self) -> "Sandbox":
        """Listen on all three. Raises OSError when a port is taken; then none listens."""
        try:
            for server in self.servers:
                server.start()
        except OSError:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Close every connection and what is kept on disk."""
        for server in self.servers:
            server.stop()
        for store in self._stores.values():
            store.close()

    def __enter__(self) -> "Sandbox":
        return self.start()

    def __exit__(self, *exc: object) -> None:
        self.stop()
