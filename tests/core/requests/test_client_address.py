"""The end user's address in a header: which headers may hold it, what counts as an address, how it is written."""

from __future__ import annotations

import pytest

from keyturn.core.messages import OutgoingRequest
from keyturn.core.requests.client_address import address_from, may_carry, with_client_address
from tests.core.connector_files import changed, faults, read

REQUEST = OutgoingRequest("POST", "https://login.example.com/oauth/token", (("Accept", "*/*"),))


@pytest.mark.parametrize("name", ["X-Forwarded-For", "auth0-forwarded-for", "X-Real-IP", "Forwarded", "True-Client-IP"])
def test_headers_for_an_address(name: str) -> None:
    """What providers ask for is taken as it is written."""
    read_name = read(changed(("client_address_header", name))).client_address_header

    assert name == read_name


@pytest.mark.parametrize(
    "name",
    [
        "Authorization", "authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "Host", "Content-Type",
        "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer", "Upgrade", "Expect",
        "Accept", "User-Agent", "Keyturn-Key", "Sec-Fetch-Site", "Proxy-Connection", "X-HTTP-Method-Override",
        "Authentication-Info", "X Forwarded For", "X-Forwarded-For:", "X\u00e9", "", "{{ username }}", "x" * 101,
    ],
)  # fmt: skip
def test_headers_that_mean_something_else(name: str) -> None:
    """A header that says who asks, what the body is or how it travels is refused at its place, and so is no name."""
    found = faults(changed(("client_address_header", name)))

    assert ["/client_address_header"] == [pointer for pointer, _ in found]


def test_the_neighbours_just_outside() -> None:
    """A name that only resembles a refused one is fine."""
    names = ("X-Host", "Authorization-For", "XSec-For", "X-Keyturn-For")

    assert all(may_carry(name) for name in names)


@pytest.mark.parametrize("place", ["token.headers", "token.before", "challenges.then", "challenges.resend"])
def test_a_request_that_writes_the_header_itself(place: str) -> None:
    """Two values of one header would leave the provider to choose: said where the second one stands."""
    headers = {"x-forwarded-for": "203.0.113.9"}
    url = "https://login.example.com/step"
    own = {
        "token.headers": ("token.headers", headers),
        "token.before": ("token.before", [{"name": "first", "url": url, "headers": headers, "capture": {"a": "a"}}]),
    }
    challenge: dict[str, object] = {
        "when": {"status": [403]},
        "ask": [{"key": "otp", "label": "Code", "type": "otp"}],
        "then": {"extra_params": {"otp": "{{ otp }}"}},
    }
    key = place.partition(".")[2]
    challenge[key] = {**({"extra_params": {"otp": "{{ otp }}"}} if key == "then" else {"url": url}), "headers": headers}
    file = changed(("client_address_header", "X-Forwarded-For"), own.get(place, ("challenges", [challenge])))

    assert ("contradiction",) == tuple(code for _, code in faults(file))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("203.0.113.7:443", None),
        ("fe80::1%eth0", None),
        ("203.0.113.7\r\nX: y", None),
        ("203.0.113.7, 198.51.100.1", None),
        ("203.0.113", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_what_an_address_is(text: str, expected: str | None) -> None:
    """One IP address in its usual form; a port, a zone, a list or a name is none."""
    assert expected == address_from(text)


@pytest.mark.parametrize(
    ("header", "address", "expected"),
    [
        ("X-Forwarded-For", "203.0.113.7", "203.0.113.7"),
        ("X-Forwarded-For", "2001:db8::7", "2001:db8::7"),
        ("forwarded", "203.0.113.7", "for=203.0.113.7"),
        ("Forwarded", "2001:db8::7", 'for="[2001:db8::7]"'),
    ],
)
def test_how_it_is_written(header: str, address: str, expected: str) -> None:
    """As it is, and in `Forwarded` as RFC 7239 section 6 has it."""
    connector = read(changed(("client_address_header", header)))

    request = with_client_address(REQUEST, connector, address)

    assert (*REQUEST.headers, (header, expected)) == request.headers


def test_without_a_header_or_an_address_nothing_is_added() -> None:
    """A connector that doesn't ask for it gets none, and no address is made up."""
    asks, asks_not = read(changed(("client_address_header", "X-Real-IP"))), read(changed())

    assert REQUEST == with_client_address(REQUEST, asks_not, "203.0.113.7")
    assert REQUEST == with_client_address(REQUEST, asks, None)
