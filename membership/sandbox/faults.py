"""Faults that a sandbox server shows on demand.

A fault is data: what it matches, how often, and what happens. A kind says two things: whether the request takes effect
(each fault may overrule it with `effect=`), and how the answer is delivered. A new kind is one line in `KINDS` and,
where no delivery fits, one function in `delivery.py`.

kind         effect  what the client sees                                             parameters (defaults)
latency      yes     the answer later; adds to any other fault                        seconds (0.05)
throttle     no      "too many requests" as this remote says it                       seconds (1), retry_after (False)
status       no      any status, body and headers                                     status (500), body, headers
replace      yes     as `status`, after the effect                                    status (200), body, headers
html         no      200 with an HTML page                                            status (200)
bad_json     yes     the right status with JSON that ends early
empty        yes     the right status with no body                                    status
redirect     no      3xx with Location                                                status (302), location
lost_answer  yes     the connection closes, or is reset, without an answer            reset (False)
drop_before  no      the same, but nothing was done                                   reset (False)
truncated    yes     Content-Length promises more than comes; or a chunk that is cut  keep (0.5), chunked (False)
hang         yes     nothing, until the client gives up or `seconds` are over         seconds (None)
drip         yes     the answer byte by byte                                          part ("headers"), interval_s
early_1xx    yes     an interim answer, then the real one                             status (103), count (1)
two_answers  yes     the answer, and another one that nobody asked for                status (200), body
endless      yes     a body that does not end until the client closes                 limit_bytes (1 GiB)
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from membership.sandbox import delivery
from membership.sandbox.delivery import Deliver
from membership.sandbox.wire import Answer, Json, Request, empty_answer, json_answer, text_answer

HTML = "<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"


class Fault:
    """One fault. Applies to requests that match, from the `after`-th match on, at most `times` times."""

    def __init__(
        self,
        kind: str,
        *,
        method: str | None = None,
        path_contains: str | None = None,
        regex: str | None = None,
        times: int | None = None,
        after: int = 0,
        effect: bool | None = None,
        **params: Any,
    ) -> None:
        if kind not in KINDS:
            raise ValueError(f"no such fault: {kind}")
        self.kind = kind
        self.method = method
        self.path_contains = path_contains
        self.regex = regex
        self.times = times
        self.after = after
        self.effect = KINDS[kind].effect if effect is None else effect
        self.params = params
        self.matched = 0
        self.applied = 0

    def matches(self, request: Request) -> bool:
        """`path_contains` and `regex` look at the raw target, query included."""
        return (
            (self.method is None or self.method == request.method)
            and (self.path_contains is None or self.path_contains in request.target)
            and (self.regex is None or re.search(self.regex, request.target) is not None)
        )

    def to_json(self) -> dict[str, Json]:
        names = ("kind", "method", "path_contains", "regex", "times", "after", "effect", "params", "matched", "applied")
        return {name: getattr(self, name) for name in names}

    @classmethod
    def from_json(cls, data: dict[str, Json]) -> "Fault":
        """Takes parameters flat or under "params"; counters are not taken over."""
        values = {key: value for key, value in data.items() if key not in ("params", "matched", "applied")}
        return cls(**values, **data.get("params", {}))

    def deliver(self, exchange: delivery.Exchange) -> bool:
        return KINDS[self.kind].deliver(exchange)


class Faults:
    """The faults of one server, asked in the order in which they were added. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    @property
    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def pick(self, request: Request) -> list[Fault]:
        """What applies to this request: every latency, and at most one other fault. Counts them."""
        picked: list[Fault] = []
        with self._lock:
            for fault in self._faults:
                is_free = fault.kind == "latency" or all(each.kind == "latency" for each in picked)
                if not is_free or not fault.matches(request):
                    continue
                fault.matched += 1
                if fault.matched > fault.after and (fault.times is None or fault.applied < fault.times):
                    fault.applied += 1
                    picked.append(fault)
        return picked


@dataclass(frozen=True, slots=True)
class Kind:
    """`answer(fault, right answer)` is what is delivered; None: the right answer, or the remote's own words."""

    effect: bool
    deliver: Deliver = delivery.whole
    answer: Callable[[Fault, Answer | None], Answer] | None = None


def answer_for(fault: Fault, right: Answer | None, throttled: Callable[[float, bool], Answer]) -> Answer:
    """The answer that this fault delivers. `right` is None when the request took no effect."""
    if fault.kind == "throttle":
        return throttled(float(fault.params.get("seconds", 1)), bool(fault.params.get("retry_after", False)))
    make = KINDS[fault.kind].answer
    if make is not None:
        return make(fault, right)
    return right if right is not None else json_answer(200, {})


def _given(default_status: int) -> Callable[[Fault, Answer | None], Answer]:
    def make(fault: Fault, _right: Answer | None) -> Answer:
        status = int(fault.params.get("status", default_status))
        body = fault.params.get("body", "")
        headers = [(str(key), str(value)) for key, value in fault.params.get("headers", ())]
        if isinstance(body, bytes):
            answer = Answer(status, body, [])
        elif isinstance(body, str):
            answer = text_answer(status, body) if body else empty_answer(status)
        else:
            answer = json_answer(status, body)
        given = {name.lower() for name, _ in headers}
        answer.headers = [pair for pair in answer.headers if pair[0].lower() not in given] + headers
        return answer

    return make


def _html(fault: Fault, _right: Answer | None) -> Answer:
    return text_answer(int(fault.params.get("status", 200)), HTML, "text/html; charset=utf-8")


def _bad_json(_fault: Fault, right: Answer | None) -> Answer:
    right = right if right is not None else json_answer(200, {"id": 42})
    return Answer(right.status, right.body[: max(1, len(right.body) // 2)], right.headers)


def _empty(fault: Fault, right: Answer | None) -> Answer:
    return empty_answer(int(fault.params.get("status", right.status if right is not None else 200)))


def _redirect(fault: Fault, _right: Answer | None) -> Answer:
    location = str(fault.params.get("location", "/elsewhere"))
    return empty_answer(int(fault.params.get("status", 302)), [("Location", location)])


KINDS: dict[str, Kind] = {
    "latency": Kind(effect=True),
    "throttle": Kind(effect=False),
    "status": Kind(effect=False, answer=_given(500)),
    "replace": Kind(effect=True, answer=_given(200)),
    "html": Kind(effect=False, answer=_html),
    "bad_json": Kind(effect=True, answer=_bad_json),
    "empty": Kind(effect=True, answer=_empty),
    "redirect": Kind(effect=False, answer=_redirect),
    "lost_answer": Kind(effect=True, deliver=delivery.nothing),
    "drop_before": Kind(effect=False, deliver=delivery.nothing),
    "truncated": Kind(effect=True, deliver=delivery.truncated),
    "hang": Kind(effect=True, deliver=delivery.hang),
    "drip": Kind(effect=True, deliver=delivery.drip),
    "early_1xx": Kind(effect=True, deliver=delivery.early),
    "two_answers": Kind(effect=True, deliver=delivery.two_answers),
    "endless": Kind(effect=True, deliver=delivery.endless),
}
