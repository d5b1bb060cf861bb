"""kill -9 in the middle of a login, and a login by password and seed that has to wait for its next code.

The scripted provider outlives the server; its log says what was sent, and how often.
"""

from __future__ import annotations

import contextlib
import http.client
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import Reply, Server, running_server, wait_for
from tests.end_to_end.scripted.challenges import (
    CODE,
    SECOND_GRANT,
    SEED,
    STEP_S,
    WRONG_CODE,
    Push,
    SecondStep,
    challenge,
    seeded,
)
from tests.end_to_end.scripted.connectors import call, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import PASSWORD, Answer, Scripted, Seen, scripted_provider

CAPTURE = {"mfa_token": "mfa_token"}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that a test may kill."""
    with running_server(tmp_path) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def begin(server: Server, provider: Scripted, *challenges: dict[str, Any]) -> dict[str, Any]:
    """A login that is stopped: its first challenge."""
    reply = sign_in(server, install(server, connector_for(provider, challenges=list(challenges))))
    assert reply.status == 202, reply.body
    found: dict[str, Any] = reply.json()["challenge"]
    return found


def answer(server: Server, challenge_id: str, code: str) -> Reply:
    """POST /v1/challenges/{id}."""
    return server.ask("POST", f"/v1/challenges/{challenge_id}", {"answers": {"otp": code}})


def state_of(server: Server, challenge_id: str) -> dict[str, Any]:
    """GET /v1/challenges/{id}."""
    found: dict[str, Any] = server.ask("GET", f"/v1/challenges/{challenge_id}").json()
    return found


def let_time_pass(server: Server, seconds: float) -> None:
    """Move what is due nearer by so much, in the database of a server that is down."""
    database = sqlite3.connect(server.data / "keyturn.db")
    database.execute("UPDATE challenges SET due_at = due_at - ?", (seconds,))
    database.commit()
    database.close()


def test_a_restart_in_the_middle_keeps_the_challenge(server: Server, provider: Scripted) -> None:
    """Killed while it waits, and once more after a wrong code: the right one still ends in a connection."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))
    server.kill()
    searched = [CODE, WRONG_CODE, PASSWORD, *step.open]
    at_rest = find_canaries([server.data, server.log], searched)
    server.start()
    waiting = state_of(server, asked["id"])
    again = answer(server, asked["id"], WRONG_CODE).json()["challenge"]
    server.kill()
    server.start()

    done = answer(server, again["id"], CODE)

    assert (201, 200) == (done.status, call(server, done.json()).status)
    assert (asked["ask"], "waiting") == (waiting["ask"], waiting["state"])
    assert [WRONG_CODE, CODE] == step.sent
    assert 3 == len(provider.seen("/token"))
    assert [] == at_rest
    assert [] == find_canaries([server.data, server.log], searched)


def test_a_code_under_way_is_not_sent_again(server: Server, provider: Scripted) -> None:
    """Killed after the code left: nobody knows what came of it, so the challenge is used up and ends by its time."""
    step, came = SecondStep(provider), threading.Event()

    def silent(request: Seen) -> Answer:
        reply = step.second_grant(request)
        if reply.outcome == "token":
            came.set()
            reply.after_s = 3
        return reply

    step.install(silent)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))

    def ask_in_vain() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer(server, asked["id"], CODE)

    asking = threading.Thread(target=ask_in_vain)
    asking.start()
    assert came.wait(10)
    server.kill()
    asking.join()
    server.start()
    refused, before = answer(server, asked["id"], CODE), state_of(server, asked["id"])
    server.kill()
    let_time_pass(server, 180)
    server.start()
    after = wait_for(lambda: (now := state_of(server, asked["id"]))["state"] == "failed" and now)

    assert (409, "challenge_used") == (refused.status, refused.code)
    assert ("pending", "provider_timeout") == (before["state"], after["error"])
    assert [CODE] == step.sent
    assert 2 == len(provider.seen("/token"))


def test_polling_goes_on_after_a_restart(server: Server, provider: Scripted) -> None:
    """The person confirms while the server is down: it is asked again and finds out."""
    push = Push(provider, "approved", pending_for=2).install()
    asked = begin(server, provider, push.challenge())
    wait_for(lambda: provider.seen("/push"))
    server.kill()
    server.start()

    state = wait_for(lambda: (now := state_of(server, asked["id"]))["state"] == "done" and now, 30)

    assert 200 == call(server, {"id": state["connection_id"]}).status
    assert 1 == len(provider.seen("/token"))
    assert 3 <= len(provider.seen("/push")) <= 4


def test_a_kept_seed_renews_with_a_new_code(server: Server, provider: Scripted) -> None:
    """Password and seed log in again by themselves, with the code of a later step: none is sent twice."""
    step = SecondStep(provider)
    step.install(step.by_seed)
    provider.token_extra = {"refresh_token": None}
    connector = install(server, connector_for(provider, **seeded()))
    made = sign_in(server, connector, fields={"seed": SEED}, keep_totp_seed=True, keep_password=True)
    assert made.status == 201, made.body
    began = time.monotonic()

    renewed = server.ask("POST", f"/v1/connections/{made.json()['id']}/renew", timeout_s=90)
    latest = wait_for(lambda: (now := shown(server, made.json()))["generation"] == 2 and now, STEP_S + 15)

    assert renewed.status in (200, 409), renewed.body
    assert time.monotonic() - began < STEP_S + 15
    assert 2 == len(set(step.sent)) == len(step.sent)
    assert 200 == call(server, latest).status
    assert [] == find_canaries([server.data, server.log], [SEED, PASSWORD])
