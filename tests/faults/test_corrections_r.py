"""One account's trouble stays its own, as seen from outside: the corrections R1, R2, R5, R9, R12 and R15 to R18.

One server for all of them; each test has providers of its own, so that nothing which one is told reaches another.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import Reply, Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import call, connected, shown, sign_in
from tests.end_to_end.scripted.provider import Answer, Seen, scripted_provider
from tests.faults.runs.callers import Caller, Callers
from tests.faults.street import SERVED_WITHIN_S, Street, late, street

HOUR = {"Retry-After": "3600"}
TOKEN_WAITS_AT_MOST_S = 10.0
SLACK_S = 2.0  # two shared cores


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("corrections")) as running:
        yield running


@pytest.fixture
def there(server: Server, tmp_path: Path) -> Iterator[Street]:
    """Three providers with four accounts each."""
    with street(server, tmp_path / "street", accounts=4) as built:
        yield built


def renew(server: Server, connection: dict[str, Any]) -> Reply:
    """POST …/renew."""
    return server.ask("POST", f"/v1/connections/{connection['id']}/renew")


def refused(replies: list[Reply]) -> list[tuple[int, str | None]]:
    """What was answered where it was no 200."""
    return [(each.status, each.code) for each in replies if each.status != 200]


@pytest.mark.parametrize("kind", ["login", "refresh", "revoke"])
def test_r01_a_wait_that_one_account_was_told_is_its_own(there: Street, kind: str) -> None:
    """429 with Retry-After 3600 at one login, refresh or revocation: every other account is served as before."""
    first, server = there.houses[0], there.server
    struck = first.connections[0]
    if kind == "login":
        first.provider.tell("login", [""], lambda _: Answer(429, {}, HOUR))
        first.provider.tell("login", ["*"], lambda _: Answer(429, {}, HOUR))
        told = sign_in(server, first.connector, "u3", owner="another")
        assert 429 == told.status, told.body
        struck = {"id": ""}
    elif kind == "refresh":
        first.provider.tell("refresh", ["id-0"], "limited_hour")
        first.end_access()
        assert 429 == call(server, struck, "echo").status
    else:
        first.provider.tell("revoke", ["id-0"], "limited_hour")
        assert "disconnecting" == server.ask("DELETE", f"/v1/connections/{struck['id']}").json()["state"]
    there.end_access()
    replies = there.call_each(there.neighbours(struck))
    another = sign_in(server, first.connector, "u2", owner="a third") if kind != "login" else None
    ended = server.ask("DELETE", f"/v1/connections/{first.connections[1]['id']}").json() if kind != "revoke" else None

    assert [] == refused(replies)
    assert another is None or 201 == another.status, another.body
    assert ended is None or "disconnected" == ended["state"], ended


@pytest.mark.parametrize(("told", "status"), [("scope", 424), ("client", 424)])
def test_r02_a_refusal_of_one_grant_alarms_no_connector(there: Street, told: str, status: int) -> None:
    """One account's refresh answers invalid_scope, or invalid_client, for 20 s: the other three get nothing but 200."""
    first = there.houses[0]
    first.provider.tell("refresh", ["id-0"], told)
    struck, others = first.connections[0], there.neighbours(first.connections[0])
    first.end_access()
    refusal = call(there.server, struck, "echo")
    answers: Counter[tuple[int, str | None]] = Counter()
    until = time.monotonic() + 20
    while time.monotonic() < until:
        there.end_access()
        call(there.server, struck, "echo")
        answers.update((each.status, each.code) for each in there.call_each(others))
        time.sleep(1)
    first.provider.honest_again()
    left = there.served_within([struck], 2)

    assert status == refusal.status, refusal.body
    assert {(200, None)} == set(answers), answers
    assert {} == left or {409, 424} >= {status for status, _ in left.values()}, left
    assert "active" == shown(there.server, struck)["state"]


def test_r05_after_an_outage_a_caller_waits_no_longer_than_its_own_back_off(server: Server, tmp_path: Path) -> None:
    """Twelve connections fall due while nobody listens at the provider; 10 s after it is back all are served."""
    with street(server, tmp_path / "street", providers=1, accounts=12, ttl=64) as there:
        (first,) = there.houses
        time.sleep(28)
        first.provider.close()
        time.sleep(12)
        first.provider.listen()
        first.end_access()
        late_ones = there.served_within(there.connections)

        assert {} == late_ones


def test_r09_a_provider_that_hangs_is_not_probed_with_refresh_tokens(server: Server, tmp_path: Path) -> None:
    """Of 30 connections eight send their token, as many as there are places; 55 s later no other has spent its own.

    Once it answers, all those are served whose token it never took.
    """
    with street(server, tmp_path / "street", providers=2, accounts=30) as there:
        hung, well = there.houses
        hung.provider.tell("refresh", ["*"], "hang")
        there.end_access()
        Callers([Caller(server.port, "GET", f"/v1/proxy/{each['id']}/echo") for each in hung.connections]).start()
        assert [] == refused(there.call_each(well.connections)), "a provider that hangs holds up another"
        until = time.monotonic() + 55
        while time.monotonic() < until:
            there.call_each(hung.connections[-2:])
            time.sleep(1)
        issued = {each.refresh for each in hung.read().issued}
        spent = set(hung.refreshes()) & issued
        hung.provider.honest_again()
        free = [
            each for each in hung.connections
            if not any(token in spent for token in hung.refreshes(each["unique_id"]))
        ]  # fmt: skip
        late_ones = there.served_within(free, SERVED_WITHIN_S + SLACK_S)

        assert 8 == len(spent), sorted(spent)
        assert 22 == len(free)
        assert {} == late_ones


def test_r12_nobody_waits_over_ten_seconds_for_a_place(server: Server, tmp_path: Path) -> None:
    """20 callers at 20 connections of a provider that takes 14 s: eight are served, twelve are told 409 in time."""
    with street(server, tmp_path / "street", providers=1, accounts=20) as there:
        (slow,) = there.houses
        slow.provider.tell("refresh", ["*"], late(slow, 14))
        slow.end_access()

        def timed(connection: dict[str, Any]) -> tuple[Reply, float]:
            began = time.monotonic()
            return call(server, connection, "echo"), time.monotonic() - began

        with ThreadPoolExecutor(20) as pool:
            found = list(pool.map(timed, slow.connections))
        slow.provider.honest_again()
        answers = Counter((each.status, each.code) for each, _ in found)
        waited = [took for each, took in found if each.status == 409]

        assert {(200, None): 8, (409, "renewal_in_progress"): 12} == dict(answers)
        assert max(waited) < TOKEN_WAITS_AT_MOST_S + SLACK_S, waited
        assert all(int(each.headers["retry-after"]) >= 1 for each, _ in found if each.status == 409)
        assert {} == there.served_within(slow.connections, 40)


def test_r12_one_connection_does_not_take_a_hosts_places(server: Server) -> None:
    """300 callers hang on one connection's calls: another account at that host is served at once."""
    with scripted_provider() as provider:
        one = connected(server, provider)
        another = sign_in(server, one["connector"], "bob", owner="another").json()
        provider.always["/api/hang"] = Answer(200, {}, after_s=25)
        Callers([Caller(server.port, "GET", f"/v1/proxy/{one['id']}/hang") for _ in range(300)]).start()
        wait_for(lambda: len(provider.seen("/api/hang")) >= 150, 10, 0.1)
        time.sleep(1)
        began = time.monotonic()
        replies = [call(server, another, "echo") for _ in range(5)]
        took = time.monotonic() - began

        assert [] == refused(replies)
        assert took < 3


def test_r15_a_revocation_that_needs_a_live_token_gets_one(server: Server) -> None:
    """The access token has ended, and the revoke request carries it: one renewal, then the revocation is taken."""
    with scripted_provider(ttl=2) as provider:
        revoke = {
            "url": f"{provider.url}/revoke",
            "headers": {"Authorization": "Bearer {{ access_token }}"},
            "authentication": "none",
            "params": {"token": "{{ token }}", "token_type_hint": "{{ token_type_hint }}"},
        }
        connection = connected(server, provider, revoke=revoke)

        def only_with_a_live_token(seen: Seen) -> Answer:
            if provider.account_of(seen) is None:
                return Answer(401, {"error": "invalid_token"}, outcome="refused")
            return provider.honest(seen)

        provider.always["/revoke"] = only_with_a_live_token
        time.sleep(2.2)
        ended = server.ask("DELETE", f"/v1/connections/{connection['id']}").json()
        after = wait_for(lambda: (each := shown(server, connection))["state"] == "disconnected" and each, 15, 0.2)

        assert "done" == after["revocation"]["result"], (ended, after)
        assert [] != [each for each in provider.seen("/revoke") if each.outcome == "revoked"]
        assert {family for family, _, _ in provider.refresh.values()} == provider.dead_families
        assert 1 == len([each for each in provider.seen("/token") if b"grant_type=refresh_token" in each.body])


def test_r16_state_and_summary_of_a_disconnect_tell_the_same(server: Server) -> None:
    """A set that a login replaced could not be revoked; the disconnect that follows is not called done before it is."""
    with scripted_provider() as provider:
        connection = connected(server, provider)
        provider.always["/revoke"] = Answer(503, {})
        again = sign_in(server, connection["connector"], owner="o")
        wait_for(lambda: provider.seen("/revoke"), 10)
        first = {fingerprint_of(each) for each in provider.seen("/revoke")}

        def only_the_newer(seen: Seen) -> Answer:
            return Answer(503, {}) if fingerprint_of(seen) in first else provider.honest(seen)

        provider.always["/revoke"] = only_the_newer
        ended = server.ask("DELETE", f"/v1/connections/{connection['id']}").json()
        looked_at = shown(server, connection)
        provider.always.pop("/revoke")
        after = wait_for(lambda: (each := shown(server, connection))["state"] == "disconnected" and each, 40, 0.3)

        assert connection["id"] == again.json()["id"]
        for each in (ended, looked_at):
            told = (each["state"], each["revocation"]["result"])
            assert told in {("disconnecting", "retrying"), ("disconnecting", "pending"), ("disconnected", "done")}
        assert "done" == after["revocation"]["result"]
        assert {"access_token", "refresh_token"} == set(after["revocation"]["revoked"])


def fingerprint_of(seen: Seen) -> str:
    """The token of a revocation."""
    return seen.form()["token"]


def test_r17_a_token_without_a_known_end_is_used_until_it_is_refused(server: Server) -> None:
    """After a renewal that ended in `challenge_required`, calls and the token endpoint go on as the provider does."""
    kept = {"label": "Password", "keep": "required", "reason": "The refresh tokens here are brittle."}
    with scripted_provider() as provider:
        provider.token_extra = {"expires_in": None, "refresh_token": None}
        connection = connected(server, provider, password=kept)
        provider.then("/token", Answer(400, {"error": "mfa_required", "mfa_token": "m"}))
        renewed = renew(server, connection)
        state = shown(server, connection)
        called, handed = call(server, connection), server.ask("POST", f"/v1/connections/{connection['id']}/token")
        tested = server.ask("POST", f"/v1/connections/{connection['id']}/test").json()
        provider.end_access_tokens()
        refusal = call(server, connection)

        assert 409 == renewed.status
        assert ("needs_reconnect", "challenge_required") == (state["state"], state["reason"])
        assert (200, 200) == (called.status, handed.status), (called.body, handed.body)
        assert tested["last_test"]["passed"]
        assert (409, "connection_needs_reconnect") == (refusal.status, refusal.code)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(400, "<html>Your session is over</html>"), id="400, a page"),
        pytest.param(Answer(401, "<html>Your session is over</html>"), id="401, a page"),
        pytest.param(Answer(400, {"message": "session over"}), id="400, words of its own"),
        pytest.param(Answer(401, {"message": "session over"}), id="401, words of its own"),
        pytest.param(Answer(403, b""), id="403, nothing"),
    ],
)
def test_r18_a_dead_refresh_token_without_an_oauth_error_is_given_up(server: Server, answer: Answer) -> None:
    """Three tries, then `needs_reconnect`; `why` names the rule that would tell at once."""
    with scripted_provider() as provider:
        connection = connected(server, provider)
        provider.always["/token"] = answer
        provider.end_access_tokens()

        def given_up() -> bool:
            call(server, connection)
            return bool(shown(server, connection)["state"] == "needs_reconnect")

        wait_for(given_up, 30, 0.5)
        why = server.ask("GET", f"/v1/connections/{connection['id']}/why").body.decode()
        tries = [each for each in provider.seen("/token") if b"grant_type=refresh_token" in each.body]

        assert "provider_answer_unknown" == shown(server, connection)["reason"]
        assert 3 == len(tries)
        assert "rejected_when" in why
