CONTROL = "/__sandbox__"


def test_the_journal_can_be_read_and_emptied(kaiten, caller):
    control = caller(kaiten.server)
    kaiten.ask("DELETE", f"{kaiten.users}/{kaiten.ada.id}")
    kaiten.ask("GET", kaiten.users)
    entries = control("GET", f"{CONTROL}/journal").json["entries"]
    assert [(entry["seq"], entry["method"], entry["status"]) for entry in entries] == [
        (1, "DELETE", 200),
        (2, "GET", 200),
    ]
    assert [entry["seq"] for entry in control("GET", f"{CONTROL}/journal?writes=1").json["entries"]] == [1]
    assert [entry["seq"] for entry in control("GET", f"{CONTROL}/journal?since=1").json["entries"]] == [2]
    control("DELETE", f"{CONTROL}/journal")
    assert kaiten.server.journal.seen == []


def test_faults_can_be_set_counted_and_cleared(kaiten, caller):
    control = caller(kaiten.server)
    wanted = [{"kind": "status", "status": 500, "method": "DELETE", "times": 1}, {"kind": "latency", "seconds": 0}]
    assert len(control("POST", f"{CONTROL}/faults", wanted).json["faults"]) == 2
    assert kaiten.ask("DELETE", f"{kaiten.users}/{kaiten.ada.id}").status == 500
    shown = control("GET", f"{CONTROL}/faults").json["faults"]
    assert [(fault["kind"], fault["applied"]) for fault in shown] == [("status", 1), ("latency", 1)]
    control("DELETE", f"{CONTROL}/faults")
    assert kaiten.server.faults.all == []


def test_the_state_can_be_read_and_changed_by_hand(kaiten, caller):
    control = caller(kaiten.server)
    wanted = {"call": "remove_by_hand", "args": [kaiten.design.uid, kaiten.ada.id]}
    assert control("POST", f"{CONTROL}/state", wanted).json == {"result": None}
    assert control("GET", f"{CONTROL}/state?table=places").json == {"places": []}
    made = control("POST", f"{CONTROL}/state", {"call": "add_user", "args": ["Carl"]}).json["result"]
    assert kaiten.state.users.rows[made["id"]].full_name == "Carl"
    assert set(control("GET", f"{CONTROL}/state").json) == {"users", "groups", "places", "tokens", "audit"}


def test_switches_can_be_read_and_changed(kaiten, caller):
    control = caller(kaiten.server)
    assert control("GET", f"{CONTROL}/switches").json["tariff"] is True
    assert control("POST", f"{CONTROL}/switches", {"tariff": False}).json["tariff"] is False
    assert kaiten.state.switches.tariff is False


def test_what_is_wrong_is_said(kaiten, caller):
    control = caller(kaiten.server)
    for path, body in (
        ("state", {"call": "changing"}),
        ("state", {"call": "remove_by_hand", "args": ["none", 1]}),
        ("switches", {"nonsense": 1}),
        ("faults", {"kind": "nonsense"}),
        ("faults", "not json"),
    ):
        reply = control("POST", f"{CONTROL}/{path}", body)
        assert (reply.status, set(reply.json)) == (400, {"error"})
    assert control("GET", f"{CONTROL}/none").status == 404


def test_control_requests_meet_no_fault_and_leave_no_trace(kaiten, caller):
    caller(kaiten.server)("POST", f"{CONTROL}/faults", {"kind": "status"})
    assert caller(kaiten.server)("GET", f"{CONTROL}/journal").json == {"entries": []}


def test_a_page_in_a_browser_cannot_control_the_sandbox(kaiten, caller):
    reply = caller(kaiten.server)("POST", f"{CONTROL}/faults", {"kind": "status"}, Origin="https://evil.example")
    assert reply.status == 403
    assert kaiten.server.faults.all == []


def test_every_method_offered_by_hand_exists(sandbox):
    for server in sandbox.servers:
        assert all(callable(getattr(server.state, name)) for name in server.state.BY_HAND)
