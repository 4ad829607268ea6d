"""The control API below /__sandbox__: journal, faults, state and switches for tests in another process.

GET    /__sandbox__/journal[?since=SEQ][&writes=1]   {"entries": [...]}; DELETE empties it
GET    /__sandbox__/faults                           {"faults": [...]}; POST adds one object or a list; DELETE clears
GET    /__sandbox__/state[?table=NAME]               {table: rows}
POST   /__sandbox__/state                            {"call": METHOD, "args": [...], "kwargs": {...}}: by hand
GET    /__sandbox__/switches                         {name: value}; POST changes those that are given
"""

import dataclasses
from typing import TYPE_CHECKING

from membership.sandbox.faults import Fault
from membership.sandbox.wire import Answer, Json, Request, json_answer

if TYPE_CHECKING:
    from membership.sandbox.server import RemoteServer

ROOT = "__sandbox__"


def answer(server: "RemoteServer", request: Request) -> Answer:
    """The answer to one control request; what is wrong with it as {"error": text} with 400."""
    action = ACTIONS.get((request.method, "/".join(request.segments[1:])))
    if action is None:
        return json_answer(404, {"error": "no such control request"})
    try:
        with server.state.changing():
            return json_answer(200, action(server, request))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return json_answer(400, {"error": f"{type(error).__name__}: {error}"})


def _journal(server: "RemoteServer", request: Request) -> Json:
    entries = server.journal.writes() if request.first("writes") else server.journal.entries
    since = int(request.first("since", "0"))
    return {"entries": [entry.to_json() for entry in entries if entry.seq > since]}


def _clear_journal(server: "RemoteServer", _request: Request) -> Json:
    server.journal.clear()
    return {}


def _faults(server: "RemoteServer", _request: Request) -> Json:
    return {"faults": [fault.to_json() for fault in server.faults.all]}


def _add_faults(server: "RemoteServer", request: Request) -> Json:
    wanted = request.json()
    made = [Fault.from_json(data) for data in (wanted if isinstance(wanted, list) else [wanted])]
    for fault in made:
        server.faults.add(fault)
    return _faults(server, request)


def _clear_faults(server: "RemoteServer", _request: Request) -> Json:
    server.faults.clear()
    return {}


def _state(server: "RemoteServer", request: Request) -> Json:
    return server.state.dump(request.first("table"))


def _by_hand(server: "RemoteServer", request: Request) -> Json:
    wanted = request.json()
    if wanted["call"] not in server.state.BY_HAND:
        raise ValueError(f"not to be called by hand: {wanted['call']}")
    result = getattr(server.state, wanted["call"])(*wanted.get("args", ()), **wanted.get("kwargs", {}))
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        return {"result": dataclasses.asdict(result)}
    return {"result": result}


def _switches(server: "RemoteServer", _request: Request) -> Json:
    return dataclasses.asdict(server.state.switches)


def _switch(server: "RemoteServer", request: Request) -> Json:
    server.state.switch(**request.json())
    return _switches(server, request)


ACTIONS = {
    ("GET", "journal"): _journal,
    ("DELETE", "journal"): _clear_journal,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_faults,
    ("DELETE", "faults"): _clear_faults,
    ("GET", "state"): _state,
    ("POST", "state"): _by_hand,
    ("GET", "switches"): _switches,
    ("POST", "switches"): _switch,
}
