"""Strict JSON, read at once and as it comes: the same texts pass, with the same values."""

import json
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membership.errors import NextStep
from membership.providers import strict_json
from membership.providers.strict_json import NotStrictJson

pytestmark = pytest.mark.pure


def in_pieces(text, size):
    return [text[start : start + size] for start in range(0, len(text), size)] or [b""]


def whole_by_items(text, size=7):
    [value] = strict_json.items(in_pieces(text, size), "")
    return value


READ_WAYS = [pytest.param(strict_json.loads, id="at once"), pytest.param(whole_by_items, id="as it comes")]

REFUSED = {
    "nan": b"[NaN]",
    "infinity": b"[Infinity]",
    "minus infinity": b"[-Infinity]",
    "float overflow": b"[1e999]",
    "duplicate keys": b'{"a": 1, "a": 2}',
    "duplicate keys inside": b'[{"b": {"a": 1, "a": 1}}]',
    "duplicate keys spelled apart": b'{"a": 1, "\\u0061": 2}',
    "keys that replacement makes alike": b'{"\\u0000": 1, "\\ud800": 2}',
    "65 bit": b"[9223372036854775808]",
    "minus 65 bit": b"[-9223372036854775809]",
    "5000 digits": b"[" + b"9" * 5000 + b"]",
    "deep": b"[" * 65 + b"]" * 65,
    "very deep": b"[" * 200_000,
    "deep objects": b'{"a":' * 100 + b"1" + b"}" * 100,
    "cut": b'{"a": [1, 2',
    "cut string": b'["abc',
    "empty": b"",
    "blank": b"  \n",
    "trailing": b"[1] [2]",
    "trailing string": b'[1] "2"',
    "trailing open string": b'[""]"]',
    "trailing quote": b'[1]"',
    "trailing open escape": b'{"a": 1} "\\',
    "trailing bracket": b"[1]]",
    "trailing comma": b"[1,]",
    "single quotes": b"['a']",
    "comment": b"[1] // one",
    "byte order mark": b"\xef\xbb\xbf[1]",
    "utf-16": "[1]".encode("utf-16"),
    "not utf-8": b'["\xff"]',
    "raw surrogate": b'["\xed\xa0\x80"]',
    "raw nul": b'["\x00"]',
    "raw newline": b'["a\nb"]',
    "leading zero": b"[01]",
    "html": b"<!doctype html><html></html>",
    "bad escape": b'["\\x41"]',
    "short escape": b'["\\u12"]',
}


@pytest.mark.parametrize("read", READ_WAYS)
@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_what_is_ambiguous_is_refused(text, read):
    with pytest.raises(NotStrictJson) as caught:
        read(text)
    assert caught.value.next_step is NextStep.READ_BACK


PASSED = {
    "nul": (b'["a\\u0000b"]', ["a\ufffdb"]),
    "lone high": (b'["\\ud800"]', ["\ufffd"]),
    "lone low": (b'["\\uDFFF!"]', ["\ufffd!"]),
    "two high": (b'["\\ud800\\ud800"]', ["\ufffd\ufffd"]),
    "high, then text": (b'["\\ud83dx"]', ["\ufffdx"]),
    "pair": (b'["\\ud83d\\ude00"]', ["😀"]),
    "pair after high": (b'["\\ud800\\ud83d\\ude00"]', ["\ufffd😀"]),
    "low before pair": (b'["\\ude00\\ud83d\\ude00"]', ["\ufffd😀"]),
    "escaped backslash": (b'["\\\\u0000"]', ["\\u0000"]),
    "escaped backslash, then nul": (b'["\\\\\\u0000"]', ["\\\ufffd"]),
    "two escaped backslashes": (b'["\\\\\\\\u0000"]', ["\\\\u0000"]),
    "nul in key": (b'{"a\\u0000": 1}', {"a\ufffd": 1}),
    "64 bit": (b"[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
    "floats": (b"[1.5, -2e-3, 1E2]", [1.5, -0.002, 100.0]),
    "64 deep": (b"[" * 64 + b"]" * 64, None),
    "brackets in a string": (b'["' + b"[" * 500 + b'\\"{"]', ["[" * 500 + '"{']),
    "blanks inside": (b'["  a \\n  b   "]', ["  a \n  b   "]),
    "blanks around": (b" \r\n\t[ 1 ] \n\n\n ", [1]),
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 7, 11, 12, 13, 64, 65536])
@pytest.mark.parametrize(("text", "value"), PASSED.values(), ids=PASSED)
def test_what_no_database_can_store_is_replaced_wherever_the_text_is_cut(text, value, size):
    at_once = strict_json.loads(text)
    assert whole_by_items(text, size) == at_once
    assert value is None or at_once == value


@pytest.mark.parametrize(
    ("text", "prefix", "values"),
    [
        (b"[1, [2], {}]", "item", [1, [2], {}]),
        (b"[]", "item", []),
        (b'{"a": {"b": [1, 2]}, "c": [3]}', "a.b.item", [1, 2]),
        (b'{"a": {"b": []}}', "a.b.item", []),
        (b'{"x": {"b": [9]}, "a": {"b": [1]}}', "a.b.item", [1]),
        (b'{"a": {"b": {"c": 1}}}', "a.b", [{"c": 1}]),
        (b'{"a": null}', "a", [None]),
        (b'[{"a": [1]}, {"a": [2, 3]}]', "item.a.item", [1, 2, 3]),
        (b'{"a": [{"item": [1]}]}', "a.item", [{"item": [1]}]),
    ],
)
def test_values_are_found_below_their_prefix(text, prefix, values):
    assert list(strict_json.items(in_pieces(text, 3), prefix)) == values


@pytest.mark.parametrize(
    ("text", "prefix"),
    [
        (b"{}", "item"),
        (b'{"item": [1]}', "item"),
        (b'{"error": "no"}', "data.item"),
        (b'{"data": null}', "data.item"),
        (b'{"data": {"item": 1}}', "data.item"),
        (b"[1]", "data.item"),
        (b'"text"', "item"),
        (b'{"a.b": [1]}', "a.b.item"),
    ],
)
def test_a_list_that_is_not_there_is_no_empty_list(text, prefix):
    with pytest.raises(NotStrictJson):
        list(strict_json.items([text], prefix))


def test_what_is_skipped_is_checked_as_strictly():
    with pytest.raises(NotStrictJson):
        list(strict_json.items([b'{"data": [1], "data": [2]}'], "data.item"))
    with pytest.raises(NotStrictJson):
        list(strict_json.items([b'{"x": [NaN], "data": [1]}'], "data.item"))


def test_an_object_with_too_many_keys_is_refused(monkeypatch):
    monkeypatch.setattr(strict_json, "MAX_KEYS", 10)
    text = json.dumps({str(number): number for number in range(11)}).encode()
    with pytest.raises(NotStrictJson):
        list(strict_json.items([text], "item"))


@pytest.mark.parametrize("text", [b'["' + b"\\" * 400_000, b'["' + b'\\"' * 400_000 + b"[" * 100, b'"' * 800_000])
@pytest.mark.timeout(5)
def test_no_text_takes_long_to_refuse(text):
    for read in (strict_json.loads, lambda text: whole_by_items(text, 4096)):
        with pytest.raises(NotStrictJson):
            read(text)


@pytest.mark.parametrize("text", [b'{"token": "very-secret-token", "a": NaN}', b'{"token": "very-secret-token"'])
def test_a_refusal_tells_nothing_of_the_text(text):
    for read in (strict_json.loads, whole_by_items):
        with pytest.raises(NotStrictJson) as caught:
            read(text)
        assert "very-secret" not in "".join(traceback.format_exception(caught.value))


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"))
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="utf-8", min_codepoint=1)), inner, max_size=4)
    ),
    max_leaves=15,
)


@settings(deadline=None)
@given(JSON_VALUES, st.integers(1, 40), st.booleans())
def test_what_a_plain_writer_writes_is_read_back(value, size, ascii_only):
    assert strict_json.loads(json.dumps(value, ensure_ascii=ascii_only).encode()) == value
    assert whole_by_items(json.dumps([value], ensure_ascii=ascii_only).encode(), size) == [value]


@pytest.mark.parametrize("text", [b"1", b' "a" ', b"null", b"true", b'1"'])
def test_what_is_read_as_it_comes_is_an_array_or_object(text):
    with pytest.raises(NotStrictJson):
        whole_by_items(text, 1)


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from('\\"u0dD89aA[]{}:, e1')), st.integers(1, 20))
def test_both_ways_agree_on_any_text(text, size):
    text = f'["{text}"]'.encode()
    try:
        at_once = strict_json.loads(text)
    except NotStrictJson:
        with pytest.raises(NotStrictJson):
            whole_by_items(text, size)
    else:
        assert whole_by_items(text, size) == at_once


@settings(deadline=None)
@given(st.text(st.characters(codec=None, categories=("Cs", "Cc", "Lu", "So")) | st.sampled_from('\\"u0'), max_size=30))
def test_nothing_that_is_read_holds_a_nul_or_a_surrogate(text):
    value = strict_json.loads(json.dumps([text]).encode())
    value[0].encode()
    assert "\x00" not in value[0]
    assert whole_by_items(json.dumps([text]).encode()) == value


def test_the_reader_takes_long_lists_in_little_time():
    row = b'{"id": 1, "name": "Ada", "active": true}'
    assert sum(1 for _ in strict_json.items([b"[" + row, *[b"," + row] * 20_000, b"]"], "item")) == 20_001
