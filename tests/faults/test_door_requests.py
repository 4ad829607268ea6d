"""What goes out: to the letter, once, and nothing that was not asked for."""

from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membership import __version__
from membership.errors import Reason
from membership.providers import wire
from membership.providers.base import RemoteCall
from membership.providers.errors import Misconfigured, Refused
from membership.providers.ids import is_sendable_id
from tests.faults.conftest import CALLS, DELETE, GET, POST, TOKEN
from tests.faults.servers import answer, saying

pytestmark = pytest.mark.pure

DOOR_TIMEOUT_S = 5
UNSENDABLE = ["", ".", "..", "a/b", "/", "a\\b", "a\x00b", "a\nb", "\x7f", "\x85", "\ud800", "a\udfffb"]


def headers_of(whole):
    lines = whole.split(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in lines)


@pytest.fixture
def server(serve):
    return serve(saying(answer()))


def test_a_call_goes_out_as_it_is_written(server, open_door):
    call = RemoteCall(
        "PUT",
        ("api", "chat room", "ü%?#"),
        query=(("filter[a]", "b c&d"), ("filter[a]", "+")),
        body={"name": "Zoë", "list": [1, None]},
        headers=(("X-Version", "2"),),
    )
    open_door(f"{server.url}/base/v1/").send(call, credentials=TOKEN)
    [(_number, whole)] = server.requests
    assert server.lines == [
        "PUT /base/v1/api/chat%20room/%C3%BC%25%3F%23?filter%5Ba%5D=b%20c%26d&filter%5Ba%5D=%2B HTTP/1.1"
    ]
    assert whole.endswith('\r\n\r\n{"name":"Zoë","list":[1,null]}'.encode())
    assert headers_of(whole) == {
        "Host": f"localhost:{server.port}",
        "User-Agent": f"Musterbook/{__version__}",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "X-Version": "2",
        "Authorization": "Bearer very-secret-token",
        "Accept-Encoding": "identity",
        "Content-Length": "31",
    }


def test_a_removal_without_a_body_has_none(server, open_door):
    open_door(server.url).send(DELETE, credentials={})
    [(_number, whole)] = server.requests
    assert whole.endswith(b"\r\n\r\n")
    assert {"Content-Length", "Content-Type", "Transfer-Encoding"}.isdisjoint(headers_of(whole))


def test_a_prescribed_header_replaces_ours(server, open_door):
    call = RemoteCall("DELETE", ("a",), headers=(("content-type", "application/json"), ("accept", "text/plain")))
    open_door(server.url).send(call, credentials={})
    headers = headers_of(server.requests[0][1])
    assert headers["content-type"] == "application/json"
    assert [headers[name] for name in headers if name.lower() == "accept"] == ["text/plain"]


def test_a_call_to_the_base_address_itself(server, open_door):
    open_door(server.url).send(RemoteCall("GET", (), query=(("a", "1"),)), credentials={})
    open_door(f"{server.url}/v1/").send(RemoteCall("GET", ()), credentials={})
    assert server.lines == ["GET /?a=1 HTTP/1.1", "GET /v1 HTTP/1.1"]


@pytest.mark.parametrize("call", CALLS)
def test_nothing_in_the_environment_changes_where_or_what_is_sent(
    call, serve, server, open_door, monkeypatch, tmp_path
):
    proxy = serve(saying(answer()))
    netrc = tmp_path / "netrc"
    netrc.write_text("machine localhost login ada password very-secret-token\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    open_door(server.url).send(call, credentials={})
    assert proxy.connections == 0
    assert "Authorization" not in headers_of(server.requests[0][1])


def test_cookies_are_not_kept(serve, open_door):
    server = serve(saying(answer(headers=["Set-Cookie: session=1; Path=/"])))
    door = open_door(server.url)
    door.send(GET, credentials=TOKEN)
    door.send(GET, credentials=TOKEN)
    assert all(b"ookie" not in whole for _number, whole in server.requests)
    assert len(door._session.cookies) == 0


def test_credentials_are_for_one_call(server, open_door):
    door = open_door(server.url)
    door.send(GET, credentials=TOKEN)
    door.send(GET, credentials={})
    assert "Authorization" not in headers_of(server.requests[1][1])


@pytest.mark.parametrize("remote_id", UNSENDABLE)
def test_an_id_that_a_url_cannot_carry_is_refused_before_anything_is_opened(remote_id, server, open_door, fails):
    door = open_door(server.url)
    error = fails(lambda: door.send(RemoteCall("DELETE", ("groups", "1", remote_id)), credentials=TOKEN))
    assert (type(error), error.reason) == (Refused, Reason.ID_NOT_SENDABLE)
    assert (is_sendable_id(remote_id), server.connections) == (False, 0)


@pytest.mark.parametrize("remote_id", ["1", "%2e%2e", "...", "a.b", "ü", "😀", "a b", "?", "#", ";", "a:b@c", "\u202e"])
def test_every_other_id_arrives_as_it_is(remote_id, server, open_door):
    open_door(server.url).send(RemoteCall("DELETE", ("groups", remote_id)), credentials=TOKEN)
    path = server.lines[0].split(" ")[1]
    assert (is_sendable_id(remote_id), unquote(path)) == (True, f"/groups/{remote_id}")


@given(st.lists(st.text(), max_size=4), st.lists(st.tuples(st.text(), st.text()), max_size=3))
def test_a_target_has_as_many_segments_as_its_call_and_only_plain_characters(path, query):
    call = RemoteCall("GET", ("a", *path), query=tuple(query))
    try:
        target = wire.target("/base", call)
    except Refused:
        assert not all(map(is_sendable_id, path)) or any(
            "\ud800" <= c <= "\udfff" for pair in query for c in "".join(pair)
        )
        return
    bare, _, _rest = target.partition("?")
    assert bare.count("/") == len(path) + 2
    assert target.isascii()
    assert not set(target) & set(' \r\n\t\\#"<>')
    assert {"", ".", ".."}.isdisjoint(bare.split("/")[1:])


@pytest.mark.parametrize("value", ["Bearer €", "a\r\nX-Evil: 1", "a\nb", "a\x00b", "a\rb", "a\x7fb", "\ud800", "\x1b"])
def test_a_credential_that_no_header_can_carry_stops_the_connection_without_being_told(value, server, open_door, fails):
    secret = f"very-secret-token{value}"
    error = fails(lambda: open_door(server.url).send(DELETE, credentials={"Authorization": secret}))
    assert (type(error), error.reason, error.params) == (Misconfigured, Reason.BAD_VALUE, {"key": "Authorization"})
    assert server.connections == 0


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "Connection", "Accept-Encoding", "A B", "", "ü"]
)
def test_a_header_that_frames_the_request_or_is_none_stops_the_connection(name, server, open_door, fails):
    error = fails(lambda: open_door(server.url).send(DELETE, credentials={name: "1"}))
    assert (type(error), error.reason, server.connections) == (Misconfigured, Reason.BAD_VALUE, 0)


def test_a_latin_1_credential_is_sent(server, open_door):
    open_door(server.url).send(GET, credentials={"X-Key": "pässword"})
    assert headers_of(server.requests[0][1])["X-Key"] == "pässword"


@pytest.mark.parametrize("body", [float("nan"), {"a": float("inf")}, "\ud800", {1, 2}], ids=repr)
def test_a_body_that_json_cannot_say_is_refused(body, server, open_door, fails):
    error = fails(lambda: open_door(server.url).send(RemoteCall("POST", ("a",), body=body), credentials=TOKEN))
    assert (type(error), error.reason, server.connections) == (Refused, Reason.BAD_VALUE, 0)


@pytest.mark.parametrize("method", ["get", "GET /evil", "", "DE\r\nLETE"])
def test_a_method_that_is_none_is_refused(method, server, open_door, fails):
    error = fails(lambda: open_door(server.url).send(RemoteCall(method, ("a",)), credentials=TOKEN))
    assert (type(error), error.reason, server.connections) == (Refused, Reason.BAD_VALUE, 0)


@pytest.mark.parametrize("call", [GET, POST], ids=lambda call: call.method)
def test_a_call_survives_being_stored(call, server, open_door):
    door = open_door(server.url)
    door.send(call, credentials=TOKEN)
    door.send(RemoteCall.from_json(call.to_json()), credentials=TOKEN)
    assert server.requests[0] == server.requests[1]
