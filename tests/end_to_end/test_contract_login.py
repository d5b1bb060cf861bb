"""Logging in, as an outsider reads the contract: budgets, rejections, tests, identities, replaced token sets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.running import Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import ABSENT, call, connected, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import (
    CLIENT_ID,
    PASSWORD,
    USERNAME,
    Answer,
    Scripted,
    fingerprint,
    scripted_provider,
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("contract-login")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def revoked(provider: Scripted) -> set[str]:
    """Fingerprints of what was revoked."""
    return {row.refresh for row in provider.seen("/revoke")}


def prints(provider: Scripted) -> set[str]:
    """Fingerprints of each token that was ever issued."""
    return {fingerprint(value) for value in provider.secrets}


# --- rule 3: budgets


def test_rejected_tries_count_down_to_a_budget_of_five(server: Server, provider: Scripted) -> None:
    """`tries_left` is a number that falls; the sixth try is 429 and never sent."""
    connector = install(server, connector_for(provider))

    replies = [sign_in(server, connector, password=f"wrong-{n}") for n in range(5)]
    spent = sign_in(server, connector)

    assert [(422, "provider_credentials_rejected")] * 5 == [(each.status, each.code) for each in replies]
    assert [4, 3, 2, 1, 0] == [each.json()["tries_left"] for each in replies]
    assert (429, "login_budget_spent") == (spent.status, spent.code)
    assert 0 < int(spent.headers["retry-after"]) <= 15 * 60
    assert 5 == len(provider.seen("/token"))


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        pytest.param(Answer(400, {"error": "some_new_thing"}), 502, None, id="unclassified"),
        pytest.param(Answer(418, "teapot"), 502, None, id="no OAuth error"),
        pytest.param(Answer(reset=True), 504, "provider_timeout", id="unanswered"),
    ],
)
def test_what_counts_besides_a_rejection(
    server: Server, provider: Scripted, answer: Answer, status: int, code: str | None
) -> None:
    """Unanswered and unclassified sends count against the budget, and are not sent again by themselves."""
    connector = install(server, connector_for(provider))
    provider.then("/token", answer, answer)

    first, second = sign_in(server, connector), sign_in(server, connector)
    after = sign_in(server, connector, password="wrong")

    assert [status, status] == [first.status, second.status], (first.body, second.body)
    assert code is None or code == first.code
    assert 3 == len(provider.seen("/token"))
    assert 2 == after.json()["tries_left"]


def test_the_budget_is_of_the_trimmed_lower_case_username(server: Server, provider: Scripted) -> None:
    """Another spelling of one name is the same account; another name is not."""
    connector = install(server, connector_for(provider))

    tries = [sign_in(server, connector, name, "wrong") for name in ("ann", "ANN", " ann ", "Ann")]
    other = sign_in(server, connector, "bob", "wrong")

    assert [4, 3, 2, 1] == [each.json()["tries_left"] for each in tries]
    assert 4 == other.json()["tries_left"]
    assert " ann " == provider.seen("/token")[2].form()["username"]


def test_a_success_resets_the_budget(server: Server, provider: Scripted) -> None:
    """After a good login the count begins again."""
    connector = install(server, connector_for(provider))
    for _ in range(4):
        sign_in(server, connector, password="wrong")

    good = sign_in(server, connector)
    wrong = sign_in(server, connector, password="wrong")

    assert 201 == good.status
    assert 4 == wrong.json()["tries_left"]


def test_limits_of_the_connector(server: Server, provider: Scripted) -> None:
    """`limits: {logins, per}` takes the place of the default."""
    connector = install(server, connector_for(provider, limits={"logins": 2, "per": "2s"}))

    tries = [sign_in(server, connector, password="wrong") for _ in range(3)]
    time.sleep(2.1)
    later = sign_in(server, connector, password="wrong")

    assert [422, 422, 429] == [each.status for each in tries]
    assert 422 == later.status


def test_the_budget_holds_for_logins_at_one_moment(server: Server, provider: Scripted) -> None:
    """Twelve at once: five are sent."""
    connector = install(server, connector_for(provider))
    provider.always["/token"] = Answer(400, {"error": "invalid_grant"}, after_s=0.3)

    with ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(lambda n: sign_in(server, connector, password=f"w{n}").status, range(12)))

    assert 5 == len(provider.seen("/token"))
    assert 7 == statuses.count(429)


# --- rule 2: outcomes of the token request


@pytest.mark.parametrize(
    ("answer", "status", "code"),
    [
        pytest.param(
            Answer(400, {"error": "invalid_grant"}), 422, "provider_credentials_rejected", id="wrong password"
        ),
        pytest.param(Answer(401, {"error": "invalid_client"}), 424, "connector_client_rejected", id="client"),
        pytest.param(Answer(400, {"error": "unsupported_grant_type"}), 424, "provider_grant_disabled", id="grant"),
        pytest.param(Answer(400, {"error": "invalid_scope"}), 424, None, id="scope"),
        pytest.param(Answer(429, {}, {"Retry-After": "7"}), 429, "provider_rate_limited", id="rate"),
        pytest.param(Answer(503, {}, {"Retry-After": "7"}), 502, "provider_unavailable", id="unavailable"),
        pytest.param(Answer(500, {"error": "invalid_grant"}), 502, "provider_unavailable", id="500 with invalid_grant"),
        pytest.param(Answer(200, {"error": "invalid_grant"}), 422, "provider_credentials_rejected", id="200 and error"),
        pytest.param(Answer(302, b"", {"Location": "/elsewhere"}), 502, "provider_bad_response", id="redirect"),
        pytest.param(Answer(200, "<html>"), 502, "provider_bad_response", id="markup"),
        pytest.param(Answer(200, b"x" * 1_048_577), 502, "provider_bad_response", id="too large"),
        pytest.param(
            Answer(200, {"access_token": "half", "x": 1}, cut=12), 502, "provider_bad_response", id="half body"
        ),
        pytest.param(Answer(200, {"access_token": "bad\ntoken"}), 502, "provider_bad_response", id="bad token"),
        pytest.param(
            Answer(200, {"access_token": "a", "token_type": "mac"}), 502, "provider_bad_response", id="token type"
        ),
    ],
)
def test_outcomes(server: Server, provider: Scripted, answer: Answer, status: int, code: str | None) -> None:
    """Each answer has one meaning, and is sent once; nothing is stored."""
    connector = install(server, connector_for(provider))
    provider.then("/token", answer)

    reply = sign_in(server, connector)

    assert (status, code or reply.code) == (reply.status, reply.code), reply.body
    assert 1 == len(provider.seen("/token"))
    assert [] == provider.seen("/elsewhere")
    assert [] == server.ask("GET", f"/v1/connections?connector={connector}").json()["data"]
    assert PASSWORD.encode() not in reply.body
    if status == 429:
        assert 6 <= int(reply.headers["retry-after"]) <= 7


def test_rejected_when_makes_an_empty_401_a_wrong_password(server: Server, provider: Scripted) -> None:
    """Where status alone doesn't tell, the connector says so."""
    token = {"url": f"{provider.url}/token", "rejected_when": {"status": [401]}}
    connector = install(server, connector_for(provider, token=token))
    provider.then("/token", Answer(401))

    reply = sign_in(server, connector)

    assert (422, "provider_credentials_rejected") == (reply.status, reply.code)


def test_success_when_refuses_a_token_of_an_error(server: Server, provider: Scripted) -> None:
    """A 200 whose body isn't a success holds no token."""
    token = {"url": f"{provider.url}/token", "success_when": {"body": "ok"}}
    connector = install(server, connector_for(provider, token=token))
    provider.then("/token", lambda _: Answer(200, {"access_token": "abc", "ok": False}))

    reply = sign_in(server, connector)

    assert 201 != reply.status
    assert [] == server.ask("GET", f"/v1/connections?connector={connector}").json()["data"]


@pytest.mark.parametrize(
    ("class_", "status", "code"),
    [
        pytest.param("wrong_password", 422, "provider_credentials_rejected", id="wrong_password"),
        pytest.param("locked", 423, "provider_account_locked", id="locked"),
        pytest.param("password_expired", 424, "provider_password_expired", id="password_expired"),
        pytest.param("must_act", 424, "provider_interaction_required", id="must_act"),
        pytest.param("grant_disabled", 424, "provider_grant_disabled", id="grant_disabled"),
        pytest.param("client_wrong", 424, "connector_client_rejected", id="client_wrong"),
        pytest.param("rate_limited", 429, "provider_rate_limited", id="rate_limited"),
    ],
)
def test_failures_give_the_providers_words_a_class(
    server: Server, provider: Scripted, class_: str, status: int, code: str
) -> None:
    """The class decides the code; the connector's help reaches the person, the provider's text doesn't."""
    failures = [{"when": {"status": [403], "body": "why == 'x'"}, "class": class_, "help": "Read this."}]
    connector = install(server, connector_for(provider, failures=failures))
    provider.then("/token", Answer(403, {"why": "x", "text": "provider-words"}))

    reply = sign_in(server, connector)

    assert (status, code) == (reply.status, reply.code), reply.body
    assert b"provider-words" not in reply.body
    assert b"Read this." in reply.body


# --- rule 5: the test call


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(403, {"id": "x"}), id="status"),
        pytest.param(Answer(200, b""), id="empty body"),
        pytest.param(Answer(500, {}), id="down"),
        pytest.param(Answer(302, b"", {"Location": "/api/other"}), id="redirect"),
        pytest.param(Answer(reset=True), id="reset"),
    ],
)
def test_a_failed_test_refuses_and_revokes(server: Server, provider: Scripted, answer: Answer) -> None:
    """No connection, and the token set that came is revoked."""
    connector = install(server, connector_for(provider))
    provider.then("/api/me", answer, answer)

    reply = sign_in(server, connector)

    assert reply.status >= 400, reply.body
    assert [] == server.ask("GET", f"/v1/connections?connector={connector}").json()["data"]
    wait_for(lambda: prints(provider) <= revoked(provider), 5)
    assert [] == provider.seen("/api/other")


def test_the_code_of_a_failed_test(server: Server, provider: Scripted) -> None:
    """424 connection_test_failed."""
    connector = install(server, connector_for(provider))
    provider.then("/api/me", Answer(403, {"id": "x"}))

    reply = sign_in(server, connector)

    assert (424, "connection_test_failed") == (reply.status, reply.code)


def test_the_test_runs_with_the_request_parameters(server: Server, provider: Scripted) -> None:
    """Headers and query of step 9 are on the test call."""
    request = {"headers": {"X-Own": "one"}, "query": {"version": "v2"}}

    connected(server, provider, request=request)

    (test,) = provider.seen("/api/me")
    assert ("one", {"version": "v2"}) == (test.header("x-own"), test.query)
    assert test.bearer() in provider.secrets


def test_expectations_of_the_body(server: Server, provider: Scripted) -> None:
    """A JMESPath that must come out true."""
    test = {"url": f"{provider.url}/api/me", "expect": {"status": [200], "body": "nobody_has_this"}}
    connector = install(server, connector_for(provider, test=test))

    reply = sign_in(server, connector)

    assert (424, "connection_test_failed") == (reply.status, reply.code)


# --- rule 6: identity


@pytest.mark.parametrize(
    "identity",
    [
        pytest.param({"id": ""}, id="empty"),
        pytest.param({"id": None, "name": "x"}, id="null"),
        pytest.param({"name": "x"}, id="absent"),
        pytest.param({"id": {"a": 1}}, id="object"),
        pytest.param({"id": [1]}, id="list"),
        pytest.param({"id": "  "}, id="blank"),
    ],
)
def test_no_identity_is_an_error_and_revokes(server: Server, provider: Scripted, identity: dict[str, Any]) -> None:
    """424 unique_id_missing, nothing stored, the tokens revoked."""
    connector = install(server, connector_for(provider))
    provider.then("/api/me", Answer(200, identity))

    reply = sign_in(server, connector)

    assert (424, "unique_id_missing") == (reply.status, reply.code), reply.body
    assert [] == server.ask("GET", f"/v1/connections?connector={connector}").json()["data"]
    wait_for(lambda: prints(provider) <= revoked(provider), 5)


@pytest.mark.parametrize("value", [pytest.param(0, id="zero"), pytest.param(77, id="number")])
def test_a_number_is_an_identity(server: Server, provider: Scripted, value: int) -> None:
    """A scalar that isn't text counts, zero too."""
    connector = install(server, connector_for(provider))
    provider.then("/api/me", Answer(200, {"id": value}))

    reply = sign_in(server, connector)

    assert (201, str(value)) == (reply.status, str(reply.json().get("unique_id")))


def test_update_keeps_the_id_and_revokes_the_old_set(server: Server, provider: Scripted) -> None:
    """200, the same id, the next generation; the replaced set is revoked, the live one isn't."""
    connector = install(server, connector_for(provider))
    first = sign_in(server, connector)
    old = prints(provider)

    second = sign_in(server, connector)

    assert (201, 200) == (first.status, second.status)
    assert first.json()["id"] == second.json()["id"]
    assert 2 == second.json()["generation"]
    wait_for(lambda: old <= revoked(provider), 5)
    time.sleep(0.3)
    assert old == revoked(provider)
    assert 200 == call(server, second.json()).status


def test_update_moves_to_the_newest_version(server: Server, provider: Scripted) -> None:
    """As a reconnect does."""
    definition = connector_for(provider)
    connector = install(server, definition)
    assert 1 == sign_in(server, connector).json()["connector_version"]
    install(server, {**definition, "title": "Second"})

    again = sign_in(server, connector)

    assert (200, 2) == (again.status, again.json()["connector_version"])


def test_reject_names_the_existing_one_and_revokes_the_new_set(server: Server, provider: Scripted) -> None:
    """409 with the existing id; the first connection stays as it was."""
    connector = install(server, connector_for(provider, on_duplicate="reject"))
    first = sign_in(server, connector).json()
    old = prints(provider)

    second = sign_in(server, connector)

    assert (409, "connection_exists") == (second.status, second.code)
    assert first["id"].encode() in second.body
    wait_for(lambda: prints(provider) - old <= revoked(provider), 5)
    assert not old & revoked(provider)
    assert 1 == shown(server, first)["generation"]
    assert 200 == call(server, first).status


def test_allow_adds_another(server: Server, provider: Scripted) -> None:
    """Two connections for one account, and nothing is revoked."""
    connector = install(server, connector_for(provider, on_duplicate="allow"))

    ids = {sign_in(server, connector).json()["id"] for _ in range(2)}

    assert 2 == len(ids)
    assert set() == revoked(provider)


def test_two_owners_have_two_connections(server: Server, provider: Scripted) -> None:
    """The look-up is by owner as well."""
    connector = install(server, connector_for(provider))

    replies = [sign_in(server, connector, owner=owner) for owner in ("first", "second")]

    assert [201, 201] == [each.status for each in replies]
    assert 2 == len({each.json()["id"] for each in replies})


def test_sign_ups_at_one_moment_end_in_one_connection(server: Server, provider: Scripted) -> None:
    """Six at once: one connection, that works, and all other token sets are revoked."""
    connector = install(server, connector_for(provider))
    provider.always["/api/me"] = lambda seen: Answer(200, {"id": "same"}, after_s=0.3)

    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: sign_in(server, connector), range(6)))

    assert {201, 200} == {each.status for each in replies}, [each.body for each in replies]
    assert 1 == [each.status for each in replies].count(201)
    assert 1 == len({each.json()["id"] for each in replies})
    del provider.always["/api/me"]
    wait_for(lambda: 10 <= len(revoked(provider)), 10)
    assert 200 == call(server, replies[0].json(), "echo").status
    assert 2 == len(prints(provider) - revoked(provider))


def test_a_tombstone_is_not_found_again(server: Server, provider: Scripted) -> None:
    """After a disconnect the same account makes a new connection."""
    connector = install(server, connector_for(provider))
    first = sign_in(server, connector).json()
    server.ask("DELETE", f"/v1/connections/{first['id']}")

    second = sign_in(server, connector)

    assert 201 == second.status
    assert first["id"] != second.json()["id"]


def test_a_reconnect_as_another_account_is_refused(server: Server, provider: Scripted) -> None:
    """409 identity_mismatch, its tokens revoked, the connection as it was; unless the caller allows it."""
    first = connected(server, provider)
    old = prints(provider)
    again = {"connection": first["id"]}

    refused = sign_in(server, first["connector"], "bob", **again)
    kept = shown(server, first)
    wait_for(lambda: prints(provider) - old <= revoked(provider), 5)
    assert not old & revoked(provider)
    fine = sign_in(server, first["connector"], USERNAME, **again)
    allowed = sign_in(server, first["connector"], "bob", allow_account_change=True, **again)

    assert (409, "identity_mismatch") == (refused.status, refused.code), refused.body
    assert (1, "id-1") == (kept["generation"], kept["unique_id"])
    assert (200, 2) == (fine.status, fine.json()["generation"])
    assert (200, "id-2") == (allowed.status, allowed.json()["unique_id"]), allowed.body
    assert first["id"] == allowed.json()["id"]


# --- rule 7: what a login replaces


def test_on_replace_false_revokes_nothing(server: Server, provider: Scripted) -> None:
    """Where revoking an old token kills the new one."""
    revoke = {"url": f"{provider.url}/revoke", "params": {"token": "{{ token }}"}, "on_replace": False}
    connector = install(server, connector_for(provider, revoke=revoke))
    sign_in(server, connector)

    assert 200 == sign_in(server, connector).status
    time.sleep(0.7)
    assert [] == provider.seen("/revoke")


def test_a_value_equal_to_a_live_one_is_never_revoked(server: Server, provider: Scripted) -> None:
    """A provider that hands out the same access token again keeps it."""
    connector = install(server, connector_for(provider))
    provider.then("/token", lambda _: provider.issue("id-1", "f1"))
    sign_in(server, connector)
    (access,) = provider.access
    old_refresh = next(iter(provider.refresh))

    def same_access(_: Any) -> Answer:
        provider.issue("id-1", "f2")
        refresh = list(provider.refresh)[-1]
        return Answer(200, {"access_token": access, "refresh_token": refresh, "expires_in": 3600})

    provider.then("/token", same_access)
    again = sign_in(server, connector)

    assert 200 == again.status
    wait_for(lambda: fingerprint(old_refresh) in revoked(provider), 5)
    time.sleep(0.5)
    assert {fingerprint(old_refresh)} == revoked(provider)


def test_a_refresh_revokes_nothing(server: Server, provider: Scripted) -> None:
    """Old and new set belong to one grant."""
    connection = connected(server, provider)

    assert 200 == server.ask("POST", f"/v1/connections/{connection['id']}/renew").status
    time.sleep(0.7)
    assert [] == provider.seen("/revoke")


# --- keeping the password


def password_of(keep: str) -> dict[str, Any]:
    """A password rule."""
    reason = {} if keep == "never" else {"reason": "No refresh tokens here."}
    return {"label": "Password", "keep": keep, **reason}


@pytest.mark.parametrize(
    ("keep", "asked", "renews"),
    [
        pytest.param("never", None, False, id="never"),
        pytest.param("offer", None, False, id="offer, not taken"),
        pytest.param("offer", True, True, id="offer, taken"),
        pytest.param("required", None, True, id="required"),
    ],
)
def test_a_kept_password_renews_without_a_refresh_token(
    server: Server, provider: Scripted, keep: str, asked: bool | None, renews: bool
) -> None:
    """With `never` such a connection ends when its token does."""
    provider.token_extra = {"refresh_token": None}
    connector = install(server, connector_for(provider, password=password_of(keep)))
    more: dict[str, Any] = {} if asked is None else {"keep_password": asked}
    made = sign_in(server, connector, **more)
    assert made.status == 201, made.body

    renewed = server.ask("POST", f"/v1/connections/{made.json()['id']}/renew")

    if renews:
        assert (200, 2) == (renewed.status, renewed.json()["generation"]), renewed.body
    else:
        assert (409, "renewal_not_possible") == (renewed.status, renewed.code)
    assert (2 if renews else 1) == len(provider.seen("/token"))


def test_asking_to_keep_what_may_not_be_kept_keeps_nothing(server: Server, provider: Scripted) -> None:
    """`keep: never` wins over the caller's wish, or refuses it."""
    provider.token_extra = {"refresh_token": None}
    connector = install(server, connector_for(provider))

    made = sign_in(server, connector, keep_password=True)

    assert made.status in (201, 422)
    if made.status == 201:
        assert 409 == server.ask("POST", f"/v1/connections/{made.json()['id']}/renew").status
        assert 1 == len(provider.seen("/token"))


def test_a_rejected_kept_password_is_never_sent_again(server: Server, provider: Scripted) -> None:
    """`needs_reconnect` at once; no renewal, call or restart sends it; a new login does."""
    provider.token_extra = {"refresh_token": None}
    connector = install(server, connector_for(provider, password=password_of("required")))
    connection = sign_in(server, connector).json()
    provider.accounts[USERNAME] = ("changed", "id-1")

    server.ask("POST", f"/v1/connections/{connection['id']}/renew")
    state = shown(server, connection)
    again = [server.ask("POST", f"/v1/connections/{connection['id']}/renew") for _ in range(3)]
    sent = len(provider.seen("/token"))
    provider.end_access_tokens()
    call(server, connection)

    assert "needs_reconnect" == state["state"]
    assert 2 == sent == len(provider.seen("/token"))
    assert {409} == {each.status for each in again}
    fresh = sign_in(server, connector, password="changed")
    assert (200, "active") == (fresh.status, fresh.json()["state"])


# --- before a password is asked


def test_a_connector_without_its_client_refuses_before_any_send(server: Server, provider: Scripted) -> None:
    """409 connector_client_missing; with authentication none it connects."""
    bare = install(server, connector_for(provider), client={})
    public = install(server, connector_for(provider, client={"authentication": "none"}), client={})

    missing = sign_in(server, bare)
    link = server.ask("POST", "/v1/connect-sessions", {"connector": bare, "owner": "o"})

    assert (409, "connector_client_missing") == (missing.status, missing.code)
    assert link.status == 409 or link.status == 201
    assert [] == provider.seen("/token")
    assert 201 == sign_in(server, public).status


def test_a_client_without_a_secret(server: Server, provider: Scripted) -> None:
    """The secret may be absent, null or empty."""
    for secret in ({}, {"client_secret": None}, {"client_secret": ""}):
        connector = install(
            server,
            connector_for(provider, client={"authentication": "none"}),
            client={"client_id": CLIENT_ID, **secret},
        )
        assert 201 == sign_in(server, connector).status
        assert CLIENT_ID == provider.seen("/token")[-1].form()["client_id"]


def test_fields_are_all_checked_at_once(server: Server, provider: Scripted) -> None:
    """Each error has the field's key, and no value is echoed; nothing is sent."""
    fields = [
        {"key": "tenant", "label": "Tenant", "type": "text"},
        {"key": "port", "label": "Port", "type": "number"},
        {"key": "zone", "label": "Zone", "type": "choice", "choices": {"a": "A", "b": "B"}},
        {"key": "site", "label": "Site", "type": "url"},
        {"key": "mail", "label": "Mail", "type": "email"},
        {"key": "flag", "label": "Flag", "type": "boolean"},
    ]
    connector = install(server, connector_for(provider, fields=fields))
    values = {"port": "canary-x", "zone": "canary-z", "site": "canary-s", "mail": "canary-m", "flag": "canary-f"}

    reply = sign_in(server, connector, fields={**values, "extra-canary": "1"})

    assert (422, "validation_failed") == (reply.status, reply.code), reply.body
    pointers = " ".join(each["pointer"] for each in reply.json()["errors"])
    assert all(key in pointers for key in ("tenant", "port", "zone", "site", "mail", "flag")), pointers
    assert not any(value.encode() in reply.body for value in values.values())
    assert [] == provider.seen("/token")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("a\r\nX-Injected: 1", id="CRLF"),
        pytest.param("a\nb", id="line feed"),
        pytest.param("a\x00b", id="null"),
        pytest.param("a\x7fb", id="delete"),
    ],
)
def test_control_characters_never_reach_a_header(server: Server, provider: Scripted, value: str) -> None:
    """E3: a field with a control character is refused, or at least never sent."""
    fields = [{"key": "tenant", "label": "Tenant", "type": "text"}]
    connector = install(
        server, connector_for(provider, fields=fields, request={"headers": {"X-Tenant": "{{ tenant }}"}})
    )

    reply = sign_in(server, connector, fields={"tenant": value})

    assert 422 == reply.status, reply.body
    assert not any(seen.header("x-injected") for seen in provider.log)


def test_owner_is_required_and_bounded(server: Server, provider: Scripted) -> None:
    """1 to 255 characters."""
    connector = install(server, connector_for(provider))

    assert [422, 422, 201] == [sign_in(server, connector, owner=owner).status for owner in ("", "x" * 256, "x" * 255)]


def test_odd_passwords_arrive_byte_for_byte(server: Server, provider: Scripted) -> None:
    """Never trimmed, never normalised."""
    connector = install(server, connector_for(provider))
    for password in (" lead and trail ", 'p&ss+w%72d =é"\\/:#€', "{{ username }}", "e\u0301", "\U0001f511", "x" * 4000):
        provider.accounts[USERNAME] = (password, "id-1")
        reply = sign_in(server, connector, password=password)

        assert reply.status in (200, 201), (password, reply.body)
        assert password == provider.seen("/token")[-1].form()["password"]


def test_a_connection_has_a_name(server: Server, provider: Scripted) -> None:
    """The template; by default the title and the unique id; capped, never empty."""
    plain = connected(server, provider)
    named = connected(server, provider, connection_name="{{ test.name }}'s account")
    provider.then("/api/me", Answer(200, {"id": "1", "name": "n" * 5000}))
    long = connected(server, provider, connection_name="{{ test.name }}")
    provider.then("/api/me", Answer(200, {"id": "1", "name": ""}))
    empty = connected(server, provider, connection_name="{{ test.name }}")

    assert "Scripted" in plain["name"]
    assert "id-1" in plain["name"]
    assert "Name of id-1's account" == named["name"]
    assert 0 < len(long["name"]) <= 300
    assert empty["name"].strip()


def test_without_revoke_a_disconnect_only_forgets(server: Server, provider: Scripted) -> None:
    """No revoke step: nothing is sent, and the answer says so."""
    connection = connected(server, provider, revoke=ABSENT)

    ended = server.ask("DELETE", f"/v1/connections/{connection['id']}")

    assert (200, "disconnected") == (ended.status, ended.json()["state"])
    assert "revocation" in ended.json()
