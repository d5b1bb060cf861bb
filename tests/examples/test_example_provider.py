"""The example provider says what the RFCs say, and shows no secret."""

from __future__ import annotations

import ast
import hashlib
import io
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote_plus

import httpx
import jmespath
import pytest
from ruamel.yaml import YAML

from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.reading import Document, read_connector
from keyturn_example_provider.accounts import one_time_code
from keyturn_example_provider.app import make_app, make_provider
from keyturn_example_provider.settings import DEFAULT_CLIENT_SECRET, Settings
from tests.examples.provider_caller import CLIENT, DEMO, ODD, OTP, Caller, FakeClock

CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "examples" / "provider" / "keyturn_example_provider"
BASE = "http://127.0.0.1:8801"


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    """Give a caller of a fresh provider whose clock stands still."""
    clock, log = FakeClock(), io.StringIO()
    provider = make_provider(Settings(debug_endpoints=True), log)
    provider.clock = clock
    transport = httpx.ASGITransport(make_app(provider))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        yield Caller(provider, http, clock, log)


# --- the token endpoint


async def test_a_login_answers_a_token_pair(caller: Caller) -> None:
    """The password grant answers what RFC 6749 section 5.1 lists, and tells caches to keep nothing."""
    answer = await caller.log_in()

    assert 200 == answer.status_code
    assert {"access_token", "token_type", "expires_in", "refresh_token", "scope"} == set(answer.json())
    assert ("Bearer", 60, "read write") == tuple(answer.json()[key] for key in ("token_type", "expires_in", "scope"))
    assert ("no-store", "no-cache") == (answer.headers["cache-control"], answer.headers["pragma"])


async def test_the_odd_password_arrives_byte_for_byte(caller: Caller) -> None:
    """A password full of characters that forms escape is right as it is and wrong with a space behind."""
    right = await caller.log_in(ODD.username, ODD.password)
    wrong = await caller.log_in(ODD.username, ODD.password + " ")

    assert (200, 400) == (right.status_code, wrong.status_code)


BASIC = "Basic " + b64encode(":".join(CLIENT).encode()).decode()
FORM = "application/x-www-form-urlencoded"
LOGIN = f"grant_type=password&username=demo&password={DEMO.password}"


@pytest.mark.parametrize(
    ("path", "headers", "body", "status", "error"),
    [
        pytest.param("/oauth/token", {}, LOGIN, 401, "invalid_client", id="no client"),
        pytest.param(
            "/oauth/token",
            {"authorization": "Basic " + b64encode(b"acme-client:nearly").decode()},
            LOGIN,
            401,
            "invalid_client",
            id="wrong secret",
        ),
        pytest.param("/oauth/token", {"authorization": "Basic %%%"}, LOGIN, 401, "invalid_client", id="not base64"),
        pytest.param("/oauth/token", {"authorization": "Bearer x"}, LOGIN, 401, "invalid_client", id="not Basic"),
        pytest.param(
            "/oauth/token",
            {"authorization": BASIC},
            f"{LOGIN}&client_id={CLIENT[0]}&client_secret={CLIENT[1]}",
            400,
            "invalid_request",
            id="client in two ways",
        ),
        pytest.param(
            "/oauth/token", {"authorization": BASIC}, f"{LOGIN}&client_id=other", 400, "invalid_request", id="two ids"
        ),
        pytest.param(
            "/oauth/token", {"authorization": BASIC}, "username=demo", 400, "invalid_request", id="no grant_type"
        ),
        pytest.param(
            "/oauth/token",
            {"authorization": BASIC},
            "grant_type=password&username=demo&password=",
            400,
            "invalid_request",
            id="an empty parameter is absent",
        ),
        pytest.param(
            "/oauth/token", {"authorization": BASIC}, LOGIN + "&username=demo", 400, "invalid_request", id="repeated"
        ),
        pytest.param(
            "/oauth/token?x=1", {"authorization": BASIC}, LOGIN, 400, "invalid_request", id="parameters in the URL"
        ),
        pytest.param(
            "/oauth/token",
            {"authorization": BASIC, "content-type": "application/json"},
            "{}",
            400,
            "invalid_request",
            id="JSON",
        ),
        pytest.param(
            "/oauth/token", {"authorization": BASIC}, LOGIN + "&x=%ff", 400, "invalid_request", id="not UTF-8"
        ),
        pytest.param(
            "/oauth/token", {"authorization": BASIC}, "x=" + "a" * 65_536, 413, "invalid_request", id="too large"
        ),
        pytest.param(
            "/oauth/token",
            {"authorization": BASIC},
            "grant_type=client_credentials",
            400,
            "unsupported_grant_type",
            id="another grant",
        ),
        pytest.param(
            "/oauth/token", {"authorization": BASIC}, LOGIN + "&scope=read+admin", 400, "invalid_scope", id="scope"
        ),
        pytest.param("/oauth/token", {"authorization": BASIC}, LOGIN + "x", 400, "invalid_grant", id="wrong password"),
        pytest.param(
            "/oauth/token",
            {"authorization": BASIC},
            "grant_type=refresh_token&refresh_token=rt_no",
            400,
            "invalid_grant",
            id="unknown refresh token",
        ),
        pytest.param("/oauth/revoke", {}, "token=x", 401, "invalid_client", id="revoke without a client"),
        pytest.param(
            "/oauth/revoke", {"authorization": BASIC}, "x=1", 400, "invalid_request", id="revoke without a token"
        ),
    ],
)
async def test_errors_are_those_of_the_rfc(
    caller: Caller, path: str, headers: dict[str, str], body: str, status: int, error: str
) -> None:
    """Each mistake has the status and the code of RFC 6749 section 5.2; only invalid_client carries a challenge."""
    answer = await caller.http.post(path, content=body, headers={"content-type": FORM} | headers)

    assert (status, error) == (answer.status_code, answer.json()["error"])
    assert "no-store" == answer.headers["cache-control"]
    assert (status == 401) == answer.headers.get("www-authenticate", "").startswith("Basic realm=")


@pytest.mark.parametrize(
    ("secret", "sent", "status"),
    [
        pytest.param("a b+c:d%é", quote_plus("a b+c:d%é"), 200, id="form-encoded"),
        pytest.param("a b", "a%20b", 200, id="a space as %20"),
        pytest.param("a+b", "a+b", 401, id="a bare plus is a space"),
    ],
)
async def test_basic_is_form_encoded(secret: str, sent: str, status: int) -> None:
    """Both halves of Basic are decoded as RFC 6749 section 2.3.1 says."""
    app = make_app(make_provider(Settings(client_id="i:d", client_secret=secret)))
    basic = b64encode(f"i%3Ad:{sent}".encode()).decode()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        answer = await http.post(
            "/oauth/token", content=LOGIN, headers={"content-type": FORM, "authorization": f"Basic {basic}"}
        )

    assert status == answer.status_code


async def test_the_client_may_come_in_the_body(caller: Caller) -> None:
    """client_secret_post is good as well."""
    answer = await caller.http.post(
        "/oauth/token",
        content=f"{LOGIN}&client_id={CLIENT[0]}&client_secret={CLIENT[1]}",
        headers={"content-type": FORM},
    )

    assert 200 == answer.status_code


# --- refresh, reuse, revocation


async def test_a_refresh_rotates(caller: Caller) -> None:
    """A refresh gives a new pair; the access token of before stays good."""
    first = (await caller.log_in()).json()
    second = (await caller.refresh(first["refresh_token"])).json()

    assert first["refresh_token"] != second["refresh_token"]
    assert [200, 200] == [(await caller.me(pair["access_token"])).status_code for pair in (first, second)]


async def test_a_reused_refresh_token_ends_the_whole_family(caller: Caller) -> None:
    """A spent refresh token seen again kills every token of its login and no other login's."""
    other = (await caller.log_in()).json()
    first = (await caller.log_in()).json()
    second = (await caller.refresh(first["refresh_token"])).json()
    third = (await caller.refresh(second["refresh_token"])).json()

    reuse = await caller.refresh(first["refresh_token"])
    late = await caller.refresh(third["refresh_token"])

    assert (400, "invalid_grant") == (reuse.status_code, reuse.json()["error"])
    assert (400, "invalid_grant") == (late.status_code, late.json()["error"])
    assert [401] * 3 == [(await caller.me(pair["access_token"])).status_code for pair in (first, second, third)]
    assert 200 == (await caller.refresh(other["refresh_token"])).status_code


async def test_a_refresh_may_narrow_the_scope_and_not_widen_it(caller: Caller) -> None:
    """A wider scope is refused and spends nothing; a narrower one holds for that access token."""
    pair = (await caller.log_in(scope="read")).json()
    wider = await caller.refresh(pair["refresh_token"], scope="read write")
    again = await caller.refresh(pair["refresh_token"], scope="read")

    assert (400, "invalid_scope") == (wider.status_code, wider.json()["error"])
    assert (200, "read") == (again.status_code, again.json()["scope"])


@pytest.mark.parametrize(
    ("after_s", "me_status", "refresh_status"),
    [
        pytest.param(59.9, 200, 200, id="both live"),
        pytest.param(60, 401, 200, id="access token over"),
        pytest.param(86_399, 401, 200, id="refresh token in its last second"),
        pytest.param(86_400, 401, 400, id="both over"),
    ],
)
async def test_tokens_expire(caller: Caller, after_s: float, me_status: int, refresh_status: int) -> None:
    """Each token is good for its life and not at its end."""
    pair = (await caller.log_in()).json()
    caller.clock.now += after_s

    assert me_status == (await caller.me(pair["access_token"])).status_code
    assert refresh_status == (await caller.refresh(pair["refresh_token"])).status_code


@pytest.mark.parametrize(
    ("kind", "me_status", "refresh_status"),
    [
        pytest.param("access_token", 401, 200, id="an access token ends alone"),
        pytest.param("refresh_token", 401, 400, id="a refresh token ends both"),
        pytest.param(None, 200, 200, id="an unknown token ends nothing"),
    ],
)
async def test_revocation(caller: Caller, kind: str | None, me_status: int, refresh_status: int) -> None:
    """Revoking answers 200 and an empty body in any case (RFC 7009 section 2.2), whatever the hint."""
    pair = (await caller.log_in()).json()
    form = {"token": pair[kind] if kind else "nobody-s", "token_type_hint": "refresh_token"}
    answer = await caller.http.post("/oauth/revoke", data=form, auth=CLIENT)

    assert (200, b"") == (answer.status_code, answer.content)
    assert me_status == (await caller.me(pair["access_token"])).status_code
    assert refresh_status == (await caller.refresh(pair["refresh_token"])).status_code


# --- few sessions


async def test_a_login_too_many_is_refused() -> None:
    """Until a session of the account ends: by its refresh token revoked, or by its time. Others' don't count."""
    clock = FakeClock()
    provider = make_provider(Settings(max_sessions=1), None)
    provider.clock = clock
    transport = httpx.ASGITransport(make_app(provider))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as http:
        caller = Caller(provider, http, clock, io.StringIO())
        first = (await caller.log_in()).json()
        refused, other = await caller.log_in(), await caller.log_in(ODD.username, ODD.password)
        renewed = await caller.refresh(first["refresh_token"])
        await http.post("/oauth/revoke", data={"token": renewed.json()["refresh_token"]}, auth=CLIENT)
        after_logout = await caller.log_in()
        clock.now += 86_400
        after_its_time = await caller.log_in()

    assert (400, "invalid_grant") == (refused.status_code, refused.json()["error"])
    assert "too many sessions: end one of them first" == refused.json()["error_description"]
    assert [200, 200, 200, 200] == [each.status_code for each in (other, renewed, after_logout, after_its_time)]


# --- lock-out and second factor


@pytest.mark.parametrize("username", [DEMO.username, "nobody"])
async def test_ten_wrong_passwords_lock_for_a_minute(caller: Caller, username: str) -> None:
    """The eleventh try is refused in words of its own even with the right password; a minute later it is not."""
    wrong = [(await caller.log_in(username, "no")).json()["error_description"] for _ in range(10)]
    locked = await caller.log_in(username, DEMO.password)
    caller.clock.now += 59.9
    still = await caller.log_in(username, DEMO.password)
    caller.clock.now += 0.1
    free = await caller.log_in(username, DEMO.password)

    text = "account locked: too many wrong passwords, wait a minute"
    assert {"wrong username or password"} == set(wrong)
    assert (400, "invalid_grant", text) == (
        locked.status_code,
        locked.json()["error"],
        locked.json()["error_description"],
    )
    assert ("61", "1") == (locked.headers["retry-after"], still.headers["retry-after"])
    assert text == still.json()["error_description"]
    assert (200 if username == DEMO.username else 400) == free.status_code
    assert text != free.json().get("error_description")


async def test_a_right_password_starts_the_count_again(caller: Caller) -> None:
    """Only wrong passwords in a row lock."""
    for _ in range(9):
        await caller.log_in(password="no")
    await caller.log_in()
    await caller.log_in(password="no")

    assert 200 == (await caller.log_in()).status_code


async def test_a_one_time_code_completes_the_login(caller: Caller) -> None:
    """The password gives a challenge, the code a token pair, and the mfa_token is good once."""
    challenge = await caller.log_in(OTP.username, OTP.password, scope="read")
    assert OTP.totp_seed is not None
    form = {
        "grant_type": "urn:acme:mfa-otp",
        "mfa_token": challenge.json()["mfa_token"],
        "otp": one_time_code(OTP.totp_seed, now=caller.clock.now),
    }
    done = await caller.token(**form)
    again = await caller.token(**form)

    assert (400, "mfa_required") == (challenge.status_code, challenge.json()["error"])
    assert (200, "read") == (done.status_code, done.json()["scope"])
    assert (400, "unknown or expired mfa_token") == (again.status_code, again.json()["error_description"])


@pytest.mark.parametrize(
    ("wrong_codes", "after_s", "text"),
    [
        pytest.param(1, 0, None, id="one wrong code is forgiven"),
        pytest.param(4, 599, None, id="four, at the last moment"),
        pytest.param(5, 0, "unknown or expired mfa_token", id="five are too many"),
        pytest.param(0, 600, "unknown or expired mfa_token", id="too late"),
    ],
)
async def test_an_mfa_token_wears_out(caller: Caller, wrong_codes: int, after_s: float, text: str | None) -> None:
    """An mfa_token lasts ten minutes and four wrong codes."""
    mfa_token = (await caller.log_in(OTP.username, OTP.password)).json()["mfa_token"]
    form = {"grant_type": "urn:acme:mfa-otp", "mfa_token": mfa_token}
    wrong = [(await caller.token(**form, otp="nope")).json()["error_description"] for _ in range(wrong_codes)]
    caller.clock.now += after_s
    assert OTP.totp_seed is not None
    last = await caller.token(**form, otp=one_time_code(OTP.totp_seed, now=caller.clock.now))

    assert ["wrong one-time code"] * wrong_codes == wrong
    assert text == last.json().get("error_description")


@pytest.mark.parametrize(
    ("now", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037"), (20000000000, "353130")],
)
def test_codes_are_those_of_the_rfc(now: int, code: str) -> None:
    """The vectors of RFC 6238 appendix B, cut to six digits."""
    assert code == one_time_code("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", now=now)


# --- the resources


@pytest.mark.parametrize(
    ("headers", "status", "challenge"),
    [
        pytest.param([], 401, 'Bearer realm="acme-example"', id="no token: no error code"),
        pytest.param([("authorization", BASIC)], 401, 'Bearer realm="acme-example"', id="another scheme"),
        pytest.param(
            [("authorization", "Bearer x")],
            401,
            'Bearer realm="acme-example", error="invalid_token", error_description="unknown access token"',
            id="unknown",
        ),
        pytest.param(
            [("authorization", "Bearer x"), ("authorization", "Bearer y")],
            400,
            'Bearer realm="acme-example", error="invalid_request", '
            'error_description="more than one Authorization header"',
            id="two headers",
        ),
    ],
)
async def test_refusals_of_a_resource(
    caller: Caller, headers: list[tuple[str, str]], status: int, challenge: str
) -> None:
    """A refusal is that of RFC 6750 section 3.1."""
    answer = await caller.http.get("/api/me", headers=headers)

    assert (status, challenge) == (answer.status_code, answer.headers["www-authenticate"])


async def test_me_tells_who(caller: Caller) -> None:
    """`/api/me` tells the account that the token is for."""
    pair = (await caller.log_in(ODD.username, ODD.password)).json()

    assert {"id": ODD.id, "name": ODD.name, "email": ODD.email} == (await caller.me(pair["access_token"])).json()


async def test_notes_are_made_and_listed(caller: Caller) -> None:
    """A POST creates one's own note, which nobody else sees; a bad one creates nothing."""
    mine, other = [
        {"Authorization": f"Bearer {(await caller.log_in(one.username, one.password)).json()['access_token']}"}
        for one in (DEMO, ODD)
    ]
    made = await caller.http.post("/api/notes", json={"text": "bread"}, headers=mine)
    bad = [
        (await caller.http.post("/api/notes", content=body, headers=mine)).status_code
        for body in ("", "[]", '{"text": ""}', '{"text": 1}', json.dumps({"text": "x" * 1_001}))
    ]
    listed = await caller.http.get("/api/notes", headers=mine)

    assert (201, "/api/notes/1") == (made.status_code, made.headers["location"])
    assert [400] * 5 == bad
    assert {"notes": [{"id": 1, "text": "bread"}]} == listed.json()
    assert {"notes": []} == (await caller.http.get("/api/notes", headers=other)).json()
    assert [200, 404] == [
        (await caller.http.get("/api/notes/1", headers=headers)).status_code for headers in (mine, other)
    ]


async def test_writing_needs_the_scope(caller: Caller) -> None:
    """A token that may only read is told which scope it lacks."""
    pair = (await caller.log_in(scope="read")).json()
    answer = await caller.http.post(
        "/api/notes", json={"text": "x"}, headers={"Authorization": f"Bearer {pair['access_token']}"}
    )

    assert 403 == answer.status_code
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert 'scope="write"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize(("body", "text", "encoding"), [(b"a=\xc3\xa9", "a=é", "utf-8"), (b"\xff", "/w==", "base64")])
async def test_echo_shows_what_arrived(caller: Caller, body: bytes, text: str, encoding: str) -> None:
    """The echo holds method, query and headers in order with repetitions, and the body, but no credential."""
    access_token = (await caller.log_in()).json()["access_token"]
    answer = await caller.http.patch(
        "/api/echo?b=2&a=1&b=3",
        content=body,
        headers=[("Authorization", f"Bearer {access_token}"), ("X-One", "1"), ("X-One", "2"), ("Cookie", "c=1")],
    )
    found = answer.json()

    assert ("PATCH", "/api/echo", text, encoding) == tuple(
        found[k] for k in ("method", "path", "body", "body_encoding")
    )
    assert [["b", "2"], ["a", "1"], ["b", "3"]] == found["query"]
    assert [["x-one", "1"], ["x-one", "2"]] == [pair for pair in found["headers"] if pair[0] == "x-one"]
    assert access_token not in answer.text
    assert "c=1" not in answer.text


# --- the page


async def press(caller: Caller, path: str, origin: str | None = BASE, **form: str) -> httpx.Response:
    """Press a button of the page, as a form of `origin`."""
    return await caller.http.post(path, data=form, headers={"Origin": origin} if origin else {})


async def test_the_page_shows_fingerprints_only(caller: Caller) -> None:
    """The page lists the tokens by fingerprint and holds none of them."""
    pair = (await caller.log_in()).json()
    page = await caller.http.get("/")

    for key in ("access_token", "refresh_token"):
        assert hashlib.sha256(pair[key].encode()).hexdigest()[:12] in page.text
        assert pair[key] not in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


@pytest.mark.parametrize("secret", [DEFAULT_CLIENT_SECRET, "secret-canary"])
async def test_the_page_has_what_a_connector_needs(secret: str) -> None:
    """Also the client secret, where it is the README's; one of somebody's own is shown nowhere."""
    app = make_app(make_provider(Settings(client_secret=secret)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        page = (await http.get("/")).text

    assert (secret in page) is (secret == DEFAULT_CLIENT_SECRET)
    assert f"{BASE}/oauth/token" in page


@pytest.mark.parametrize(
    ("button", "mine", "other"),
    [
        pytest.param("/page/end-access", (401, 200), (200, 200), id="one access token"),
        pytest.param("/page/end-family", (401, 400), (200, 200), id="one family"),
        pytest.param("/page/expire-access", (401, 200), (401, 200), id="all access tokens"),
    ],
)
async def test_the_buttons_end_what_they_say(
    caller: Caller, button: str, mine: tuple[int, int], other: tuple[int, int]
) -> None:
    """A button ends its own tokens and leaves the others, and brings back to the page."""
    pairs = [(await caller.log_in()).json() for _ in range(2)]
    fingerprint = hashlib.sha256(pairs[0]["access_token"].encode()).hexdigest()[:12]
    answer = await press(caller, button, fingerprint=fingerprint, family="1")
    after = [
        ((await caller.me(p["access_token"])).status_code, (await caller.refresh(p["refresh_token"])).status_code)
        for p in pairs
    ]

    assert 303 == answer.status_code
    assert 'role="status"' in (await caller.http.get(answer.headers["location"])).text
    assert [mine, other] == after


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://127.0.0.1:8802", "https://127.0.0.1:8801"]
)
@pytest.mark.parametrize("button", ["/page/end-access", "/page/end-family", "/page/expire-access"])
async def test_buttons_work_from_the_own_page_only(caller: Caller, button: str, origin: str | None) -> None:
    """A form of another origin, or of none, changes nothing."""
    pair = (await caller.log_in()).json()
    fingerprint = hashlib.sha256(pair["access_token"].encode()).hexdigest()[:12]
    answer = await press(caller, button, origin, fingerprint=fingerprint, family="1")

    assert 403 == answer.status_code
    assert 200 == (await caller.me(pair["access_token"])).status_code


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("127.0.0.1:8801", 200, id="own address"),
        pytest.param("LocalHost:8801", 200, id="own name in other letters"),
        pytest.param("localhost", 200, id="no port"),
        pytest.param("evil.example:8801", 421, id="a rebound name"),
        pytest.param("localhost.evil.example", 421, id="own name as a prefix"),
        pytest.param("127.0.0.1.evil.example", 421, id="own address as a prefix"),
        pytest.param("127.0.0.2", 421, id="the address beside"),
        pytest.param("localhost:8801@evil.example", 421, id="own name as a user"),
        pytest.param("localhost:", 421, id="an empty port"),
        pytest.param("", 421, id="empty"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/debug/log"])
async def test_other_hosts_are_refused(caller: Caller, path: str, host: str, status: int) -> None:
    """Only the names of this machine are answered, so that a rebound name reads nothing."""
    assert status == (await caller.http.get(path, headers={"Host": host})).status_code


# --- the log and the debug endpoints


async def test_the_log_tells_generations_and_no_secret(caller: Caller) -> None:
    """Each request leaves a row with fingerprints, on the endpoint and in the file, and no token or password."""
    first = (await caller.log_in()).json()
    second = (await caller.refresh(first["refresh_token"])).json()
    await caller.refresh(first["refresh_token"])
    await caller.log_in("someone typed a password here", "pa55word")
    await caller.token(grant_type="also-typed")
    rows = (await caller.http.get("/debug/log")).json()

    prints = [hashlib.sha256(pair["refresh_token"].encode()).hexdigest()[:12] for pair in (first, second)]
    keys = (
        "endpoint",
        "grant_type",
        "outcome",
        "refresh_token_fingerprint",
        "issued_fingerprint",
        "family",
        "generation",
    )
    assert [
        ("token", "password", "issued", None, prints[0], 1, 1),
        ("refresh", "refresh_token", "rotated", prints[0], prints[1], 1, 2),
        ("refresh", "refresh_token", "refresh_token_reused", prints[0], None, 1, 1),
        ("token", "password", "wrong_password", None, None, None, None),
        ("token", "other", "unsupported_grant_type", None, None, None, None),
    ] == [tuple(row[key] for key in keys) for row in rows]
    assert rows == [json.loads(line) for line in caller.log.getvalue().splitlines()]
    assert "2027-01-15T08:00:00.000Z" == rows[0]["at"]
    for secret in (*first.values(), *second.values(), DEMO.password, "pa55word", "typed", DEFAULT_CLIENT_SECRET):
        if secret not in ("Bearer", 60, "read write"):
            assert secret not in caller.log.getvalue()


async def test_debug_is_there_on_request_only() -> None:
    """Without the flag there is no /debug."""
    app = make_app(make_provider(Settings()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=BASE) as http:
        statuses = {
            (await http.request(method, f"/debug/{name}")).status_code
            for method, name in (("GET", "log"), ("POST", "fault"), ("GET", "waiting"), ("POST", "release"))
        }

    assert {404} == statuses


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"endpoint": "tokens"}, id="endpoint"),
        pytest.param({"mode": "explode"}, id="mode"),
        pytest.param({"when": "later"}, id="when"),
        pytest.param({"times": 0}, id="no times"),
        pytest.param({"times": True}, id="a truth for a number"),
        pytest.param({"times": "1"}, id="text for a number"),
        pytest.param({"delay_s": -0.1}, id="negative"),
        pytest.param({"delay_s": 301}, id="too long"),
        pytest.param({"colour": "red"}, id="unknown key"),
    ],
)
async def test_a_bad_fault_arms_nothing(caller: Caller, change: dict[str, object]) -> None:
    """A fault with one thing wrong is refused whole."""
    answer = await caller.http.post("/debug/fault", json={"endpoint": "token", "mode": "reset"} | change)

    assert (400, "invalid_fault") == (answer.status_code, answer.json()["error"])
    assert [] == (await caller.http.get("/debug/fault")).json()["armed"]


async def test_a_web_page_elsewhere_arms_nothing(caller: Caller) -> None:
    """The debug endpoints refuse a foreign Origin too."""
    headers = {"Origin": "http://evil.example"}
    body = {"endpoint": "token", "mode": "reset"}
    answers = [
        await caller.http.post("/debug/fault", json=body, headers=headers),
        await caller.http.delete("/debug/fault", headers=headers),
        await caller.http.post("/debug/release", headers=headers),
    ]

    assert [403] * 3 == [answer.status_code for answer in answers]


async def test_faults_are_used_up_in_order(caller: Caller) -> None:
    """`times` requests meet a fault, then the next one's turn comes, then all is well; other endpoints never notice."""
    for fault in (
        {"endpoint": "refresh", "mode": "status_500", "times": 2},
        {"endpoint": "refresh", "mode": "rate_limited", "retry_after": 7},
    ):
        assert 201 == (await caller.http.post("/debug/fault", json=fault)).status_code
    refresh_token = (await caller.log_in()).json()["refresh_token"]
    answers = [await caller.refresh(refresh_token) for _ in range(4)]

    assert [500, 500, 429, 200] == [answer.status_code for answer in answers]
    assert "7" == answers[2].headers["retry-after"]


def test_the_connector_can_be_read() -> None:
    """keyturn takes the example connector as it is."""
    document = Document(YAML(typ="safe").load(CHECKOUT / "examples" / "connectors" / "acme-example.yaml"))

    assert "acme-example" == read_connector(document, suffixes=load_public_suffixes()).id


async def test_the_connector_knows_each_refusal(caller: Caller) -> None:
    """The failures and the challenge of the example connector match this server's words, each its own answer only."""
    connector = YAML(typ="safe").load(CHECKOUT / "examples" / "connectors" / "acme-example.yaml")
    rules = {rule["class"]: rule["when"] for rule in connector["failures"]}
    rules["challenge"] = connector["challenges"][0]["when"]
    challenge = await caller.log_in(OTP.username, OTP.password)
    code = {"grant_type": "urn:acme:mfa-otp", "mfa_token": challenge.json()["mfa_token"], "otp": "nope"}
    answers = {
        "challenge": challenge,
        "wrong_code": await caller.token(**code),
        "wrong_password": [await caller.log_in(password="no") for _ in range(10)][-1],
        "locked": await caller.log_in(),
        "client_wrong": await caller.http.post("/oauth/token", data={"grant_type": "password"}),
    }
    caller.provider.settings = replace(caller.provider.settings, max_sessions=1)
    answers["must_act"] = [await caller.log_in(ODD.username, ODD.password) for _ in range(2)][-1]
    matched = {
        name: [
            rule
            for rule, when in rules.items()
            if answer.status_code in when["status"] and jmespath.search(when["body"], answer.json()) is True
        ]
        for name, answer in answers.items()
    }

    assert {name: [name] for name in answers} == matched
    assert set(answers) == set(rules)


def test_it_imports_nothing_of_the_product() -> None:
    """The example provider stands alone: it must be able to disagree with keyturn."""
    imported = {
        name
        for path in PACKAGE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom) and not node.level
            else []
        )
    }

    assert not {name for name in imported if name.split(".")[0] in ("keyturn", "keyturn_client")}
