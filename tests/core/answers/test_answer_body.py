"""Charset, form and strictness of an answer's body."""

from __future__ import annotations

import codecs
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keyturn.core.answers.answer_body import MAX_BODY_BYTES, MAX_DEPTH, BodyKind, decode_body, parse_json
from keyturn.core.messages import Answer

TOKENS = frozenset({"access_token", "refresh_token"})


def _answer(body: bytes, content_type: str | None = None) -> Answer:
    headers = () if content_type is None else (("content-type", content_type),)
    return Answer(200, headers, body)


def _found(body: bytes, content_type: str | None = None, **options: object) -> tuple[BodyKind, object]:
    found = decode_body(_answer(body, content_type), **options)  # type: ignore[arg-type]
    return found.kind, found.value


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"", BodyKind.EMPTY, id="nothing"),
        pytest.param(b" \r\n\t", BodyKind.EMPTY, id="blanks"),
        pytest.param(b'\n {"a": 1} \n', BodyKind.JSON, id="object, blanks around it"),
        pytest.param(b"[1]", BodyKind.JSON, id="list"),
        pytest.param(b'"t"', BodyKind.JSON, id="text"),
        pytest.param(b"null", BodyKind.JSON, id="null"),
        pytest.param(b"nullx", BodyKind.TEXT, id="more than null"),
        pytest.param(b"\n<html>", BodyKind.MARKUP, id="markup"),
        pytest.param(b"a=", BodyKind.FORM, id="shortest form"),
        pytest.param(b"=a", BodyKind.TEXT, id="a form needs a name"),
        pytest.param(b"a b=c", BodyKind.TEXT, id="no name holds a blank"),
        pytest.param(b"12345", BodyKind.TEXT, id="a number is no JSON by its look"),
        pytest.param(b"{'a': 1}", BodyKind.UNREADABLE, id="single quotes"),
        pytest.param(b'{"a": 1}x', BodyKind.UNREADABLE, id="something behind it"),
        pytest.param(b'{"a": 1}{}', BodyKind.UNREADABLE, id="two documents"),
        pytest.param(b'{"a": 1,}', BodyKind.UNREADABLE, id="trailing comma"),
        pytest.param(b'{"a": 1 /* b */}', BodyKind.UNREADABLE, id="comment"),
        pytest.param(b'{"a": NaN}', BodyKind.UNREADABLE, id="NaN"),
        pytest.param(b'{"a": -Infinity}', BodyKind.UNREADABLE, id="infinity"),
        pytest.param(b'{"a": "\n"}', BodyKind.UNREADABLE, id="a raw line end in a text"),
        pytest.param(b'{"a": "', BodyKind.UNREADABLE, id="cut short"),
    ],
)
def test_the_first_characters_say_what_a_body_is(body: bytes, kind: BodyKind) -> None:
    """JSON, form, markup and text are told apart by looking, and JSON is strict."""
    assert kind == decode_body(_answer(body, "application/json")).kind


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param('{"a":"é"}'.encode(), None, id="UTF-8 where nothing is said"),
        pytest.param(codecs.BOM_UTF8 + '{"a":"é"}'.encode(), "application/json; charset=latin-1", id="a mark wins"),
        pytest.param(codecs.BOM_UTF16_LE + '{"a":"é"}'.encode("utf-16-le"), None, id="UTF-16 LE mark"),
        pytest.param(codecs.BOM_UTF16_BE + '{"a":"é"}'.encode("utf-16-be"), None, id="UTF-16 BE mark"),
        pytest.param(codecs.BOM_UTF32_LE + '{"a":"é"}'.encode("utf-32-le"), None, id="UTF-32 LE mark"),
        pytest.param('{"a":"é"}'.encode("latin-1"), "text/plain; charset=ISO-8859-1", id="declared"),
        pytest.param('{"a":"é"}'.encode("latin-1"), 'text/plain;CHARSET="iso-8859-1" ;q=1', id="declared in quotes"),
        pytest.param('{"a":"é"}'.encode("utf-16-le"), "text/plain; charset=utf-16", id="UTF-16 without mark, LE"),
        pytest.param('{"a":"é"}'.encode("utf-16-be"), "text/plain; charset=utf-16", id="UTF-16 without mark, BE"),
        pytest.param('{"a":"é"}'.encode(), "text/plain; charset=klingon", id="no such charset: UTF-8"),
        pytest.param('{"a":"é"}'.encode(), "text/plain; charset=unicode_escape", id="a codec that is no charset"),
        pytest.param('{"a":"é"}'.encode(), "text/plain; charset=base64", id="a codec that makes no text"),
        pytest.param('{"a":"é"}'.encode(), "text/plain; charset=", id="no name"),
        pytest.param('{"a":"é"}'.encode(), "text/plain; xcharset=latin-1", id="another parameter"),
    ],
)
def test_charset(body: bytes, content_type: str | None) -> None:
    """A mark decides, then a real declared charset, then UTF-8."""
    assert (BodyKind.JSON, {"a": "é"}) == _found(body, content_type)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param('{"a":"é"}'.encode("latin-1"), None, id="Latin-1 as UTF-8"),
        pytest.param('{"a":"é"}'.encode(), "text/plain; charset=us-ascii", id="UTF-8 as ASCII"),
        pytest.param(codecs.BOM_UTF16_LE + b"{", None, id="half a character"),
        pytest.param(b"a=%ff%fe", None, id="escapes in a form"),
    ],
)
def test_bytes_that_do_not_fit_are_unreadable(body: bytes, content_type: str | None) -> None:
    """Nothing is replaced or dropped."""
    assert (BodyKind.UNREADABLE, None) == _found(body, content_type)


def test_size_is_bounded_by_bytes() -> None:
    """1 MiB is read, one byte more is not."""
    padding = MAX_BODY_BYTES - len('{"a":""}')

    assert BodyKind.JSON == decode_body(_answer(b'{"a":"%s"}' % (b"x" * padding))).kind
    assert BodyKind.UNREADABLE == decode_body(_answer(b'{"a":"%s"}' % (b"x" * (padding + 1)))).kind


def test_what_was_cut_short_is_unreadable() -> None:
    """An incomplete answer is not read, even if what came would parse."""
    assert BodyKind.UNREADABLE == decode_body(Answer(200, (), b"{}", complete=False)).kind


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_depth_is_bounded(opening: str) -> None:
    """64 levels are read, 65 are not, and a hundred thousand neither crash nor take long."""
    closing = "]" if opening == "[" else "}"
    inner = "1"

    assert BodyKind.JSON == decode_body(_answer((opening * MAX_DEPTH + inner + closing * MAX_DEPTH).encode())).kind
    deeper = opening * (MAX_DEPTH + 1) + inner + closing * (MAX_DEPTH + 1)
    assert BodyKind.UNREADABLE == decode_body(_answer(deeper.encode())).kind
    assert BodyKind.UNREADABLE == decode_body(_answer((opening * 100_000).encode())).kind


def test_depth_is_counted_where_there_are_many_brackets() -> None:
    """Brackets beside each other do not add to the depth, and do not hide it."""
    beside = "[]," * 100

    for levels, kind in ((MAX_DEPTH - 1, BodyKind.JSON), (MAX_DEPTH, BodyKind.UNREADABLE)):
        body = f"[{beside}{'[' * levels}{']' * levels}]"
        assert kind == decode_body(_answer(body.encode())).kind


@pytest.mark.parametrize(
    "body",
    [
        pytest.param('{"a":"' + "[{" * 200 + '"}', id="brackets in a text"),
        pytest.param('{"a":"\\"' + "[{" * 200 + '\\\\"}', id="brackets behind an escaped quote"),
        pytest.param("[" + "[]," * 200 + "[]]", id="beside each other"),
    ],
)
def test_what_is_not_nested_is_not_deep(body: str) -> None:
    """Only open brackets outside texts count."""
    assert BodyKind.JSON == decode_body(_answer(body.encode())).kind


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param('{"access_token":"a","access_token":"a"}', BodyKind.JSON, id="agreeing"),
        pytest.param('{"access_token":"a","access_token":"b"}', BodyKind.UNREADABLE, id="disagreeing"),
        pytest.param('{"refresh_token":"a","refresh_token":null}', BodyKind.UNREADABLE, id="one of them null"),
        pytest.param('{"d":{"access_token":"a","access_token":"b"}}', BodyKind.UNREADABLE, id="further down"),
        pytest.param('{"access_token":"a","d":{"access_token":"b"}}', BodyKind.JSON, id="in two objects"),
        pytest.param('{"scope":"a","scope":"b"}', BodyKind.JSON, id="no secret"),
        pytest.param("access_token=a&access_token=a", BodyKind.FORM, id="form, agreeing"),
        pytest.param("access_token=a&access_token=b", BodyKind.UNREADABLE, id="form, disagreeing"),
        pytest.param("access_token=a&access%5Ftoken=b", BodyKind.UNREADABLE, id="form, one name escaped"),
        pytest.param("scope=a&scope=b", BodyKind.FORM, id="form, no secret"),
    ],
)
def test_a_secret_given_twice(body: str, kind: BodyKind) -> None:
    """Which of two different tokens is meant cannot be told."""
    assert kind == decode_body(_answer(body.encode()), secrets=TOKENS).kind


@pytest.mark.parametrize(
    ("body", "members"),
    [
        pytest.param("a=b+c%2Bd", {"a": "b c+d"}, id="plus is a blank"),
        pytest.param("a=b=c", {"a": "b=c"}, id="the first equals sign ends the name"),
        pytest.param("a=1;b=2", {"a": "1;b=2"}, id="a semicolon separates nothing"),
        pytest.param("a=1&&b\r\n", {"a": "1", "b": ""}, id="empty pieces, no value, line end"),
        pytest.param("a=%zz", {"a": "%zz"}, id="no escape"),
    ],
)
def test_form(body: str, members: dict[str, str]) -> None:
    """A form body is read as the media type says."""
    assert (BodyKind.FORM, members) == _found(body.encode())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b" tok=== \n", (BodyKind.TEXT, "tok==="), id="looks like a form"),
        pytest.param(b'"tok"', (BodyKind.JSON, "tok"), id="JSON text"),
        pytest.param(b"<tok", (BodyKind.MARKUP, None), id="markup stays markup"),
        pytest.param(b"null", (BodyKind.JSON, None), id="null stays null"),
    ],
)
def test_a_bare_body_is_text(body: bytes, expected: tuple[BodyKind, object]) -> None:
    """Where the whole body is the token, what is neither JSON nor markup is text, blanks around it cut."""
    assert expected == _found(body, bare=True)


def test_absurd_numbers_spoil_nothing() -> None:
    """A number that no program can hold becomes infinite; the other members are read."""
    kind, value = _found(b'{"a": 1, "b": %s, "c": 1e999}' % (b"9" * 10_000))

    assert BodyKind.JSON == kind
    assert {"a": 1, "b": float("inf"), "c": float("inf")} == value


@example(b'{"a":"\\')
@example(b'"' + b'\\"' * 5_000)
@given(st.binary(max_size=200))
def test_no_body_raises(body: bytes) -> None:
    """Whatever comes, a kind comes out."""
    assert decode_body(_answer(body)).kind in BodyKind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), JSON, max_size=5))
def test_json_comes_back(value: object) -> None:
    """What another program wrote is read as it was."""
    assert value == parse_json(json.dumps(value))
