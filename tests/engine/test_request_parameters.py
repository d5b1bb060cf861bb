"""The request parameters of step 9, and how they meet what a caller sends."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.connector import RequestParameters
from keyturn.core.errors import ProviderBadResponse
from keyturn.core.secret import Secret
from keyturn.core.templates import Template
from keyturn.engine.calls.request_parameters import RenderedParameters, rendered

VALUES = {"access_token": Secret("t&k n"), "site": "a"}


def made(*locked: str, **parts: dict[str, Any]) -> RenderedParameters:
    """Parameters from templates' sources."""

    def parsed(tree: Any) -> Any:
        if isinstance(tree, dict):
            return {name: parsed(each) for name, each in tree.items()}
        return Template.parse(tree) if isinstance(tree, str) else tree

    return rendered(
        RequestParameters(
            Template.parse("https://a.example"),
            headers=parsed(parts.get("headers", {})),
            query=parsed(parts.get("query", {})),
            body=parsed(parts.get("body", {})),
            locked=frozenset(locked),
        ),
        VALUES,
    )


HEADERS = {"Authorization": "Bearer {{ access_token }}", "X-Api_Key": "{{ access_token }}", "Accept": "a/b"}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param([], [(b"accept", b"a/b")], id="nothing: the default"),
        pytest.param([(b"accept", b"*/*")], [(b"accept", b"*/*")], id="the caller's over a default"),
        pytest.param([(b"x-api_key", b"mine")], [(b"accept", b"a/b")], id="never over a locked one"),
        pytest.param([(b"x_api-key", b"mine")], [(b"accept", b"a/b")], id="nor by another dash"),
        pytest.param(
            [(b"x-api-keys", b"1"), (b"accept-language", b"de")],
            [(b"x-api-keys", b"1"), (b"accept-language", b"de"), (b"accept", b"a/b")],
            id="another name stays",
        ),
    ],
)
def test_headers(sent: list[tuple[bytes, bytes]], expected: list[tuple[bytes, bytes]]) -> None:
    """The caller's value wins over a default header and never over a locked one."""
    parameters = made("authorization", "x-api_key", headers=HEADERS)
    locked = [(b"authorization", b"Bearer t&k n"), (b"x-api_key", b"t&k n")]

    assert [*expected, *locked] == parameters.with_headers(sent)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param("", "v=2&api_key=t%26k%20n", id="nothing"),
        pytest.param("v=3", "v=3&api_key=t%26k%20n", id="over a default"),
        pytest.param("%76=3", "%76=3&api_key=t%26k%20n", id="over a default, escaped"),
        pytest.param("V=3", "V=3&v=2&api_key=t%26k%20n", id="another name"),
        pytest.param("api_key=x&v=3", "v=3&api_key=t%26k%20n", id="locked"),
        pytest.param("api_key&v=3", "v=3&api_key=t%26k%20n", id="locked, without a value"),
        pytest.param("API_Key=x&v=3", "v=3&api_key=t%26k%20n", id="locked, in another case"),
        pytest.param("%61pi%5Fkey=x&v=3", "v=3&api_key=t%26k%20n", id="locked, escaped"),
        pytest.param("api_key[]=x&v=3", "v=3&api_key=t%26k%20n", id="locked, as a list"),
        pytest.param("api.key=x&+api_key=x&v=3", "v=3&api_key=t%26k%20n", id="locked, as lenient servers read it"),
        pytest.param("v=3;api_key=x", "v=3&api_key=t%26k%20n", id="locked, behind a semicolon"),
        pytest.param("a=1;b=2&v=3", "a=1;b=2&v=3&api_key=t%26k%20n", id="a semicolon in a value stays"),
        pytest.param("my_api_key=x&v=3", "my_api_key=x&v=3&api_key=t%26k%20n", id="a longer name"),
    ],
)
def test_queries(query: str, expected: str) -> None:
    """A locked name has no spelling by which a caller could give it a value; the rest stays as it came."""
    parameters = made("api_key", query={"v": "2", "api_key": "{{ access_token }}"})

    assert expected == parameters.with_query(query)


@given(st.text(alphabet="aApi_key%3D1&;=.[]+ V", max_size=40))
def test_a_locked_query_parameter_has_one_value(query: str) -> None:
    """However the query is cut up, servers find the connector's value and no other."""
    parameters = made("api_key", query={"api_key": "{{ access_token }}"})
    pairs = parse_qsl(parameters.with_query(query), keep_blank_values=True)

    assert ["t&k n"] == [value for name, value in pairs if name.lower() == "api_key"]


def test_a_query_without_parameters_is_not_touched() -> None:
    """Nothing to put on, nothing to read."""
    assert "a=%zz&&;" == made().with_query("a=%zz&&;")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"{}", b'{"site":"a","key":"t&k n"}', id="empty"),
        pytest.param(b' { "x" : 1.10 } ', b'{"x" : 1.10,"site":"a","key":"t&k n"}', id="what stays is byte for byte"),
        pytest.param(b'{"site": "b"}', b'{"site": "b","key":"t&k n"}', id="over a default"),
        pytest.param(
            b'{"key": "x", "b": [1, {"key": 2}]}', b'{"b": [1, {"key": 2}],"site":"a","key":"t&k n"}', id="locked"
        ),
        pytest.param(
            b'{"Key": 1, "k\\u0065y": 2, "key": 3}', b'{"site":"a","key":"t&k n"}', id="locked, in every spelling"
        ),
        pytest.param(
            b'{"n": 12345678901234567890.10}',
            b'{"n": 12345678901234567890.10,"site":"a","key":"t&k n"}',
            id="digits stay",
        ),
        pytest.param(b"[]", None, id="a list"),
        pytest.param(b'{"a": 1} x', None, id="more behind it"),
        pytest.param(b'{"a": 1,}', None, id="a comma too many"),
        pytest.param(b'{"a" 1}', None, id="no colon"),
        pytest.param(b"{a: 1}", None, id="a bare name"),
        pytest.param(b'{"a": 1', None, id="cut"),
        pytest.param(b"", None, id="nothing"),
        pytest.param('{"a": 1}'.encode("utf-16"), None, id="not in UTF-8"),
        pytest.param(b'{"a":' + b"[" * 100_000, None, id="without end"),
    ],
)
def test_json(body: bytes, expected: bytes | None) -> None:
    """Parameters are put into JSON objects; what is none is not guessed at."""
    parameters = made("key", body={"site": "{{ site }}", "key": "{{ access_token }}"})

    assert expected == parameters.with_json(body)


@given(st.dictionaries(st.text(max_size=8), st.recursive(st.integers() | st.text(max_size=5), st.lists, max_leaves=5)))
def test_merged_json_is_json(members: dict[str, Any]) -> None:
    """What comes out is an object with the parameters and everything else that went in."""
    parameters = made("key", body={"site": "{{ site }}", "key": "{{ access_token }}"})
    merged = parameters.with_json(json.dumps(members).encode())

    assert merged is not None
    kept = {name: value for name, value in members.items() if name.strip().lower() not in {"key"} and "[" not in name}
    assert {"site": "a", **kept, "key": "t&k n"} == {
        name: value for name, value in json.loads(merged).items() if name in {"site", "key", *kept}
    }


def test_nested_body_parameters() -> None:
    """A parameter may be a tree; its templates are rendered wherever they stand."""
    parameters = made(body={"filter": {"site": "{{ site }}", "n": 1}})

    assert b'{"filter":{"site": "a", "n": 1}}' == parameters.with_json(b"{}")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b"", b"site=a&key=t%26k%20n", id="empty"),
        pytest.param(b"x=%ff&site=b", b"x=%ff&site=b&key=t%26k%20n", id="over a default"),
        pytest.param(b"k%65y=x&KEY=y&x=\xff", b"x=\xff&site=a&key=t%26k%20n", id="locked, in every spelling"),
    ],
)
def test_forms(body: bytes, expected: bytes) -> None:
    """Forms follow the rules of queries; bytes that are no text stay what they are."""
    parameters = made("key", body={"site": "{{ site }}", "key": "{{ access_token }}"})

    assert expected == parameters.with_form(body)


@pytest.mark.parametrize(
    ("value", "fine"),
    [
        ("a\tb", True),
        ("ü", True),
        ("a\nb", False),
        ("a\rb", False),
        ("a\0b", False),
        ("a\x7fb", False),
        ("\ud800", False),
    ],
)
def test_a_token_cannot_break_out_of_its_header(value: str, fine: bool) -> None:
    """A provider's token with a line break in it would write headers of its own."""
    parameters = RequestParameters(
        Template.parse("https://a.example"), headers={"X-Token": Template.parse("{{ access_token }}")}
    )
    values = {"access_token": Secret(value)}
    if fine:
        assert ((b"x-token", value.encode()),) == rendered(parameters, values).default_headers
    else:
        with pytest.raises(ProviderBadResponse):
            rendered(parameters, values)


def test_values_are_not_shown() -> None:
    """The token does not stand in a representation."""
    parameters = made("authorization", headers=HEADERS, query={"k": "{{ access_token }}"}, body={"k": "{{ site }}"})

    assert "t&k" not in repr(parameters)
    assert "t%26k" not in repr(parameters)
