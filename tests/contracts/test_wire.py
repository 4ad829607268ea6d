"""Requests as they arrive at the sandbox, held against what the reference pages say."""

import json
import re

import pytest

from membership.providers.base import AccountRef, GroupRef, ParticipantRef, Role, Wanted
from tests.contracts.pages import EXCEPTIONS, NOT_SENT, NULL, PAGES, TRANSPORT_HEADERS
from tests.providers.remotes import MemoryStore

JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): NULL, list: "array"}


def member(group, account, **lists):
    return ParticipantRef(GroupRef(group), account, account, **lists)


def inwendo_calls(club):
    """(provider, calls) with each option that changes the wire."""
    row = ParticipantRef(GroupRef("1"), "11", None)
    by_key = club.ask(store=MemoryStore(api_key=club.state.issue_api_key(1).id), auth="api_key")
    with_ids = club.ask(build_id="2026033003", package_id="customer_erp_ui")
    manager = Wanted(role=Role.MANAGER, name="Ada Lovelace")
    for provider in (club.provider, by_key, with_ids):
        yield provider, provider.remove(row)
    for provider in (club.provider, with_ids, club.ask(body_style="camel")):
        for wanted in (Wanted(), Wanted(name="Ada"), manager):
            yield provider, provider.add(GroupRef("2"), AccountRef("1"), wanted)


def mudbase_calls(chat):
    provider = chat.provider
    yield provider, provider.remove(member("chat_1", "usr_ada"))
    for role in Role:
        yield provider, provider.add(GroupRef("chat_1"), AccountRef("usr_joan"), Wanted(role=role))


def kaiten_calls(company):
    provider = company.provider
    yield provider, provider.remove(member("g-1", "1"))
    yield provider, provider.remove(member("g-1", "2", is_manager=True))
    for role in Role:
        yield provider, provider.add(GroupRef("g-1"), AccountRef("4"), Wanted(role=role))


@pytest.fixture
def sent(club, chat, company):
    """All write requests of the three providers, as (kind, journal entry, answer)."""
    found = []
    for remote, calls_of in ((club, inwendo_calls), (chat, mudbase_calls), (company, kaiten_calls)):
        for provider, calls in calls_of(remote):
            for call in calls:
                answer = provider.send(call)
                found.append((provider.kind, remote.journal.entries[-1], answer))
        assert len(remote.journal.writes()) == sum(kind == provider.kind for kind, _entry, _answer in found)
    return found


def page_of(kind, entry):
    """The name of the page whose method and path this is."""
    for name, page in PAGES.items():
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(page.path))
        match = re.fullmatch(pattern, entry.path)
        if match and page.method == entry.method and name.startswith(kind):
            for parameter, value in match.groupdict().items():
                if page.path_types[parameter] == "integer":
                    assert value.isdigit(), entry.target
            return name
    return None


def deviations(name, entry):
    """(page, where, type) of everything that the page does not show."""
    page = PAGES[name]
    named = {header.lower() for header in page.headers}
    for header, _value in entry.headers:
        if header.lower() not in named | TRANSPORT_HEADERS:
            yield (name, f"header {header}", "string")
    if entry.body:
        yield from body_deviations(name, entry.json, page.body or {}, "")


def body_deviations(name, given, shown, where):
    for key, value in given.items():
        place = f"{where}{key}"
        expected = shown.get(key) if isinstance(shown, dict) else None
        if isinstance(value, dict) and isinstance(expected, dict):
            yield from body_deviations(name, value, expected, f"{place}.")
        elif not fits(value, expected):
            yield (name, place, JSON_TYPES.get(type(value), "object"))


def fits(value, expected):
    """Whether a value has the JSON type, or one of the types, that a page shows."""
    if isinstance(expected, dict) or isinstance(value, dict):
        return isinstance(expected, dict) and isinstance(value, dict)
    kinds = expected if isinstance(expected, tuple) else (expected,)
    return JSON_TYPES[type(value)] in kinds


def test_every_write_goes_where_a_page_says(sent):
    assert [entry.line for kind, entry, _answer in sent if page_of(kind, entry) is None] == []


def test_every_page_is_sent_or_says_why_not(sent):
    assert {page_of(kind, entry) for kind, entry, _answer in sent} == set(PAGES) - set(NOT_SENT)


def test_query_names_are_those_of_the_page(sent):
    for kind, entry, _answer in sent:
        page = PAGES[page_of(kind, entry)]
        assert {name for name, _value in entry.query} <= set(page.query), entry.target


def test_the_client_ids_are_sent_under_their_documented_names(sent):
    named = [dict(entry.query) for kind, entry, _answer in sent if kind == "inwendo" and entry.query]
    assert named
    assert all(query == {"iw-build-id": "2026033003", "iw-package-id": "customer_erp_ui"} for query in named)


def test_headers_have_the_documented_values(sent):
    replaced = {"x-session-token": "x-iw-jwt-token"}
    for kind, entry, _answer in sent:
        for header, value in PAGES[page_of(kind, entry)].headers.items():
            found = entry.header(header) or entry.header(replaced.get(header, header))
            assert found, (entry.line, header)
            assert value in (None, found), (entry.line, header)


def test_no_header_is_sent_twice(sent):
    for _kind, entry, _answer in sent:
        names = [header.lower() for header, _value in entry.headers]
        assert len(names) == len(set(names)), entry.line


def test_bearer_tokens_are_written_as_documented(sent):
    for kind, entry, _answer in sent:
        if kind != "inwendo":
            assert re.fullmatch(r"Bearer \S+", entry.header("Authorization"))


def test_bodies_are_sent_where_the_page_shows_one_and_nowhere_else(sent):
    for kind, entry, _answer in sent:
        page = PAGES[page_of(kind, entry)]
        assert bool(entry.body) == (page.body is not None), entry.line
        assert set(page.required) <= set(entry.json or {}), entry.line
        if page.body is None:
            assert entry.header("Content-Length") in (None, "0")


def test_what_leaves_the_page_is_listed_with_a_reason_and_nothing_else_is(sent):
    found = {each for kind, entry, _answer in sent for each in deviations(page_of(kind, entry), entry)}
    assert found == set(EXCEPTIONS)
    assert all(len(reason) > 40 for reason in EXCEPTIONS.values())


def test_an_addition_to_an_inwendo_room_always_says_whom(sent):
    bodies = [entry.json for kind, entry, _answer in sent if kind == "inwendo" and entry.method == "POST"]
    assert bodies
    assert all(body["data"]["person"] == 1 for body in bodies)


def test_the_sandbox_answers_with_the_keys_and_types_of_the_pages(sent):
    for kind, entry, answer in sent:
        if answer.status == 200:
            name = page_of(kind, entry)
            given = json.loads(answer.body)
            assert set(PAGES[name].answer) <= set(given), name
            shown = PAGES[name].answer
            known = {key: value for key, value in given.items() if key in shown and shown[key] != {}}
            # No page of inwendo says what may be null: everything but the id may.
            assert [each for each in body_deviations(name, known, shown, "") if each[2] != NULL] == []


def test_the_answers_were_all_usable(sent):
    refused = [(entry.line, answer.status) for _kind, entry, answer in sent if answer.status != 200]
    # Joan is added twice, in both roles: the second one is refused by the default of the sandbox.
    assert refused == [("POST /api/chat/projects/proj_1/chats/chat_1/participants", 400)]
