"""Which calls a value of `request.only` is put on, and what it stands in the place of."""

from __future__ import annotations

import pytest

from keyturn.core.connector import OnSomeCalls, RequestParameters
from keyturn.core.requests.on_some_calls import is_meant, meant_by, put_together
from keyturn.core.templates import Template


def template(text: str) -> Template:
    """A parsed template."""
    return Template.parse(text)


WRITES = frozenset({"POST", "DELETE"})
READS = frozenset({"GET"})


@pytest.mark.parametrize(
    ("methods", "paths", "call", "expected"),
    [
        pytest.param(WRITES, (), ("POST", "/x"), True, id="its method"),
        pytest.param(WRITES, (), ("GET", "/x"), False, id="another method"),
        pytest.param(READS, (), ("HEAD", "/x"), True, id="GET stands for HEAD"),
        pytest.param((), ("/api",), ("GET", "/api"), True, id="the path itself"),
        pytest.param((), ("/api",), ("GET", "/api/x"), True, id="below it"),
        pytest.param((), ("/api",), ("GET", "/apix"), False, id="a longer segment"),
        pytest.param((), ("/api/",), ("GET", "/api"), False, id="only below it"),
        pytest.param((), ("/",), ("GET", "/api"), True, id="everything"),
        pytest.param((), ("/a/*/b",), ("GET", "/a/1.2/b/c"), True, id="any segment"),
        pytest.param((), ("/a/*/b",), ("GET", "/a/1/2/b"), False, id="not two of them"),
        pytest.param((), ("/a/*/b",), ("GET", "/a//b"), False, id="nor none"),
        pytest.param((), ("/a.b",), ("GET", "/aXb"), False, id="a dot is a dot"),
        pytest.param((), ("/x", "/y"), ("GET", "/y/1"), True, id="one of several"),
        pytest.param((), ("/api",), ("GET", "/v1/api"), False, id="not in the middle"),
        pytest.param((), ("/api",), ("GET", "/API"), False, id="in another case"),
        pytest.param(WRITES, ("/api",), ("POST", "/x"), False, id="method without path"),
    ],
)
def test_which_calls_are_meant(
    methods: set[str], paths: tuple[str, ...], call: tuple[str, str], expected: bool
) -> None:
    """By method, by path, or by both."""
    assert expected == is_meant(OnSomeCalls(frozenset(methods), paths), *call)


def test_what_is_put_together() -> None:
    """Later ones over earlier ones over those of every call; header names whatever their case, in one place each."""
    base = RequestParameters(
        template("https://api.example.com"),
        headers={"X-Mode": template("read"), "Authorization": template("Bearer {{ access_token }}")},
        query={"v": template("1")},
        body={"site": template("a")},
        only=(
            OnSomeCalls(WRITES, headers={"x-mode": template("write")}, body={"site": template("b"), "n": 1}),
            OnSomeCalls(WRITES, ("/x",), headers={"X-MODE": template("x")}, query={"v": template("2")}),
        ),
    )
    which = meant_by(base, "POST", "/x/1")
    made = put_together(base, which)

    assert ((0, 1), (0,), ()) == (which, meant_by(base, "POST", "/"), meant_by(base, "GET", "/x"))
    assert {"Authorization": template("Bearer {{ access_token }}"), "X-MODE": template("x")} == made.headers
    assert ({"v": template("2")}, {"site": template("b"), "n": 1}) == (made.query, made.body)
    assert () == made.only
