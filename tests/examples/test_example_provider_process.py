"""The example provider as a process: it goes wrong exactly as it is told to, and ends when it should."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from keyturn_example_provider.app import make_provider
from keyturn_example_provider.settings import ID_VARIABLE, SECRET_VARIABLE, Settings
from tests.examples.provider_caller import CLIENT, Caller, FakeClock

CHECKOUT = Path(__file__).parents[2]
PACKAGE = CHECKOUT / "examples" / "provider" / "keyturn_example_provider"


@dataclass
class Server:
    """A provider in a process of its own."""

    process: subprocess.Popen[str]
    base_url: str


@contextlib.contextmanager
def serving(*options: str, env: dict[str, str] | None = None) -> Iterator[Server]:
    """Run a provider on a free port, and end it."""
    command = [sys.executable, "-m", "keyturn_example_provider", "--port", "0", *options]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **(env or {})}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.fullmatch(r"example provider on (http://127\.0\.0\.1:\d+)\n", line)
            assert found is not None, line
            yield Server(process, found[1])
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Give one provider with the debug endpoints, shared by the tests of this file."""
    with serving("--debug-endpoints") as running:
        yield running


@pytest.fixture
async def remote(server: Server) -> AsyncIterator[Caller]:
    """Give a caller of the shared provider, with no fault armed."""
    async with httpx.AsyncClient(base_url=server.base_url, trust_env=False, timeout=20) as http:
        await http.delete("/debug/fault")
        yield Caller(make_provider(Settings()), http, FakeClock())


async def outcome_of(request: Awaitable[httpx.Response]) -> object:
    """Give the status of an answer, or the name of what went wrong instead."""
    try:
        answer = await request
    except httpx.TransportError as error:
        return type(error).__name__
    return answer.status_code


@pytest.mark.parametrize(
    ("mode", "seen", "carried_out"),
    [
        pytest.param("reset", "ReadError", False, id="reset"),
        pytest.param("answer_lost", "ReadError", True, id="answer lost"),
        pytest.param("half_body", "RemoteProtocolError", True, id="half a body"),
        pytest.param("status_500", 500, False, id="500"),
        pytest.param("rate_limited", 429, False, id="429"),
        pytest.param("slow", 200, True, id="slow"),
    ],
)
async def test_a_fault_carries_out_what_it_says(remote: Caller, mode: str, seen: object, carried_out: bool) -> None:
    """After a fault of a refresh the old token is spent exactly where the request was carried out."""
    refresh_token = (await remote.log_in()).json()["refresh_token"]
    await remote.http.post("/debug/fault", json={"endpoint": "refresh", "mode": mode, "delay_s": 0.05})
    first = await outcome_of(remote.refresh(refresh_token))
    row = (await remote.http.get("/debug/log")).json()[-1]
    second = await outcome_of(remote.refresh(refresh_token))

    assert seen == first
    assert (mode, "rotated" if carried_out else "not_carried_out") == (row["fault"], row["outcome"])
    assert (400 if carried_out else 200) == second


async def waiting(remote: Caller, wanted: bool) -> dict[str, object]:
    """Ask until `/debug/waiting` says `wanted`."""
    while True:
        found: dict[str, object] = (await remote.http.get("/debug/waiting")).json()
        if wanted == found["waiting"]:
            return found
        await asyncio.sleep(0.02)


@pytest.mark.parametrize(("when", "rotated_while_held"), [("before", False), ("after", True)])
async def test_a_held_request_waits_for_its_release(remote: Caller, when: str, rotated_while_held: bool) -> None:
    """A request is held before or after it is carried out, is seen to wait, and is answered after the release."""
    refresh_token = (await remote.log_in()).json()["refresh_token"]
    await remote.http.post("/debug/fault", json={"endpoint": "refresh", "mode": "hold", "when": when})
    held = asyncio.create_task(remote.refresh(refresh_token))
    found = await waiting(remote, True)
    outcome = (await remote.http.get("/debug/log")).json()[-1]["outcome"]
    released = (await remote.http.post("/debug/release")).json()
    answer = await held

    assert [{"endpoint": "refresh", "mode": "hold", "when": when}] == found["held"]
    assert rotated_while_held == (outcome == "rotated")
    assert {"released": 1} == released
    assert 200 == answer.status_code
    assert not (await waiting(remote, False))["held"]


async def test_a_held_request_is_carried_out_without_its_caller(remote: Caller) -> None:
    """When the caller dies before the release, the refresh happens all the same."""
    refresh_token = (await remote.log_in()).json()["refresh_token"]
    await remote.http.post("/debug/fault", json={"endpoint": "refresh", "mode": "hold"})
    held = asyncio.create_task(remote.refresh(refresh_token))
    await waiting(remote, True)
    held.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await held
    await remote.http.post("/debug/release")
    await waiting(remote, False)

    assert "rotated" == (await remote.http.get("/debug/log")).json()[-1]["outcome"]
    assert 400 == (await remote.refresh(refresh_token)).status_code


async def test_a_hanging_request_ends_with_its_caller(remote: Caller) -> None:
    """A hang gives no answer, carries nothing out, and is over when the caller gives up."""
    access_token = (await remote.log_in()).json()["access_token"]
    await remote.http.post("/debug/fault", json={"endpoint": "me", "mode": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        await remote.http.get("/api/me", headers={"Authorization": f"Bearer {access_token}"}, timeout=0.2)
    found = await waiting(remote, False)

    assert [] == found["held"]
    assert "not_carried_out" == (await remote.http.get("/debug/log")).json()[-1]["outcome"]
    assert 200 == (await remote.me(access_token)).status_code


def test_it_ends_when_its_input_ends(tmp_path: Path) -> None:
    """With --exit-with-parent nothing stays behind, and the log file is the owner's alone."""
    log = tmp_path / "log.jsonl"
    with serving("--exit-with-parent", "--log", str(log)) as running:
        httpx.post(f"{running.base_url}/oauth/revoke", data={"token": "x"}, auth=CLIENT, trust_env=False)
        assert running.process.stdin is not None
        running.process.stdin.close()

        assert 0 == running.process.wait(10)

    assert "unknown" == json.loads(log.read_text())["outcome"]
    assert 0o600 == log.stat().st_mode & 0o777


def test_it_stays_when_its_input_ends_unasked() -> None:
    """Without the flag a closed input means nothing; a signal ends it, quietly."""
    with serving() as running:
        assert running.process.stdin is not None
        running.process.stdin.close()
        with pytest.raises(subprocess.TimeoutExpired):
            running.process.wait(0.5)
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(10)
        assert running.process.stderr is not None

        assert "" == running.process.stderr.read()


def test_the_client_comes_from_the_environment() -> None:
    """Id and secret are set by variables; the default ones are then unknown."""
    with serving(env={ID_VARIABLE: "mine", SECRET_VARIABLE: "s p+é"}) as running:
        statuses = [
            httpx.post(
                f"{running.base_url}/oauth/revoke",
                data={"token": "x", "client_id": client_id, "client_secret": secret},
                trust_env=False,
            ).status_code
            for client_id, secret in (("mine", "s p+é"), CLIENT)
        ]

    assert [200, 401] == statuses


def test_a_taken_port_is_said_and_not_traced() -> None:
    """A port in use gives one sentence and status 1."""
    with serving() as running:
        port = running.base_url.rpartition(":")[2]
        command = [sys.executable, "-m", "keyturn_example_provider", "--port", port]
        second = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": str(PACKAGE.parent)}, capture_output=True, text=True, check=False
        )

    assert 1 == second.returncode
    assert second.stderr.startswith("example provider: cannot start: ")
    assert "Traceback" not in second.stderr
