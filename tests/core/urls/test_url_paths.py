"""Tests of paths and queries: what is refused, how they are spelled, how they are joined."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keyturn.core.urls.url_paths import (
    ORDINARY_PATH,
    TextFault,
    escape_non_ascii,
    join_paths,
    normalise_path,
    path_fault,
    query_fault,
    relative_path_fault,
    text_fault,
    utf8_length,
)

F = TextFault

SPECIAL = "% 2 5 e E F f 0 c / // . .. ; a é %25 %2e %2F %5c %41 %C3 %A9 %c0%ae %7f %80 : @ + \u0430"
PIECES = st.sampled_from(SPECIAL.split())
PATHS = st.lists(PIECES, max_size=14).map(lambda pieces: "/" + "".join(pieces))


def fault_stage_by_stage(path: str) -> TextFault | None:
    """Judge a path as the contract words it: decoded again and again until nothing changes."""
    escape = re.compile(rb"%([0-9A-Fa-f]{2})")
    if re.search(r"%(?![0-9A-Fa-f]{2})", path):
        return F.BAD_ESCAPE
    stages = [path.encode()]
    while True:
        if any(
            bytes.fromhex(found.decode())[0] in b"/\\\x7f" + bytes(range(32)) for found in escape.findall(stages[-1])
        ):
            return F.HIDDEN_CHARACTER
        decoded = escape.sub(lambda found: bytes.fromhex(found[1].decode()), stages[-1])
        if len(stages) == 1:
            try:
                decoded.decode()
            except UnicodeDecodeError:
                return F.NOT_UTF8
        if decoded == stages[-1]:
            break
        stages.append(decoded)
    for stage in stages:
        if any(segment.split(b";")[0] in (b".", b"..") for segment in stage.split(b"/")):
            return F.DOT_SEGMENT
    return None


def test_forbidden_characters_are_those_of_the_unicode_tables() -> None:
    """Control characters, spaces, separators and the backslash are refused, and nothing else."""
    every = map(chr, (point for point in range(sys.maxunicode + 1) if not 0xD800 <= point <= 0xDFFF))
    refused = {character for character in every if text_fault(character) is not None}

    expected = {chr(point) for point in range(sys.maxunicode + 1)}
    expected = {character for character in expected if unicodedata.category(character) in {"Cc", "Zs", "Zl", "Zp"}}
    assert expected | {"\\"} == refused


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("a\nb", F.CHARACTER, id="inside"),
        pytest.param("a\u2028", F.CHARACTER, id="at the end"),
        pytest.param("\u200b\ufeff\u00ad", None, id="format characters"),
        pytest.param("\udcff", F.NOT_UTF8, id="lone surrogate"),
        pytest.param("é\U0001f4a9", None, id="two and four bytes"),
    ],
)
def test_text_fault(text: str, fault: TextFault | None) -> None:
    """A character that no URL may hold is found wherever it stands."""
    assert fault == text_fault(text)


@pytest.mark.parametrize(("text", "length"), [("", 0), ("ab", 2), ("é", 2), ("日", 3), ("💩", 4), ("\ud800", None)])
def test_utf8_length(text: str, length: int | None) -> None:
    """The length is in bytes, and a text that cannot be encoded has none."""
    assert length == utf8_length(text)


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("/", None, id="root"),
        pytest.param("/a//b///c", None, id="empty segments"),
        pytest.param("/...", None, id="three dots"),
        pytest.param("/..x/x../.x/x.", None, id="dots beside text"),
        pytest.param("/x;..", None, id="dots in a parameter"),
        pytest.param("/;/x", None, id="empty segment with a parameter"),
        pytest.param("/a%2eb/%2e%2e%2e/..%2e", None, id="escaped dots in longer segments"),
        pytest.param("/50%25-off/100%25", None, id="escaped percent signs"),
        pytest.param("/%2525", None, id="twice escaped percent sign"),
        pytest.param("/%25zz", None, id="no escape after decoding"),
        pytest.param("/%25ff", None, id="not UTF-8, but only after decoding twice"),
        pytest.param("/%C2%85", None, id="escaped C1 control"),
        pytest.param("/%E6%97%A5/日", None, id="UTF-8, escaped and raw"),
        pytest.param("/%20%3F%23%40%3A", None, id="other escapes"),
        pytest.param("/．．/x", None, id="full-width dots"),
        pytest.param("/%", F.BAD_ESCAPE, id="only a percent sign"),
        pytest.param("/%4", F.BAD_ESCAPE, id="one digit"),
        pytest.param("/%4/1", F.BAD_ESCAPE, id="escape over a slash"),
        pytest.param("/%4g", F.BAD_ESCAPE, id="no hex digit"),
        pytest.param("/%%41", F.BAD_ESCAPE, id="percent sign before an escape"),
        pytest.param("/%u0041", F.BAD_ESCAPE, id="another notation"),
        pytest.param("/%４1", F.BAD_ESCAPE, id="full-width digit"),
        pytest.param("/%ff", F.NOT_UTF8, id="not UTF-8"),
        pytest.param("/%C3", F.NOT_UTF8, id="cut off"),
        pytest.param("/%C3é", F.NOT_UTF8, id="cut off before a raw character"),
        pytest.param("/%ED%A0%80", F.NOT_UTF8, id="surrogate"),
        pytest.param("/%F4%90%80%80", F.NOT_UTF8, id="beyond Unicode"),
        pytest.param("/%c0%af", F.NOT_UTF8, id="overlong"),
        pytest.param("/a%2fb", F.HIDDEN_CHARACTER, id="slash"),
        pytest.param("/a%2Fb", F.HIDDEN_CHARACTER, id="slash, upper case"),
        pytest.param("/a%5cb", F.HIDDEN_CHARACTER, id="backslash"),
        pytest.param("/%00", F.HIDDEN_CHARACTER, id="lowest control character"),
        pytest.param("/%1F", F.HIDDEN_CHARACTER, id="highest control character below the space"),
        pytest.param("/%7f", F.HIDDEN_CHARACTER, id="delete"),
        pytest.param("/%7e", None, id="just below delete"),
        pytest.param("/a%252fb", F.HIDDEN_CHARACTER, id="slash, twice escaped"),
        pytest.param("/a%25252Fb", F.HIDDEN_CHARACTER, id="slash, thrice escaped"),
        pytest.param("/a%25%32%46", F.HIDDEN_CHARACTER, id="slash from three escapes"),
        pytest.param("/a%2%35%36", F.BAD_ESCAPE, id="an escape that only becomes one"),
        pytest.param("/%255C", F.HIDDEN_CHARACTER, id="backslash, twice escaped"),
        pytest.param("/%251F", F.HIDDEN_CHARACTER, id="highest control character, twice escaped"),
        pytest.param("/%257f", F.HIDDEN_CHARACTER, id="delete, twice escaped"),
        pytest.param("/%2520%257e", None, id="neighbours of control characters, twice escaped"),
        pytest.param("/%252%25352F", F.HIDDEN_CHARACTER, id="slash from an escape that itself had to become one"),
        pytest.param("/%250a", F.HIDDEN_CHARACTER, id="newline, twice escaped"),
        pytest.param("/.", F.DOT_SEGMENT, id="dot at the end"),
        pytest.param("/./x", F.DOT_SEGMENT, id="dot"),
        pytest.param("/x/..", F.DOT_SEGMENT, id="dot-dot at the end"),
        pytest.param("/x/../x", F.DOT_SEGMENT, id="dot-dot"),
        pytest.param("/x//../x", F.DOT_SEGMENT, id="dot-dot after an empty segment"),
        pytest.param("/%2e/x", F.DOT_SEGMENT, id="escaped dot"),
        pytest.param("/.%2E/x", F.DOT_SEGMENT, id="half escaped dot-dot"),
        pytest.param("/%252e%252e", F.DOT_SEGMENT, id="twice escaped dot-dot"),
        pytest.param("/%25%32%65.", F.DOT_SEGMENT, id="dot from three escapes"),
        pytest.param("/..;x/y", F.DOT_SEGMENT, id="dot-dot with a parameter"),
        pytest.param("/.;", F.DOT_SEGMENT, id="dot with an empty parameter"),
        pytest.param("/..%3Bx", F.DOT_SEGMENT, id="dot-dot with an escaped semicolon"),
        pytest.param("/..%253b;x", F.DOT_SEGMENT, id="dot-dot with a twice escaped semicolon"),
        pytest.param("/%2e;%41", F.DOT_SEGMENT, id="escaped dot with an escaped parameter"),
    ],
)
def test_path_fault(path: str, fault: TextFault | None) -> None:
    """A path is refused when it is doubtful at any depth of escaping, and only then."""
    assert fault == path_fault(path)


@given(PATHS)
@example("/%%41")
@example("/%25%32%35%32%65")
@example("/..%25253B")
def test_one_pass_finds_what_decoding_stage_by_stage_finds(path: str) -> None:
    """The quick judgement of a path refuses exactly what the contract's wording refuses."""
    assert (fault_stage_by_stage(path) is None) == (path_fault(path) is None)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("a=%2F%5C%0A%0d..&u=https://u@h:1/../x", None, id="the API's own business"),
        pytest.param("a=%ff%C3", None, id="not UTF-8"),
        pytest.param("a=%2500", None, id="NUL, twice escaped"),
        pytest.param("a=%01", None, id="next to NUL"),
        pytest.param("a=%00", F.HIDDEN_CHARACTER, id="NUL"),
        pytest.param("a=%", F.BAD_ESCAPE, id="only a percent sign"),
        pytest.param("a=%0&b", F.BAD_ESCAPE, id="one digit"),
        pytest.param("a=%u00e9", F.BAD_ESCAPE, id="another notation"),
    ],
)
def test_query_fault(query: str, fault: TextFault | None) -> None:
    """Of a query only broken escapes and NUL are refused."""
    assert fault == query_fault(query)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("", "/", id="empty"),
        pytest.param("/%76%32/%2D%2e%5F%7e", "/v2/-._~", id="unreserved characters"),
        pytest.param("/%5b%3a%40%3B%20", "/%5B%3A%40%3B%20", id="other escapes"),
        pytest.param("/:@!$&'()*+,;=", "/:@!$&'()*+,;=", id="reserved characters"),
        pytest.param('/"<>^{|}[]`', '/"<>^{|}[]`', id="characters that no path should hold"),
        pytest.param("/é/日", "/%C3%A9/%E6%97%A5", id="raw non-ASCII characters"),
        pytest.param("/%c3%a9", "/%C3%A9", id="escaped non-ASCII characters"),
        pytest.param("/A//b/", "/A//b/", id="case and empty segments"),
        pytest.param("/%2541", "/%2541", id="decoded once only"),
        pytest.param("/x;y=%41", "/x;y=A", id="parameter"),
    ],
)
def test_normalise_path(path: str, expected: str) -> None:
    """Equivalent spellings of a path become one, and others stay apart."""
    assert expected == normalise_path(path)


@given(PATHS)
def test_a_normalised_path_stays_as_it_is(path: str) -> None:
    """Normalising neither adds nor takes away a fault, and does nothing the second time."""
    if path_fault(path) is not None:
        return

    normalised = normalise_path(path)
    assert normalised.isascii()
    assert normalised == normalise_path(normalised)
    assert path_fault(normalised) is None
    assert path.count("/") == normalised.count("/")


def test_escape_non_ascii_leaves_ascii_alone() -> None:
    """Only what a request line cannot hold is escaped."""
    assert "a=%c3%A9&b=%C3%A9%F0%9F%92%A9" == escape_non_ascii("a=%c3%A9&b=é💩")


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("/", None, id="slash"),
        pytest.param("/users//x", None, id="two slashes later"),
        pytest.param("users:batchGet", None, id="colon in the first segment"),
        pytest.param("a:b/c", None, id="colon and a later slash"),
        pytest.param("1a:/x", None, id="begins with a digit, so no scheme"),
        pytest.param("x/http://y", None, id="URL in a later segment"),
        pytest.param("?http://y", None, id="URL in the query"),
        pytest.param("httpsx:y", None, id="longer word before the colon"),
        pytest.param("httpſ:y", None, id="long s"),
        pytest.param("http%3A//y", None, id="escaped colon"),
        pytest.param("//x", F.SCHEME_RELATIVE, id="two slashes"),
        pytest.param("///x", F.SCHEME_RELATIVE, id="three slashes"),
        pytest.param("http:x", F.ABSOLUTE, id="http"),
        pytest.param("HTTPS:x", F.ABSOLUTE, id="https in capitals"),
        pytest.param("/https:x", F.ABSOLUTE, id="https after a slash"),
        pytest.param("ftp:/x", F.ABSOLUTE, id="another scheme and one slash"),
        pytest.param("/a+b-c.1:/x", F.ABSOLUTE, id="odd scheme after a slash"),
        pytest.param("a\\b", F.CHARACTER, id="backslash"),
        pytest.param("a?b#\t", F.CHARACTER, id="tab in the fragment"),
        pytest.param("\ud800", F.NOT_UTF8, id="lone surrogate"),
    ],
)
def test_relative_path_fault(path: str, fault: TextFault | None) -> None:
    """A relative path never looks like a URL of its own."""
    assert fault == relative_path_fault(path)


@pytest.mark.parametrize(
    ("base", "path", "expected"),
    [
        pytest.param("/v2", "users", "/v2/users", id="plain"),
        pytest.param("/v2/", "/users", "/v2/users", id="a slash on both sides"),
        pytest.param("/v2//", "users", "/v2/users", id="trailing slashes"),
        pytest.param("", "@evil.com", "/@evil.com", id="no base path"),
        pytest.param("/v2", "", "/v2", id="empty"),
        pytest.param("/v2/", "", "/v2/", id="empty below a slash"),
        pytest.param("", "", "", id="nothing at all"),
        pytest.param("/v2", "/", "/v2/", id="slash"),
        pytest.param("/v2/", "/", "/v2/", id="slash below a slash"),
        pytest.param("/v2", "?a=/b?c", "/v2?a=/b?c", id="only a query"),
        pytest.param("/v2", "/?", "/v2/?", id="slash and an empty query"),
        pytest.param("/v2", "#x?y", "/v2", id="only a fragment"),
        pytest.param("/v2", "a?b#c", "/v2/a?b", id="fragment"),
        pytest.param("/v2", "a//b/", "/v2/a//b/", id="slashes inside"),
    ],
)
def test_join_paths(base: str, path: str, expected: str) -> None:
    """There is always exactly the slash between base and path, unless there is no path."""
    assert expected == join_paths(base, path)


@pytest.mark.parametrize(
    "path", ["users/1?a=%20b", "/", "", "?x", "a:b", "a//b/", "x;y", "-/~a", "{a}|[b]", "x?%0A%2500"]
)
def test_common_paths_are_ordinary(path: str) -> None:
    """What callers send day by day takes the quick way."""
    assert ORDINARY_PATH.fullmatch(path)


@given(st.text(st.characters(max_codepoint=0x7F), max_size=20) | PATHS | PATHS.map(lambda path: path[1:]))
@example("a\n")
@example("/..;")
@example("x?%00")
@example("a:/b")
def test_an_ordinary_path_has_no_fault_and_needs_no_normalising(path: str) -> None:
    """The one match proves all that the full judgement would look for."""
    if not ORDINARY_PATH.fullmatch(path):
        return

    before, _, query = path.partition("?")
    assert relative_path_fault(path) is None
    assert path_fault("/" + before) is None
    assert query_fault(query) is None
    assert before == normalise_path(before).removeprefix("/" if before == "" else "")
    assert "#" not in path
