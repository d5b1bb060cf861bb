"""Bodies given as text: what goes out, what a value may hold, and what an author may write."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.connector import Encoding
from keyturn.core.errors import ValidationFailed, ValueAbsent
from keyturn.core.format.writing import dump_connector
from keyturn.core.requests.body_text import body_text
from keyturn.core.requests.provider_request import build_request, preview_request
from keyturn.core.secret import Secret
from keyturn.core.templates import Template
from tests.core.connector_files import changed, faults, read

LOGIN = '<login kind="{{ username }}"><!-- x --><pass>{{ password }}</pass></login>'
XML = [("token.encoding", "xml"), ("token.body", LOGIN), ("client", {"authentication": "none"}), ("refresh", "none")]
VALUES = {"username": "jo", "password": Secret("p")}


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff")))
def test_a_value_comes_out_of_xml_as_it_went_in(value: str) -> None:
    """Whatever is in it, in a text and in an attribute."""
    body = body_text(Encoding.XML, Template.parse(LOGIN), {"username": value, "password": Secret(value)})
    root = ElementTree.fromstring(body)  # noqa: S314  (ours)

    assert (value, value) == (root.get("kind"), root.findtext("pass") or "")
    assert 1 == len(root)


@pytest.mark.parametrize("value", ["a\nb", "a\r\nb", "a\tb", "]]>", "</pass><admin/>", "&amp;", '" x="1'])
def test_line_ends_and_markup_stay_what_they_are(value: str) -> None:
    """Nothing is normalised, nothing breaks out."""
    body = body_text(Encoding.XML, Template.parse(LOGIN), {"username": value, "password": value})
    root = ElementTree.fromstring(body)  # noqa: S314  (ours)

    assert (value, value, 1) == (root.get("kind"), root.findtext("pass"), len(root))


@pytest.mark.parametrize(
    ("encoding", "value"),
    [
        pytest.param(Encoding.XML, "a\x00canary", id="a nought in XML"),
        pytest.param(Encoding.XML, "a\x0bcanary", id="a control character in XML"),
        pytest.param(Encoding.XML, "a\ufffecanary", id="no character in XML"),
        pytest.param(Encoding.TEXT, "a\ncanary", id="a line end in text"),
        pytest.param(Encoding.TEXT, "a\u2028canary", id="a line separator in text"),
        pytest.param(Encoding.TEXT, "a\ud800canary", id="half a character"),
    ],
)
def test_what_cannot_be_escaped_is_refused(encoding: Encoding, value: str) -> None:
    """By the name of the value, never by the value."""
    with pytest.raises(ValidationFailed) as refused:
        body_text(encoding, Template.parse("<a>{{ password }}</a>"), {"password": Secret(value)})

    assert ["/password"] == [each.pointer for each in refused.value.errors]
    assert "canary" not in str(refused.value.errors)


def test_a_request_with_a_body() -> None:
    """The body alone, with its own type; no parameters; a preview that shows no secret."""
    token = read(changed(*XML)).token
    built = build_request(token, VALUES, client_id=None, client_secret=None)
    shown = preview_request(token, VALUES, client_id=None, client_secret=None)

    assert b'<login kind="jo"><!-- x --><pass>p</pass></login>' == built.body
    assert {"Content-Type": "application/xml; charset=utf-8", "Accept": "*/*"} == dict(built.headers)
    assert "password" in shown.body
    assert "<pass>p<" not in shown.body
    with pytest.raises(ValueAbsent):
        build_request(token, {"username": "jo"}, client_id=None, client_secret=None)


def test_plain_text() -> None:
    """As it is written, line ends of the author's too."""
    value = changed(*XML, ("token.encoding", "text"), ("token.body", "{{ username }}\n{{ password }}"))
    built = build_request(read(value).token, VALUES, client_id=None, client_secret=None)

    assert b"jo\np" == built.body
    assert "text/plain; charset=utf-8" == dict(built.headers)["Content-Type"]


def test_what_is_taken_over() -> None:
    """A challenge's request takes the body over with the encoding, and drops it with another one."""
    same = {"when": {"status": [400]}, "then": {"url": "https://login.example.com/b"}}
    other = {"when": {"status": [401]}, "then": {"encoding": "json", "params": {"a": "b"}}}
    connector = read(changed(*XML, ("challenges", [same, other])))
    first, second = (each.then for each in connector.challenges)
    assert first is not None
    assert second is not None

    assert (connector.token.body, None) == (first.body, second.body)
    assert connector == read(dump_connector(connector))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([], [], id="right"),
        pytest.param([("token.body", None)], [("/token", "required_key")], id="no body"),
        pytest.param([("token.encoding", None)], [("/token/body", "contradiction")], id="a body in a form"),
        pytest.param([("token.params", {"a": "b"})], [("/token/params", "contradiction")], id="parameters beside it"),
        pytest.param([("token.method", "GET")], [("/token", "contradiction")], id="a method without a body"),
        pytest.param([("client", {"authentication": "post"})], [("/token", "contradiction")], id="post"),
        pytest.param([("client", {"authentication": "basic"})], [], id="basic"),
        pytest.param([("refresh", None)], [("/token/encoding", "required_key")], id="a renewal without a body"),
        pytest.param([("refresh", {})], [("/refresh", "required_key")], id="a renewal that says nothing"),
        pytest.param([("refresh", {"encoding": "form"})], [], id="a renewal in a form"),
        pytest.param([("refresh", {"body": "<r>{{ refresh_token }}</r>"})], [], id="a renewal with its own"),
        pytest.param([("token.body", "<a>{{ username }}")], [("/token/body", "wrong_value")], id="not well-formed"),
        pytest.param([("token.body", "<a b={{ username }}/>")], [("/token/body", "wrong_value")], id="no quotes"),
        pytest.param([("token.body", "<{{ username }}/>")], [("/token/body", "wrong_value")], id="as a name"),
        pytest.param([("token.body", "<a><!--{{ username }}--></a>")], [("/token/body", "wrong_value")], id="comment"),
        pytest.param(
            [("token.body", "<a><![CDATA[{{ username }}]]></a>")], [("/token/body", "wrong_value")], id="in CDATA"
        ),
        pytest.param(
            [("token.body", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;{{ username }}</a>")],
            [("/token/body", "wrong_value")],
            id="a document type",
        ),
        pytest.param(
            [("token.body", "<?xml version='1.0' encoding='latin-1'?><a/>")],
            [("/token/body", "wrong_value")],
            id="another charset",
        ),
        pytest.param([("token.body", "<?xml version='1.0' encoding='UTF-8'?><a/>")], [], id="the one that it is"),
        pytest.param([("token.body", "<a>{{ nobody }}</a>")], [("/token/body", "unknown_name")], id="unknown"),
        pytest.param(
            [("test.encoding", "xml"), ("test.method", "POST"), ("test.body", "<a>{{ password }}</a>")],
            [("/test/body", "secret_not_allowed_here")],
            id="a secret out of its place",
        ),
        pytest.param([("test.encoding", "text"), ("test.body", "x")], [("/test", "contradiction")], id="a GET"),
    ],
)
def test_what_an_author_may_write(changes: list[tuple[str, Any]], expected: list[tuple[str, str]]) -> None:
    """A body where it goes, and values where they can be escaped."""
    assert expected == faults(changed(*XML, *changes))
