"""The token-response corpus: what each provider's answer means."""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.token_adapter import fetch_token_response, parse_token_response

SAMPLES = [
    json.loads((Path(__file__).parent / "samples" / name).read_text(encoding="utf-8"))
    for name in ("tokens.json", "tokens_adversary.json")
]
READ = {case["id"]: case for sample in SAMPLES for case in sample["cases"] if case["must"]}
PLAYED = {case["id"]: case for sample in SAMPLES for case in sample["wire"] if case["must"]}
BOUNDED = {name: case for name, case in PLAYED.items() if "max_rss_mib" in case}
JUDGED = ("id", "status", "headers", "body", "body_b64", "request_scope", "received_at", "profile")


def _given(case: dict[str, Any]) -> dict[str, Any]:
    """The case as an adapter gets it: without the expectation, the body made."""
    given = {key: case[key] for key in JUDGED if key in case}
    if "body_gen" in case:
        made = case["body_gen"]
        given["body"] = made["prefix"] + made["repeat"] * made["times"] + made["suffix"]
    return given


def _comparable(result: dict[str, Any]) -> dict[str, Any]:
    """What the contract compares, in one spelling."""
    outcome = result["outcome"]
    if outcome != "token":
        waits = outcome in {"rate_limited", "temporarily_unavailable"}
        kept = {key: result[key] for key in ("outcome", "access_token", "refresh_token")}
        return kept | ({"retry_after": result.get("retry_after")} if waits else {})
    return {
        **{key: result[key] for key in ("outcome", "access_token", "refresh_token", "expires_at")},
        "token_type": (result["token_type"] or "").lower(),
        "scope": None if result["scope"] is None else sorted(result["scope"]),
    }


def _close(expected: dict[str, Any], found: dict[str, Any]) -> bool:
    def same(key: str) -> bool:
        if key in {"expires_at", "retry_after"} and None not in (expected[key], found[key]):
            return abs(float(expected[key]) - float(found[key])) <= 1
        return bool(expected[key] == found[key])

    return expected.keys() == found.keys() and all(map(same, expected))


@pytest.mark.parametrize("case", READ.values(), ids=READ)
def test_an_answer_is_read_as_the_contract_says(case: dict[str, Any]) -> None:
    """Every case of the corpus that counts comes out as expected."""
    expected = _comparable(case["expect"])

    found = _comparable(parse_token_response(_given(case)))

    assert _close(expected, found), (expected, found)


class _Played:
    """A server on loopback that plays a case's bytes to whoever asks, closes, and counts the requests."""

    def __init__(self, case: dict[str, Any]) -> None:
        self.requests = 0
        self.over = threading.Event()
        self._steps = case.get("steps") or [{"b64": case["raw_b64"]}]
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}/token"

    def serve(self) -> None:
        """Take connections until the test is over."""
        with self._listening:
            while True:
                connection = self._listening.accept()[0]
                if self.over.is_set():
                    connection.close()
                    return
                threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def end(self) -> None:
        """Stop at once: a last connection wakes who waits for one."""
        self.over.set()
        with suppress(OSError):
            socket.create_connection(self._listening.getsockname(), timeout=5).close()

    def _play(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        with connection, suppress(OSError):
            self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        received = b""
        while b"\r\n\r\n" not in received and (piece := connection.recv(65_536)):
            received += piece
        self.requests += bool(received)
        for step in self._steps:
            if step.get("reset"):
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            piece = base64.b64decode(step.get("b64", ""))
            for _ in range(step.get("times", 1)):
                connection.sendall(piece)
                if self.over.wait(step.get("sleep", 0)):
                    return


@contextmanager
def _playing(case: dict[str, Any]) -> Iterator[_Played]:
    played = _Played(case)
    thread = threading.Thread(target=played.serve, daemon=True)
    thread.start()
    try:
        yield played
    finally:
        played.end()
        thread.join(5)


@pytest.mark.parametrize("case", PLAYED.values(), ids=PLAYED)
def test_bytes_on_the_wire_are_read_as_the_contract_says(case: dict[str, Any]) -> None:
    """Every wire case that counts comes out as expected, in time, after one request."""
    given = {key: case[key] for key in (*JUDGED, "deadline_s", "max_rss_mib") if key in case}
    accepted = [case["expect"], *(case["expect"] | {"outcome": each} for each in case.get("or", ()))]
    if any(each["outcome"] == "temporarily_unavailable" for each in accepted):
        given["deadline_s"] = 1.0  # shorter than the contract's, so that silence costs the suite little

    with _playing(case) as played:
        began = time.monotonic()
        found = _comparable(fetch_token_response(played.url, given))
        took = time.monotonic() - began

    assert any(_close(_comparable(each), found) for each in accepted), (accepted, found)
    assert 1 == played.requests
    assert took < 3.0 if given["deadline_s"] == 1.0 else took < given["deadline_s"]


@pytest.mark.parametrize("case", BOUNDED.values(), ids=BOUNDED)
def test_an_answer_without_end_costs_no_memory(case: dict[str, Any]) -> None:
    """Where the contract bounds what the process may grow by, reading stays within it."""
    given = {key: case[key] for key in (*JUDGED, "deadline_s") if key in case}

    with _playing(case) as played:
        tracemalloc.start()
        try:
            fetch_token_response(played.url, given)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak < case["max_rss_mib"] * 1_048_576


def test_the_door_opens_from_anywhere() -> None:
    """From many threads at once, and from a program that runs an event loop already."""
    case = PLAYED["adv-w-plain"]
    given = {key: case[key] for key in (*JUDGED, "deadline_s") if key in case}

    async def within_a_loop(url: str) -> dict[str, Any]:
        return fetch_token_response(url, given)

    with _playing(case) as played, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(fetch_token_response, [played.url] * 24, [given] * 24))
        found.append(asyncio.run(within_a_loop(played.url)))

    assert [_comparable(case["expect"])] * 25 == [_comparable(each) for each in found]
    assert 25 == played.requests
