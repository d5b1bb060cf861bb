"""Values in URLs: escaped for the part in which they stand, and never out of it."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from keyturn.core.errors import ConnectorInvalid, ValidationFailed, ValueAbsent
from keyturn.core.requests.request_url import render_url
from keyturn.core.secret import Secret
from keyturn.core.templates import Masked, Template


def _url(text: str, *, dotted: frozenset[str] = frozenset(), wildcard: bool = False, **values: object) -> str:
    return render_url(Template.parse(text), values, dotted=dotted, wildcard=wildcard)


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        pytest.param("https://a.example", {}, "https://a.example/", id="no path"),
        pytest.param("https://a.example?x=1", {}, "https://a.example/?x=1", id="no path but a query"),
        pytest.param("HTTPS://A.Example:443/P", {}, "https://a.example/P", id="normalised"),
        pytest.param("http://a.example:80/", {}, "http://a.example/", id="the default port of http"),
        pytest.param("https://a.example:80/", {}, "https://a.example:80/", id="no default port of https"),
        pytest.param("https://[::1]:8443/", {}, "https://[::1]:8443/", id="IPv6 and a port"),
        pytest.param("https://bücher.example/ü b", {}, "https://xn--bcher-kva.example/%C3%BC%20b", id="not ASCII"),
        pytest.param("https://a.example/a%2Fb", {}, "https://a.example/a%2Fb", id="the author's own escape"),
        pytest.param("https://{{ v }}.a.example/", {"v": "EU1"}, "https://eu1.a.example/", id="a label"),
        pytest.param("https://x-{{ v }}.a.example/", {"v": 7}, "https://x-7.a.example/", id="part of a label"),
        pytest.param("https://{{ v }}/p", {"v": "h.example"}, "https://h.example/p", id="a whole host"),
        pytest.param("https://{{ v }}:8443/p", {"v": "h.example"}, "https://h.example:8443/p", id="and a port"),
        pytest.param("https://{{ v }}", {"v": "[::1]"}, "https://[::1]/", id="a whole host that is an address"),
        pytest.param("https://a.example/{{ v }}/x", {"v": "/?#%"}, "https://a.example/%2F%3F%23%25/x", id="path"),
        pytest.param("https://a.example/v{{ v }}", {"v": "."}, "https://a.example/v.", id="a dot in a segment"),
        pytest.param("https://a.example/?q={{ v }}&r=1", {"v": "&= "}, "https://a.example/?q=%26%3D%20&r=1", id="?"),
        pytest.param("https://a.example/?q={{ v }}", {"v": "../"}, "https://a.example/?q=..%2F", id="dots in a query"),
        pytest.param("https://a.example/{{ v }}", {"v": Secret("s e")}, "https://a.example/s%20e", id="a secret"),
        pytest.param("https://{{ v }}.a.example/{{ v }}", {"v": Masked("v")}, "https://‹v›.a.example/‹v›", id="masked"),
    ],
)  # fmt: skip
def test_render_url(text: str, values: dict[str, object], expected: str) -> None:
    """The URL is as it is sent."""
    assert expected == render_url(Template.parse(text), values)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("https://{{ v }}.a.example/", "", id="an empty label"),
        pytest.param("https://{{ v }}.a.example/", "a.b", id="two labels"),
        pytest.param("https://{{ v }}.a.example/", "a。b", id="two labels by another full stop"),
        pytest.param("https://{{ v }}.a.example/", "evil.example/", id="a path"),
        pytest.param("https://{{ v }}.a.example/", "evil.example?", id="a query"),
        pytest.param("https://{{ v }}.a.example/", "evil.example#", id="a fragment"),
        pytest.param("https://{{ v }}.a.example/", "u@", id="a user"),
        pytest.param("https://{{ v }}.a.example/", "a:1", id="a port"),
        pytest.param("https://{{ v }}.a.example/", "a%2e", id="an escape"),
        pytest.param("https://{{ v }}.a.example/", "-a", id="a hyphen first"),
        pytest.param("https://{{ v }}.a.example/", "a_b", id="an underscore"),
        pytest.param("https://{{ v }}.a.example/", "a\n", id="a line end"),
        pytest.param("https://{{ v }}.a.example/", "x" * 64, id="one character too long"),
        pytest.param("https://{{ v }}/", "", id="an empty host"),
        pytest.param("https://{{ v }}/", "h.example/x", id="a host and a path"),
        pytest.param("https://{{ v }}/", "h.example:1", id="a host and a port"),
        pytest.param("https://{{ v }}/", "u@h.example", id="a host and a user"),
        pytest.param("https://{{ v }}/", "0x7f.1", id="an odd address"),
        pytest.param("https://a.example/{{ v }}/x", "..", id="two dots"),
        pytest.param("https://a.example/{{ v }}", ".", id="a dot at the end"),
        pytest.param("https://a.example/.{{ v }}", ".", id="a dot that completes two"),
        pytest.param("https://a.example/{{ v }}", "../x", id="dots before an escaped slash"),
        pytest.param("https://a.example/{{ v }}", "..\\x", id="dots before a backslash"),
        pytest.param("https://a.example/{{ v }}", "..;x", id="dots with a parameter"),
        pytest.param("https://a.example/{{ v }}", "a\r\nb", id="a line end in the path"),
        pytest.param("https://a.example/?q={{ v }}", "a\0", id="NUL in the query"),
        pytest.param("https://a.example/{{ v }}", "\ud800", id="half a character"),
    ],
)
def test_values_that_would_break_out(text: str, value: str) -> None:
    """They are refused by name, and not shown."""
    with pytest.raises(ValidationFailed) as caught:
        _url(text, v=value)

    assert ["/fields/v"] == [each.pointer for each in caught.value.errors]
    assert value == "" or len(value) < 3 or value not in f"{caught.value} {caught.value.errors}"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{{ v }}", id="a whole URL"),
        pytest.param("{{ v }}://a.example/", id="a scheme"),
        pytest.param("ftp://a.example/", id="another scheme"),
        pytest.param("/path", id="no host"),
        pytest.param("https:///x", id="an empty host"),
        pytest.param("https://a.{{ v }}/", id="the end of a domain"),
        pytest.param("https://{{ v }}example.com/", id="no dot between"),
        pytest.param("https://x{{ v }}-y.a.example/", id="a label that ends in the author's text"),
        pytest.param("https://{{ v }}{{ v }}/", id="two that make a host"),
        pytest.param("https://a.example:{{ v }}/", id="a port"),
        pytest.param("https://a.example:0/", id="port 0"),
        pytest.param("https://a.example:65536/", id="a port too high"),
        pytest.param("https://u@a.example/", id="a user"),
        pytest.param("https://a.example/#x", id="a fragment"),
        pytest.param("https://a.example/../x", id="dots"),
        pytest.param("https://*.a.example/", id="a wildcard where none may be"),
    ],
)
def test_templates_that_are_no_url(text: str) -> None:
    """The author's own mistakes are told from a value's."""
    with pytest.raises(ConnectorInvalid):
        _url(text, v="x")


def test_an_absent_value() -> None:
    """It is said by its name."""
    with pytest.raises(ValueAbsent):
        _url("https://a.example/{{ v }}")


def test_several_labels_where_they_are_allowed() -> None:
    """A value whose field has a pattern may hold dots, and nothing else besides."""
    dotted = frozenset({"v"})

    assert "https://a.b.c.example/" == _url("https://{{ v }}.c.example/", dotted=dotted, v="a.b")
    for value in ("a..b", ".a", "a.", "a/b.c"):
        with pytest.raises(ValidationFailed):
            _url("https://{{ v }}.c.example/", dotted=dotted, v=value)


def test_a_wildcard_where_it_is_allowed() -> None:
    """An allowed URL may begin with one."""
    assert "https://*.eu.a.example/x" == _url("https://*.{{ v }}.a.example/x", wildcard=True, v="eu")


@example("evil.example/")
@example("evil.example#")
@example("a@b")
@given(st.text(max_size=30) | st.text(alphabet="ab-.:/?#@\\%[]", max_size=8))
def test_no_value_moves_the_host(value: str) -> None:
    """Whatever a label's value is, the request goes to the author's domain or nowhere."""
    try:
        url = _url("https://{{ v }}.acme.example/x", v=value)
    except ValidationFailed:
        url = "https://refused.acme.example/x"
    parts = urlsplit(url)

    assert (parts.hostname or "").endswith(".acme.example")
    assert ("/x", "", "", None, None) == (parts.path, parts.query, parts.fragment, parts.username, parts.port)


@given(st.text(max_size=30), st.text(max_size=30))
def test_values_come_back_from_path_and_query(in_path: str, in_query: str) -> None:
    """Each is found again where it stood, and nothing else changed."""
    try:
        url = _url("https://acme.example/a/{{ p }}/b?q={{ q }}&r=1", p=in_path, q=in_query)
    except ValidationFailed:
        assume(False)
    parts = urlsplit(url)

    assert ["", "a", in_path, "b"] == [unquote(each) for each in parts.path.split("/")]
    assert [f"q={in_query}", "r=1"] == [unquote(each) for each in parts.query.split("&")]
    assert "" == parts.fragment
