"""Tests of how the text of a connector file is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.adapters.catalogue.yaml_reader import MAX_BYTES, MAX_DEPTH, read_document
from keyturn.core.errors import ConnectorInvalid, Finding
from keyturn.core.reading import Fault, read_connector
from keyturn.core.urls.public_suffixes import PublicSuffixes

EXAMPLE = (Path(__file__).parents[2] / "core/connectors/acme-crm.yaml").read_text()
SUFFIXES = PublicSuffixes.from_text("example\n")


def found_in(text: str | bytes, *, whole: bool = False) -> tuple[Finding, ...]:
    """Read a text that may be wrong; give what is wrong with it."""
    try:
        document = read_document(text)
        if whole:
            read_connector(document, suffixes=SUFFIXES)
    except ConnectorInvalid as error:
        return error.errors or (Finding("", "none", ""),)
    return ()


def errors_of(text: str | bytes) -> tuple[Finding, ...]:
    """Read a text that is wrong."""
    with pytest.raises(ConnectorInvalid) as caught:
        read_document(text)
    return caught.value.errors


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("null", None),
        ("'null'", "null"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("1.50", 1.5),
        ("1e3", 1000.0),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("'1'", "1"),
        ("=", "="),
        ("a #b", "a"),
        ("|\n  x\n  y", "x\ny\n"),
        (">-\n  x\n  y", "x y"),
        ('"\\ud83d\\ude00 \\/ \\u00e9 \\x41"', "😀 / é A"),
        ("12345678901234567890", 12345678901234567890),
        ("[1, {a: b}]", [1, {"a": "b"}]),
    ],
)
def test_values_have_the_types_of_yaml_1_2(written: str, value: object) -> None:
    """The core schema, not that of YAML 1.1: no yes and no, no octal by a zero, no times."""
    read = read_document(f"a: {written}\nb: 1").value

    assert {"a": value, "b": 1} == read
    assert isinstance(read, dict)
    assert type(value) is type(read["a"])


def test_keys_are_texts_as_they_are_written() -> None:
    """A key without quotes loses nothing: 010 stays 010."""
    assert {"010": 1, "true": 2, "1.10": 3} == read_document("{010: 1, true: 2, 1.10: 3}").value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a: &x 1", (1, 4, Fault.YAML_ALIAS), id="an anchor"),
        pytest.param("a: 1\nb: *a", (2, 4, Fault.YAML_ALIAS), id="an alias"),
        pytest.param("a: !!python/object:x.Y {}", (1, 4, Fault.YAML_TAG), id="a tag"),
        pytest.param("a: !x 1", (1, 4, Fault.YAML_TAG), id="a tag of one's own"),
        pytest.param("<<: {a: 1}", (1, 1, Fault.YAML_MERGE_KEY), id="a merge key"),
        pytest.param("a: 1\n'a': 2", (2, 1, Fault.DUPLICATE_KEY), id="the same key in quotes"),
        pytest.param("{a: 1}: 2", (1, 1, Fault.KEY_NOT_TEXT), id="an object as key"),
        pytest.param("~: 2", (1, 1, Fault.KEY_NOT_TEXT), id="null as key"),
        pytest.param("a: 1\n---\nb: 2", (2, 1, Fault.YAML_SEVERAL_DOCUMENTS), id="two documents"),
        pytest.param("", (1, 1, Fault.DOCUMENT_EMPTY), id="nothing"),
        pytest.param("# only words", (1, 1, Fault.DOCUMENT_EMPTY), id="a comment"),
        pytest.param("a: 'x", (1, 6, Fault.YAML_SYNTAX), id="an open quotation"),
        pytest.param("a:\n\tb: 1", (2, 1, Fault.YAML_SYNTAX), id="a tab before a key"),
        pytest.param("a: 1\nb: \x07", (2, 4, Fault.YAML_SYNTAX), id="a control character"),
        pytest.param("%YAML 1.1\n---\na: 1", (2, 1, Fault.YAML_SYNTAX), id="YAML 1.1"),
        pytest.param("a: .nan", (1, 4, Fault.NUMBER_NOT_FINITE), id="not a number"),
        pytest.param('{"a": 1e400}', (1, 7, Fault.NUMBER_NOT_FINITE), id="a number beyond floats"),
        pytest.param("a: " + "9" * 41, (1, 4, Fault.NUMBER_NOT_FINITE), id="a number of 41 digits"),
        pytest.param(b"a: 1\nb: \xff", (2, 1, Fault.DOCUMENT_NOT_UTF8), id="no UTF-8"),
        pytest.param("a: 1".encode("utf-16"), (1, 1, Fault.DOCUMENT_NOT_UTF8), id="UTF-16"),
        pytest.param("a: \ud800", (1, 1, Fault.DOCUMENT_NOT_UTF8), id="half a character"),
        pytest.param("#" * (MAX_BYTES + 1), (1, 1, Fault.DOCUMENT_TOO_LARGE), id="one byte too many"),
        pytest.param("a: é" + "#" * (MAX_BYTES - 4), (1, 1, Fault.DOCUMENT_TOO_LARGE), id="bytes, not characters"),
        pytest.param("[" * (MAX_DEPTH + 1), (1, 33, Fault.DOCUMENT_TOO_DEEP), id="one level too deep"),
    ],
)
def test_what_is_refused(text: str | bytes, expected: tuple[int, int, Fault]) -> None:
    """Each with its place and a code of its own."""
    first = errors_of(text)[0]

    assert expected == (first.line, first.column, first.code)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: 1" + "#" * (MAX_BYTES - 4), id="the largest"),
        pytest.param("[" * MAX_DEPTH + "]" * MAX_DEPTH, id="the deepest"),
        pytest.param("a: " + "9" * 40, id="the longest number"),
        pytest.param("%YAML 1.2\n---\na: 1\n...\n", id="all that may stand around a document"),
        pytest.param(b"\xef\xbb\xbfa: 1\r\nb: 2\r\n", id="a byte-order mark and line ends of two characters"),
    ],
)
def test_just_inside_the_bounds(text: str | bytes) -> None:
    """What is refused has a neighbour that is read."""
    assert read_document(text).value is not None


def test_several_faults_are_found_at_once() -> None:
    """Where the text can be read on, everything is found."""
    codes = [each.code for each in errors_of("a: &x 1\nb: *x\nc: !t 1\nc: 2\nd: .inf\n<<: {}\n")]

    assert [
        "yaml_alias",
        "yaml_alias",
        "yaml_tag",
        "duplicate_key",
        "number_not_finite",
        "yaml_merge_key",
    ] == codes


def test_positions() -> None:
    """Each key and value has its line and column; each verbatim text the place of its first letter."""
    document = read_document("a:\n  - 'x y'\n  - {b/c: \"z\\n\"}\nd: plain # note\n")

    assert {"": (1, 1), "/a": (2, 3), "/a/0": (2, 5), "/a/1": (3, 5), "/a/1/b~1c": (3, 11), "/d": (4, 4)} == dict(
        document.positions
    )
    assert {"/a": (1, 1), "/a/1/b~1c": (3, 6), "/d": (4, 1)} == dict(document.keys)
    assert {"/a/0": (2, 6), "/d": (4, 4)} == dict(document.texts)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**39), 10**39)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(min_size=1, max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(min_size=1, max_size=9), JSON, min_size=1), st.booleans(), st.sampled_from([None, 1, "\t"])
)
def test_json_is_read_as_json_reads_it(value: dict[str, Any], ascii_only: bool, indent: int | str | None) -> None:
    """Whatever JSON writes means the same here; only control characters need escapes."""
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    if not text.isprintable() and not ascii_only:
        text = json.dumps(value, indent=indent)

    assert value == read_document(text).value


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    """Nothing but ConnectorInvalid comes out, and it says what is wrong and where."""
    found = found_in(text)

    assert all(each.line and each.column and each.message for each in found)


SNIPPETS = st.text(alphabet="{}[]:,\"'|>&*!%@`\\ \n\t-?#<~019azé😀.()", min_size=0, max_size=4)
EDITS = st.lists(st.tuples(st.integers(0, len(EXAMPLE)), st.integers(0, 40), SNIPPETS), min_size=1, max_size=4)


@given(EDITS)
def test_a_broken_example_is_read_or_refused(edits: list[tuple[int, int, str]]) -> None:
    """Cuts and insertions anywhere in the example never make reading fail otherwise."""
    text = EXAMPLE
    for place, cut, put in edits:
        text = text[:place] + put + text[place + cut :]
    found = found_in(text, whole=True)

    assert all(each.line and each.column and each.message for each in found)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("- " * 100_000, id="lists in lists"),
        pytest.param("{" * 200_000, id="braces"),
        pytest.param("a:" * 100_000, id="colons"),
        pytest.param("".join(f"k{n}: {{x: 1}}\n" for n in range(12_000)), id="unknown keys"),
        pytest.param("&a " * 80_000, id="anchors"),
        pytest.param("{" + "a: b, " * 40_000 + "}", id="one key again and again"),
        pytest.param("unique_id: '" + "{{ x }}" * 30_000 + "'", id="templates"),
        pytest.param("allowed_urls: [" + "'https://{{ x }}', " * 13_000 + "]", id="URLs"),
    ],
)
def test_a_file_that_is_made_to_be_slow(text: str) -> None:
    """At most 200 findings, in seconds."""
    with pytest.raises(ConnectorInvalid) as caught:
        read_connector(read_document(text), suffixes=SUFFIXES)

    assert 1 <= len(caught.value.errors) <= 200
