"""What the network can do, as data: each fault, and what the engine has to make of it. The tests run every row with a
removal, an addition, an alteration and a reading; one of them holds the table against the list of what is promised."""

import gzip
from typing import NamedTuple

from membership.vocab import AuditAction, OperationState

INTENDED, RETURNED, DOUBT = (
    AuditAction.OPERATION_INTENDED,
    AuditAction.OPERATION_RETURNED,
    AuditAction.OPERATION_IN_DOUBT,
)
RESOLVED, CONFIRMED, REFUSED = (
    AuditAction.OPERATION_RESOLVED,
    AuditAction.OPERATION_CONFIRMED,
    AuditAction.OPERATION_REFUSED,
)


class Way(NamedTuple):
    """How a step ends: `entries` of the log in order, how often its call reaches the remote. `added`: an addition's, if
    others."""

    state: str
    entries: tuple[str, ...]
    sent: int
    added: tuple[str, ...] = ()


DONE = Way(OperationState.CONFIRMED, (INTENDED, DOUBT, RESOLVED, CONFIRMED), 1)
"""The answer is lost; reading shows that it was done."""
AGAIN = Way(
    OperationState.CONFIRMED,
    (INTENDED, DOUBT, RESOLVED, RETURNED, INTENDED, CONFIRMED),
    2,
    # Adding twice makes two rows: it is looked for twice before it is sent again.
    added=(INTENDED, DOUBT, RESOLVED, DOUBT, RESOLVED, RETURNED, INTENDED, CONFIRMED),
)
"""The answer is lost; reading shows that it was not done."""
NOT_ARRIVED = AGAIN._replace(sent=1)
"""The same, of a request that was lost on its way."""
LATER = Way(OperationState.CONFIRMED, (INTENDED, RETURNED, INTENDED, CONFIRMED), 2)
"""Provably not done: a pause or a renewal, then once more."""
NOT_SENT = LATER._replace(sent=1)
"""No byte left: it is tried again until one may."""
STOPPED = LATER
"""The system is stopped, and goes on where it was when somebody says so."""
NO = Way(OperationState.REFUSED, (INTENDED, REFUSED), 1)
LOOKED = Way(OperationState.REFUSED, (INTENDED, DOUBT, RESOLVED, REFUSED), 1)
"""A no that may mean "already so": reading shows that it is one."""


class Row(NamedTuple):
    """`reason`: what the log says first about the answer. `is_slow`: it has to run into the time limit. `read`: why a
    reading that meets it is not complete; empty where it is taken up again and is."""

    fault: dict
    reason: str
    way: Way
    is_slow: bool = False
    read: str = ""
    stops: bool = False


def answer(body, status=200, headers=()):
    return {"kind": "replace", "status": status, "body": body, "headers": headers}


def status(code, **headers):
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return {"kind": "status", "status": code, "body": {"detail": "no"}, "headers": named}


def unreadable(fault):
    return Row(fault, "answer_unreadable", DONE, read="answer_unreadable")


def tls(behaviour, is_slow=False):
    return Row({"front": behaviour}, "tls_failed", NOT_SENT, is_slow, read="tls_failed")


def lost(fault, way=DONE):
    return Row(fault, "answer_lost", way, read="answer_lost")


def late(fault, way=DONE):
    return Row(fault, "answer_timeout", way, is_slow=True, read="answer_timeout")


def elsewhere(fault):
    return Row(fault, "answer_redirected", AGAIN, read="answer_redirected")


def no(code, way=LOOKED, read="remote_said_no"):
    return Row(status(code), "remote_said_no", way, read=read)


def later(**headers):
    return Row(status(429, **headers), "throttled", LATER)


def failed(code, **headers):
    return Row(status(code, **headers), "remote_failed", AGAIN, read="remote_failed")


BEFORE_IT_LEAVES = {
    "refused": Row({"front": "refused"}, "connection_refused", NOT_SENT, read="connection_refused"),
    "connect timeout": Row({"front": "full"}, "connect_timeout", NOT_SENT, is_slow=True, read="connect_timeout"),
    "name unknown": Row({"front": "unknown"}, "name_not_resolved", NOT_SENT, read="name_not_resolved"),
    "name server silent": Row(
        {"front": "silent names"}, "name_not_resolved", NOT_SENT, is_slow=True, read="name_not_resolved"
    ),
    "TLS expired": tls("expired"),
    "TLS wrong host": tls("wrong host"),
    "TLS self-signed": tls("self-signed"),
    "TLS plain port": tls("plain"),
    "TLS hangs": tls("silent", is_slow=True),
    "TLS reset": tls("resets"),
    "reset amid it": Row({"front": "cuts requests"}, "answer_lost", NOT_ARRIVED, read="answer_lost"),
    "SSH": Row({"front": "speaks SSH"}, "answer_unreadable", NOT_ARRIVED, read="answer_unreadable"),
}
NOTHING_COMES_BACK = {
    "closed after it": lost({"kind": "lost_answer"}),
    "reset after it": lost({"kind": "lost_answer", "reset": True}),
    "silent after it": late({"kind": "hang"}),
    "closed before it": lost({"kind": "drop_before"}, AGAIN),
    "reset before it": lost({"kind": "drop_before", "reset": True}, AGAIN),
    "silent before it": late({"kind": "hang", "effect": False}, AGAIN),
    "cut short": lost({"kind": "truncated"}),
    "chunk cut short": lost({"kind": "truncated", "chunked": True}),
    "dripping head": late({"kind": "drip", "interval_s": 0.1}),
    "dripping body": late({"kind": "drip", "part": "body", "interval_s": 0.1}),
    # A reading may be larger than the answer to a write: this one is cut off before that is too much.
    "endless": Row({"kind": "endless", "limit_bytes": 64 * 1024**2}, "answer_too_large", DONE, read="answer_lost"),
}
IT_COMES_BACK_BROKEN = {
    "half JSON": unreadable({"kind": "bad_json"}),
    "JSON of another type": unreadable(answer("[]")),
    "deep JSON": unreadable(answer("[" * 100_000)),
    "not a number": unreadable(answer('{"id": NaN}')),
    "duplicate keys": unreadable(answer('{"id": 1, "id": 2}')),
    "huge integer": unreadable(answer('{"id": ' + "9" * 5000 + "}")),
    "binary": unreadable(answer(b"\x00\xff\xfe" * 100)),
    "gzip bomb": unreadable(answer(gzip.compress(b" " * 50_000_000), headers=[("Content-Encoding", "gzip")])),
    "300 headers": unreadable({"kind": "replace", "headers": [(f"X-{n}", "x") for n in range(300)]}),
    "70 kB header": unreadable({"kind": "replace", "headers": [("X-Long", "x" * 70_000)]}),
    "early 103": unreadable({"kind": "early_1xx"}),
    "two early answers": unreadable({"kind": "early_1xx", "status": 102, "count": 2}),
    "an answer too many": unreadable({"kind": "two_answers"}),
    "HTML": Row({"kind": "html"}, "answer_unreadable", AGAIN, read="answer_unreadable"),
    # a success that does not show the row
    "empty": Row({"kind": "empty"}, "remote_said_no", DONE, read="answer_unreadable"),
    "204": Row({"kind": "empty", "status": 204}, "remote_said_no", DONE, read="answer_unexpected"),
    "NUL": Row(answer('{"id": "\\u0000"}'), "remote_said_no", DONE, read="answer_unreadable"),
    "lone surrogate": Row(answer('{"id": "\\ud800"}'), "remote_said_no", DONE, read="answer_unreadable"),
}
IT_SAYS_NO = {
    **{f"{code}": elsewhere({"kind": "redirect", "status": code}) for code in (301, 302, 303, 307, 308)},
    "to link-local": elsewhere({"kind": "redirect", "location": "http://169.254.169.254/"}),
    **{f"{code}": no(code, NO) for code in (402, 405, 413)},
    "403": Row(status(403), "forbidden", NO, read="weak_token"),
    **{f"{code}": no(code) for code in (400, 409, 422)},
    **{f"{code}": no(code, read="group_not_found") for code in (404, 410)},
    "401": Row(status(401), "token_not_accepted", LATER),
    "400 that means 401": Row(status(400, X_IW_ERROR_CODE="401"), "token_not_accepted", LATER),
    "401 of a key": Row(status(401), "token_not_accepted", STOPPED, stops=True),
    "429": later(),
    "429 with a time": later(Retry_After="1"),
    "429 with garbage": later(Retry_After="soon"),
    "429 with the past": later(Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"),
    **{f"{code}": failed(code) for code in (500, 502, 504)},
    "503": failed(503)._replace(read=""),
    "503 with a time": failed(503, Retry_After="1")._replace(read=""),
    "500 after it": Row(answer({"detail": "no"}, status=500), "remote_failed", DONE, read="remote_failed"),
    "504 after it": Row(answer({"detail": "no"}, status=504), "remote_failed", DONE, read="remote_failed"),
}
FAMILIES = {
    "before it leaves": BEFORE_IT_LEAVES,
    "nothing comes back": NOTHING_COMES_BACK,
    "it comes back broken": IT_COMES_BACK_BROKEN,
    "it says no": IT_SAYS_NO,
}
MATRIX = {name: row for family in FAMILIES.values() for name, row in family.items()}

PROMISED = {
    "refused": ["refused"],
    "connect timeout": ["connect timeout"],
    "DNS (fail, hang)": ["name unknown", "name server silent"],
    "TLS (expired, wrong host, self-signed, plain port, hang, reset)": [
        "TLS expired",
        "TLS wrong host",
        "TLS self-signed",
        "TLS plain port",
        "TLS hangs",
        "TLS reset",
    ],
    "reset before / mid / after request": ["reset before it", "reset amid it", "reset after it"],
    "close after": ["closed after it", "closed before it"],
    "timeout after apply": ["silent after it", "silent before it"],
    "header drip": ["dripping head"],
    "body drip": ["dripping body"],
    "truncated by length and by chunk": ["cut short", "chunk cut short"],
    "bad JSON": ["half JSON"],
    "JSON of the wrong type": ["JSON of another type"],
    "HTML 200": ["HTML"],
    "binary": ["binary"],
    "empty 200": ["empty"],
    "204": ["204"],
    "deep JSON": ["deep JSON"],
    "NaN": ["not a number"],
    "duplicate keys": ["duplicate keys"],
    "lone surrogates": ["lone surrogate"],
    "NUL": ["NUL"],
    "huge integers": ["huge integer"],
    "300 headers": ["300 headers"],
    "70 kB header": ["70 kB header"],
    "other protocol": ["SSH"],
    "early 1xx with a late answer": ["early 103", "two early answers", "an answer too many"],
    "301/302/303/307/308": ["301", "302", "303", "307", "308"],
    "redirect to a link-local address": ["to link-local"],
    "endless body": ["endless"],
    "gzip bomb": ["gzip bomb"],
    "400": ["400"],
    "401 midway (renewable, not renewable)": ["401", "401 of a key"],
    "inwendo's 400 with error header 401": ["400 that means 401"],
    "402": ["402"],
    "403 (one group; all)": ["403", "test_a_no_to_everything_stops_the_system"],
    "404 (member, group)": ["404", "test_a_group_that_is_gone_is_told_as_such"],
    "405": ["405"],
    "409": ["409"],
    "410": ["410"],
    "413": ["413"],
    "422": ["422"],
    "429 (each dialect; absent, garbage, past, ten years)": [
        "429",
        "429 with a time",
        "429 with garbage",
        "429 with the past",
        "test_every_dialect_of_a_pause_is_heeded_and_none_is_longer_than_a_quarter_of_an_hour",
    ],
    "500": ["500", "500 after it"],
    "502": ["502"],
    "503 (with and without `Retry-After`)": ["503", "503 with a time"],
    "504": ["504", "504 after it"],
}
"""What was promised, in the words of the promise, and the rows or tests that hold it."""
