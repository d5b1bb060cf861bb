"""A JWT's claims, read as data: whatever the token is, reading it does no harm."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.answers.jwt_claims import MAX_CLAIMS_CHARS, claims_of
from keyturn.core.secret import Secret


def jwt(payload: str | bytes, *, padded: bool = False) -> Secret:
    """A compact JWT with this payload; its signature is none."""
    raw = payload if isinstance(payload, bytes) else payload.encode()
    text = base64.urlsafe_b64encode(raw).decode()
    return Secret(f"eyJhbGciOiJub25lIn0.{text if padded else text.rstrip('=')}.c2ln")


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("claims", [{}, {"sub": "42"}, {"a": {"b": [1, "ü"]}}, {"sub": "4", "x": ">>>???"}])
def test_the_payload_is_read(claims: dict[str, object], padded: bool) -> None:
    """RFC 7519 §3; also with the padding that some leave in."""
    assert claims == claims_of(jwt(json.dumps(claims), padded=padded))


NONE = [
    pytest.param(Secret(""), id="empty"),
    pytest.param(Secret("opaque"), id="opaque"),
    pytest.param(Secret("a.b"), id="two parts"),
    pytest.param(Secret("a.e30.c.d.e"), id="five parts: encrypted"),
    pytest.param(Secret("a..c"), id="no payload"),
    pytest.param(Secret("a.!.c"), id="no base64"),
    pytest.param(Secret("a.é.c"), id="not ASCII"),
    pytest.param(jwt("[1]"), id="a list"),
    pytest.param(jwt('"x"'), id="a text"),
    pytest.param(jwt("{"), id="cut JSON"),
    pytest.param(jwt(b"\xff\xfe\xfd"), id="no UTF-8"),
    pytest.param(jwt("[" * 40_000), id="nested too deep"),
    pytest.param(jwt('{"a":' * 65 + "1" + "}" * 65), id="one level too deep"),
    pytest.param(jwt('{"a":' * 5_000 + "1" + "}" * 5_000), id="as deep as only some Pythons read"),
    pytest.param(jwt('{"n": ' + "9" * 20_000 + "}"), id="a number beyond bounds"),
]


@pytest.mark.parametrize("token", NONE)
def test_what_is_no_jwt_has_no_claims(token: Secret) -> None:
    """An access token may be anything; none of it is an error."""
    assert {} == claims_of(token)


def test_the_deepest_payload_that_is_read() -> None:
    """The bound is that of all JSON of a provider, the same on every Python."""
    claims = claims_of(jwt('{"a":' * 64 + "1" + "}" * 64))

    assert {"a"} == claims.keys()


def test_a_payload_has_a_bound() -> None:
    """At its last character it is read, one later not."""
    blanks = MAX_CLAIMS_CHARS // 4 * 3 - len('{"a":1}')
    fits = jwt('{"a":1}' + " " * blanks)

    assert MAX_CLAIMS_CHARS == len(fits.reveal().split(".")[1])
    assert {"a": 1} == claims_of(fits)
    assert {} == claims_of(jwt('{"a":1}' + " " * (blanks + 1)))


@given(st.text(max_size=200))
def test_any_text_can_be_looked_at(text: str) -> None:
    """No text of a provider raises."""
    assert isinstance(claims_of(Secret(f"a.{text}.c")), dict)
