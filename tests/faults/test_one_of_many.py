"""What one account, three, or all of a provider are told, at a refresh, a login or a revocation, and when it is over.

Three providers with ten accounts each. Everybody whom it was not told is served at once and as before (I18); what
three are told may be believed of their provider, and then ends within ten seconds (I20); the others notice nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import Reply, Server, running_server
from tests.end_to_end.scripted.connectors import call, shown, sign_in
from tests.end_to_end.scripted.provider import Answer
from tests.faults.runs.callers import Caller, Callers
from tests.faults.street import House, Street, street

SOON = {"Retry-After": "4"}
REFUSALS: dict[str, Any] = {
    "429": lambda _: Answer(429, {}, SOON),
    "503": lambda _: Answer(503, {}, SOON),
    "500": "plain500",
    "invalid_scope": "scope",
    "invalid_client": "client",
    "hang": "hang",
}
GRANTS = ("invalid_scope", "invalid_client")  # words about a grant or a client: their own waits are a minute and more
KINDS = ("refresh", "login", "revoke")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file: what a provider was told is the provider's."""
    with running_server(tmp_path_factory.mktemp("one"), env={"KEYTURN_LIMIT_SIGNIN": "1000000"}) as running:
        yield running


@pytest.fixture
def there(server: Server, tmp_path: Path) -> Iterator[Street]:
    """Three providers with ten accounts each."""
    with street(server, tmp_path / "street") as built:
        yield built


def touch(server: Server, house: House, kind: str, number: int) -> None:
    """Have an account ask what it is told something at; hangs are not waited for."""
    connection = house.connections[number]
    method, path, body = {
        "refresh": ("GET", f"/v1/proxy/{connection['id']}/echo", None),
        "revoke": ("DELETE", f"/v1/connections/{connection['id']}", None),
        "login": ("POST", "/v1/connections", {"connector": house.connector, "owner": "another",
                                              "username": f"u{number}", "password": "correct-password-canary"}),
    }[kind]  # fmt: skip
    try:
        server.ask(method, path, body, timeout_s=3)
    except TimeoutError:
        return


def refused(replies: list[Reply]) -> dict[tuple[int, str | None], int]:
    """What was answered where it was no 200."""
    return dict(Counter((each.status, each.code) for each in replies if each.status != 200))


@pytest.mark.parametrize("told", REFUSALS)
@pytest.mark.parametrize("kind", KINDS)
def test_one_account(there: Street, kind: str, told: str) -> None:
    """29 others are served at once: calls that need a renewal, a login, a disconnect."""
    server, first = there.server, there.houses[0]
    first.provider.tell(kind, ["id-0"], REFUSALS[told])
    there.end_access()
    touch(server, first, kind, 0)
    others = there.neighbours(first.connections[0])
    began = time.monotonic()
    replies = there.call_each(others)
    took = time.monotonic() - began
    again = sign_in(server, first.connector, "u8", owner="o8")
    gone = server.ask("DELETE", f"/v1/connections/{first.connections[9]['id']}").json()
    renewed = server.ask("POST", f"/v1/connections/{first.connections[8]['id']}/renew")

    assert {} == refused(replies)
    assert took < 8
    assert (200, first.connections[8]["id"]) == (again.status, again.json().get("id"))
    assert "disconnected" == gone["state"]
    assert 200 == renewed.status
    assert "active" == shown(server, first.connections[0])["state"] or kind == "revoke"


@pytest.mark.parametrize("told", REFUSALS)
@pytest.mark.parametrize("kind", KINDS)
def test_three_accounts(there: Street, kind: str, told: str) -> None:
    """Other classes and other providers notice nothing; the seven others of this one are served within ten seconds.

    Where it is the client that was refused, somebody who renews by hand shows that it is not.
    """
    server, first = there.server, there.houses[0]
    first.provider.tell(kind, [f"id-{number}" for number in range(3)], REFUSALS[told])
    there.end_access()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: touch(server, first, kind, number), range(3)))
    elsewhere = [each for house in there.houses[1:] for each in house.connections]
    replies = there.call_each(elsewhere if kind == "refresh" else there.neighbours(*first.connections[:3]))
    again = sign_in(server, first.connector, "u8", owner="o8")
    if kind == "refresh" and told in GRANTS:
        assert 200 == server.ask("POST", f"/v1/connections/{first.connections[7]['id']}/renew").status
    late = there.served_within(first.connections[3:])
    gone = server.ask("DELETE", f"/v1/connections/{first.connections[9]['id']}").json()

    assert {} == refused(replies)
    assert 200 == again.status
    assert {} == late
    assert "disconnected" == gone["state"] or kind == "revoke"


@pytest.mark.parametrize("told", [each for each in REFUSALS if each != "hang"])
def test_all_accounts_and_healed(there: Street, told: str) -> None:
    """Ten seconds after the provider is well, all are served; those of others were all along.

    Of a grant or a client that was refused, one that is renewed by hand shows at once that it is over.
    """
    server, first = there.server, there.houses[0]
    first.provider.tell("refresh", ["*"], REFUSALS[told])
    there.end_access()
    elsewhere = [each for house in there.houses[1:] for each in house.connections]
    replies: list[Reply] = []
    until = time.monotonic() + 12
    while time.monotonic() < until:
        there.call_each(first.connections)
        replies += there.call_each(elsewhere)
        time.sleep(0.5)
    first.provider.honest_again()
    by_hand = first.connections if told == "invalid_scope" else first.connections[:1]
    if told in GRANTS:
        answers = [server.ask("POST", f"/v1/connections/{each['id']}/renew").status for each in by_hand]
        assert {200} == set(answers)
    late = there.served_within(first.connections)

    assert {} == refused(replies)
    assert {} == late
    assert (0, []) == (there.doubled(), there.losses())


def test_a_provider_that_hangs_and_is_well_again(there: Street) -> None:
    """At the real time limit of 30 s: others notice nothing; what it never took is served ten seconds after."""
    server, first = there.server, there.houses[0]
    first.provider.tell("refresh", ["*"], "hang")
    there.end_access()
    Callers([Caller(server.port, "GET", f"/v1/proxy/{each['id']}/echo") for each in first.connections]).start()
    elsewhere = [each for house in there.houses[1:] for each in house.connections]
    replies: list[Reply] = []
    until = time.monotonic() + 36
    while time.monotonic() < until:
        replies += there.call_each(elsewhere)
        time.sleep(1)
    spent = {each.token for each in first.read().asked if each.grant == "refresh_token"}
    first.provider.honest_again()
    free = [
        each for each in first.connections
        if not spent & {row.refresh for row in first.read().issued if row.account == each["unique_id"]}
    ]  # fmt: skip
    late = there.served_within(free, 12)

    assert {} == refused(replies)
    assert 2 == len(free)
    assert {} == late
    assert 0 == there.doubled()
    assert {"never rotated"} >= {str(each.verdict) for each in there.losses()}
    assert 200 == call(server, elsewhere[0], "echo").status
