"""Requests as they arrive at the sandbox, held against what the reference pages say."""

import json
import re

import pytest

from membership.providers.base import AccountRef, GroupRef, ParticipantRef, Wanted
from tests.contracts.pages import EXCEPTIONS, NULL, PAGES, TRANSPORT_HEADERS
from tests.providers.remotes import MemoryStore

JSON_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): NULL, list: "array"}

ROOM, BOARD = GroupRef("1"), GroupRef("2")
ADA, GRACE = ParticipantRef(ROOM, "11", None), ParticipantRef(ROOM, "12", None, is_manager=True)
RIGHTS = Wanted(name="Ada Lovelace", is_manager=True, can_write=False, is_muted=True)
FIELDS = {"auto_reply": True, "ai_number_of_context_messages": 3, "ai_prompt": None, "ai_auto_close_secret_word": None}
NEWER_FIELDS = FIELDS | {"nickname": "Countess", "preferred_color_hex": "#112233"}
SECRETS = {"secret:ai_prompt": "Be kind.", "secret:ai_auto_close_secret_word": "sesame"}


def member(group, account, **lists):
    return ParticipantRef(GroupRef(group), account, account, **lists)


def inwendo_calls(club):
    """(provider, calls) with each option that changes the wire."""
    club.state.change_by_hand(11, last_read_at="2026-05-04T09:42:00Z", image_url="https://files.example/a.png")
    by_key = club.ask(store=MemoryStore(api_key=club.state.issue_api_key(1).id), auth="api_key")
    with_ids = club.ask(build_id="2026033003", package_id="customer_erp_ui")
    camel = club.ask(body_style="camel")
    for provider in (club.provider, with_ids, camel):
        for wanted in (Wanted(), Wanted(name="Ada"), RIGHTS):
            yield provider, provider.add(BOARD, AccountRef("1"), wanted)
        yield provider, provider.update(ADA, Wanted(is_manager=False, is_muted=True, fields=FIELDS))
        yield provider, provider.update(GRACE, Wanted(is_manager=False))
    for options in ({}, {"body_style": "camel"}):
        newer = club.ask(put_body="newer", **options)
        yield newer, newer.update(ADA, Wanted(fields=NEWER_FIELDS))
    for provider in (club.provider, by_key, with_ids):
        yield provider, provider.remove(ADA)


def mudbase_calls(chat):
    provider = chat.provider
    yield provider, provider.remove(member("chat_1", "usr_ada"))
    for is_manager in (False, True):
        wanted = Wanted(is_manager=is_manager)
        yield provider, provider.add(GroupRef("chat_1"), AccountRef("usr_joan"), wanted)
    yield provider, provider.update(member("chat_1", "usr_grace", is_manager=True), Wanted(is_manager=False))
    yield provider, provider.create_group("Team 2")
    yield provider, provider.create_group("Team 3", [AccountRef("usr_ada")])


def kaiten_calls(company):
    provider = company.provider
    yield provider, provider.remove(member("g-1", "1"))
    yield provider, provider.remove(member("g-1", "2", is_manager=True))
    for is_manager in (False, True):
        yield provider, provider.add(GroupRef("g-1"), AccountRef("4"), Wanted(is_manager=is_manager))
    yield provider, provider.update(member("g-1", "3", is_member=False, is_manager=True), Wanted(is_manager=False))
    yield provider, provider.update(member("g-1", "3"), Wanted(is_manager=True))
    yield provider, provider.create_group("Design 2")
    yield provider, provider.rename_group(GroupRef("g-1"), "Design 3")
    yield provider, provider.delete_group(GroupRef("g-1"))


def made_by(answer):
    """The id that later calls of the same operation need."""
    made = json.loads(answer.body)
    return {"id_from_call_1": str(made["id"])} if "id" in made else {}


@pytest.fixture
def sent(club, chat, company):
    """All write requests of the three providers, as (kind, journal entry, answer)."""
    found = []
    for remote, calls_of in ((club, inwendo_calls), (chat, mudbase_calls), (company, kaiten_calls)):
        for provider, calls in calls_of(remote):
            values = dict(SECRETS)
            for call in calls:
                answer = provider.send(provider.fill(call, values))
                values = made_by(answer) | values
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


def test_every_page_is_sent(sent):
    assert {page_of(kind, entry) for kind, entry, _answer in sent} == set(PAGES)


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


def test_an_alteration_writes_every_key_of_the_page_that_the_row_has(sent):
    bodies = [entry.json["data"] for kind, entry, _answer in sent if kind == "inwendo" and entry.method == "PUT"]
    shown = PAGES["inwendo: update a participant"].body["data"]
    widest = max((body for body in bodies if "room_admin" in body), key=len)
    # A removed row must stay removed: docs/providers/inwendo.md.
    assert set(shown) - set(widest) == {"deleted"}
    assert set(shown["chatroom"]) - set(widest["chatroom"]) == {"image_url"}  # the room has none


def test_secrets_of_the_host_are_never_written_back(sent):
    assert [entry.line for _kind, entry, _answer in sent if "avatar" in (entry.body or b"").decode()] == []


def test_the_sandbox_answers_with_the_keys_and_types_of_the_pages(sent):
    for kind, entry, answer in sent:
        name = page_of(kind, entry)
        if answer.status == PAGES[name].success:
            given = json.loads(answer.body)
            assert set(PAGES[name].answer) <= set(given), name
            shown = PAGES[name].answer
            known = {key: value for key, value in given.items() if key in shown and shown[key] != {}}
            # No page of inwendo says what may be null: everything but the id may.
            assert [each for each in body_deviations(name, known, shown, "") if each[2] != NULL] == []


def test_the_answers_were_all_usable(sent):
    refused = [
        (entry.line, answer.status)
        for kind, entry, answer in sent
        if answer.status != PAGES[page_of(kind, entry)].success
    ]
    # Joan is added twice, in both roles: the second one is refused by the default of the sandbox.
    assert refused == [("POST /api/chat/projects/proj_1/chats/chat_1/participants", 400)]
