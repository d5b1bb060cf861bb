"""What is read of a request, and how much of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from keyturn.core.errors import BadRequest
from keyturn.web.kit.strict_json import MAX_BODY_BYTES, MAX_DEPTH, parse_json
from tests.web.control.house import CANARY, assert_problem, begin, login_body

PATH = "/v1/connections"


def nested(depth: int) -> bytes:
    """So many lists in each other."""
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"{'a': 1}", id="single quotes"),
        pytest.param(b'{"a": 1, "a": 1}', id="a member twice"),
        pytest.param(b'{"b": {"a": 1, "a": 2}}', id="a member twice, further in"),
        pytest.param(b'{"a": NaN}', id="NaN"),
        pytest.param(b'{"a": -Infinity}', id="infinity"),
        pytest.param(b'{"a": 1e999}', id="too large a number"),
        pytest.param(b'{"a": ' + b"9" * 5000 + b"}", id="too long a number"),
        pytest.param(b'{"a": "\\ud800"}', id="half a character"),
        pytest.param(b'{"\\udfff": 1}', id="half a character in a name"),
        pytest.param(b'{"a": "\xff"}', id="no UTF-8"),
        pytest.param(b'{"a": "\xed\xa0\x80"}', id="half a character in UTF-8"),
        pytest.param(nested(MAX_DEPTH + 2), id="a level too deep"),
        pytest.param(nested(100_000), id="a depth bomb"),
        pytest.param(b'{"a":' * 100_000, id="a depth bomb of objects"),
        pytest.param(b"{} {}", id="two texts"),
    ],
)
def test_what_is_no_strict_json(raw: bytes) -> None:
    """Whatever two readers could take differently is refused as unreadable."""
    with pytest.raises(BadRequest):
        parse_json(raw)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        pytest.param(b'\xef\xbb\xbf{"a": 1}', {"a": 1}, id="a byte-order mark"),
        pytest.param(b'{"a": "\\ud83d\\ude00"}', {"a": "😀"}, id="a pair of halves"),
        pytest.param(b'{"a": "\\u0000"}', {"a": "\0"}, id="NUL, which a password may hold"),
        pytest.param(b'{"a": {"b": 1}, "b": 1}', {"a": {"b": 1}, "b": 1}, id="one name in two objects"),
        pytest.param(b"1e300", 1e300, id="a large number"),
    ],
)
def test_what_is_strict_json(raw: bytes, value: object) -> None:
    """The neighbours of what is refused are read."""
    assert value == parse_json(raw)
    assert isinstance(parse_json(nested(MAX_DEPTH)), list)


async def endless() -> AsyncIterator[bytes]:
    """A body that never ends, without a length."""
    while True:
        yield b" " * 65_536


async def untouched() -> AsyncIterator[bytes]:
    """A body that must not be read."""
    raise AssertionError("the body was read")
    yield b""


async def test_a_large_body_is_refused_before_it_is_read() -> None:
    """Content-Length is enough to say no."""
    house = await begin()
    length = {"content-length": str(MAX_BODY_BYTES + 1)}
    answer = await house.call("POST", PATH, raw=untouched(), headers=length)
    bomb = await house.call("POST", PATH, raw=untouched(), headers={"content-length": "9" * 4000})

    assert_problem(answer, 413, "payload_too_large")
    assert_problem(bomb, 413, "payload_too_large")


async def test_an_endless_body_is_refused_while_it_comes() -> None:
    """Without a length, reading stops at the limit."""
    house = await begin()

    assert_problem(await house.call("POST", PATH, raw=endless()), 413, "payload_too_large")


async def test_a_body_of_just_the_size_is_read() -> None:
    """256 KiB are allowed, for JSON and for a connector; one byte more is not."""
    house = await begin()
    fits = json.dumps(login_body()).encode().ljust(MAX_BODY_BYTES)
    house.world.egress.will_reply(AssertionError("not sent"))
    connector = b"a: b\n".ljust(MAX_BODY_BYTES)
    at_limit = await house.call("PUT", "/v1/connectors/acme", raw=connector, kind="application/yaml")
    over = await house.call("PUT", "/v1/connectors/acme", raw=connector + b" ", kind="application/yaml")
    unknown = await house.call("POST", PATH, raw=fits.replace(b'"acme"', b'"nope"'))

    assert_problem(at_limit, 422, "connector_invalid")
    assert_problem(over, 413, "payload_too_large")
    assert_problem(unknown, 404, "not_found")
    assert_problem(await house.call("POST", PATH, raw=fits + b" "), 413, "payload_too_large")


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "²", "1, 1"])
async def test_a_length_that_is_no_number(length: str) -> None:
    """It is refused, not guessed."""
    house = await begin()
    answer = await house.call("POST", PATH, raw=untouched(), headers={"content-length": length})

    assert_problem(answer, 400, "bad_request")


@pytest.mark.parametrize(
    ("path", "kind", "status"),
    [
        pytest.param(PATH, "application/json", 422, id="JSON"),
        pytest.param(PATH, "Application/JSON; charset=UTF-8", 422, id="JSON, spelled otherwise"),
        pytest.param(PATH, "application/json; charset=latin1", 415, id="another charset"),
        pytest.param(PATH, "application/x-www-form-urlencoded", 415, id="a form"),
        pytest.param(PATH, "application/yaml", 415, id="YAML where JSON is read"),
        pytest.param(PATH, "application/jsonp", 415, id="begins like JSON"),
        pytest.param(PATH, "", 415, id="none"),
        pytest.param("/v1/connectors/acme", "application/yaml", 422, id="a connector in YAML"),
        pytest.param("/v1/connectors/acme", "text/yaml; charset=utf-8", 422, id="a connector in YAML, old name"),
        pytest.param("/v1/connectors/acme", "application/json", 422, id="a connector in JSON"),
        pytest.param("/v1/connectors/acme", "text/plain", 415, id="a connector in plain text"),
    ],
)
async def test_media_types(path: str, kind: str, status: int) -> None:
    """Only what is read here is taken, by its stated kind."""
    house = await begin()
    answer = await house.call("POST" if path == PATH else "PUT", path, raw=b"{}", kind=kind)

    assert status == answer.status_code


async def test_a_compressed_body_is_not_read() -> None:
    """Nothing is unpacked for a caller."""
    house = await begin()
    answer = await house.call("POST", PATH, raw=b"{}", headers={"content-encoding": "gzip"})

    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize("raw", [b"", b"{}", b" {} "])
async def test_a_call_without_members_takes_an_empty_body(raw: bytes) -> None:
    """Clients that always send an object are served, and so are those that never do."""
    house = await begin()

    assert 200 == (await house.call("POST", f"{house.path}/pause", raw=raw)).status_code


@pytest.mark.parametrize("raw", [b'{"a": 1}', b"[]", b"0", b'"x"', b"false"])
async def test_a_call_without_members_takes_none(raw: bytes) -> None:
    """A member that would be ignored is refused."""
    house = await begin()

    assert_problem(await house.call("POST", f"{house.path}/pause", raw=raw), 422, "validation_failed")


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param(login_body(**{CANARY: 1}), [""], id="an unknown member"),
        pytest.param(login_body(owner=[CANARY]), ["/owner"], id="a list for a text"),
        pytest.param(login_body(keep_password=CANARY), ["/keep_password"], id="a text for a switch"),
        pytest.param(login_body(password={"x": CANARY}), ["/password"], id="an object for a password"),
        pytest.param(login_body(fields={CANARY: [CANARY]}), ["/fields"], id="a list in a field with a name of theirs"),
        pytest.param(login_body(fields=CANARY), ["/fields"], id="a text for the fields"),
        pytest.param(login_body(fields={CANARY: CANARY}), ["/fields"], id="an unknown field"),
        pytest.param(login_body(connector=CANARY + "\0"), ["/connector"], id="NUL in an id"),
        pytest.param(login_body(owner=CANARY + "\0"), ["/owner"], id="NUL in an owner"),
        pytest.param(login_body(username=CANARY + "\r\n"), ["/username"], id="a new line in a username"),
        pytest.param(login_body(password=..., username=...), ["/username", "/password"], id="no credentials"),
        pytest.param(login_body(connector=..., owner=...), ["/connector", "/owner"], id="nothing at all"),
        pytest.param([CANARY], [""], id="no object"),
        pytest.param(CANARY, [""], id="a text"),
    ],
)
async def test_what_is_wrong_is_pointed_at_and_never_repeated(body: object, pointers: list[str]) -> None:
    """The pointer ends at the last part that has a name of ours; nothing of the input comes back, nothing is sent."""
    house = await begin()
    sent = len(house.world.egress.requests)
    answer = await house.call("POST", PATH, body)
    errors = assert_problem(answer, 422, "validation_failed")["errors"]

    assert pointers == list(dict.fromkeys(each["pointer"] for each in errors))
    assert CANARY not in answer.text
    assert sent == len(house.world.egress.requests)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/connections?limit=x", "/v1/connections?limit=0", "/v1/connections?limit=201", "/v1/connections?limit=9e99",
        "/v1/connections?cursor=canary-4f1d", "/v1/connections?state=canary-4f1d", "/v1/connections?canary-4f1d=1",
        "/v1/connections?owner=%00", "/v1/connections?owner=a&owner=b", "/v1/connectors?canary-4f1d",
        "/v1/audit?cursor=%00", "/v1/audit?limit=-1",
    ],
)  # fmt: skip
async def test_wrong_parameters(path: str) -> None:
    """They are refused rather than passed over, and not repeated."""
    house = await begin()
    answer = await house.call("GET", path)

    assert_problem(answer, 422, "validation_failed")
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "part", ["%00", "a%00b", "%ff", "..", "%2e%2e", "a%2Fb", "a" * 200, "ü", "%0d%0a", "-x", "a b"]
)
async def test_ids_that_nothing_can_have(part: str) -> None:
    """They are not found, without asking the database."""
    house = await begin()
    house.world.stores.database.gone = True
    for path in (f"/v1/connections/{part}/why", f"/v1/connectors/{part}/versions", f"/v1/connect-sessions/{part}"):
        answer = await house.call("GET", path)

        assert 404 == answer.status_code
