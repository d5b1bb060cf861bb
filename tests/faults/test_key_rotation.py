"""A rotation of the wrapping key under load, with kill -9 in the middle: no call fails, and nothing is lost (S3)."""

from __future__ import annotations

import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import (
    CHECKOUT,
    Server,
    connect,
    example_connector,
    install_connector,
    running_provider,
    wait_for,
)

SLOW = str(CHECKOUT / "tests/faults/slow_rotation_server.py")
CONNECTIONS = 16


@contextmanager
def calling(server: Server, ids: list[str]) -> Iterator[list[int]]:
    """Call through every connection, again and again; gives the statuses that came."""
    statuses: list[int] = []
    over = threading.Event()

    def call(some: list[str]) -> None:
        while not over.is_set():
            statuses.extend(server.ask("GET", f"/v1/proxy/{each}/me").status for each in some)

    threads = [threading.Thread(target=call, args=(ids[n::2],)) for n in range(2)]
    for each in threads:
        each.start()
    try:
        yield statuses
    finally:
        over.set()
        for each in threads:
            each.join()


def _keys(server: Server) -> dict[str, Any]:
    found: dict[str, Any] = server.ask("GET", "/v1/keys").json()
    return found


@pytest.mark.timeout(240)
def test_a_rotation_under_load_that_is_killed(tmp_path: Path) -> None:
    """Another process takes it up; then the old key is retired, removed, and a server with the new one opens all."""
    data, hold = tmp_path / "data", tmp_path / "hold"
    with running_provider("--access-ttl", "4") as provider:
        first = Server(data, tmp_path / "first.log", command=(sys.executable, SLOW, str(tmp_path / "free")))
        second = Server(data, tmp_path / "second.log", command=(sys.executable, SLOW, str(hold)))
        third = Server(data, tmp_path / "third.log")
        try:
            connector = install_connector(first.start(), example_connector(provider.port))
            ids = [
                connect(first, connector, provider.username, provider.password, owner=f"owner-{n}").json()["id"]
                for n in range(CONNECTIONS)
            ]
            hold.touch()
            second.start()
            old = _keys(first)["data"][0]["id"]
            new = first.ask("POST", "/v1/keys").json()["id"]
            with calling(second, ids) as statuses:
                begun = first.ask("POST", f"/v1/keys/{new}/rotate")
                wait_for(lambda: _keys(second)["rotation"]["done"] >= 4, 30)
                first.kill()
                killed = _keys(second)
                refused = second.ask("POST", f"/v1/keys/{old}/retire").code
                made = connect(second, connector, provider.username, provider.password, owner="late").json()["id"]
                hold.unlink()
                wait_for(lambda: _keys(second)["rotation"]["state"] == "done", 90)
            generations = [second.ask("GET", f"/v1/connections/{each}").json()["generation"] for each in ids]
            retired = second.ask("POST", f"/v1/keys/{old}/retire").status
            left = {each["id"]: each["data_keys"] for each in _keys(second)["data"]}
            second.stop()
            shutil.move(data / "keyturn.key", tmp_path / "away.key")
            third.start()
            calls = [third.ask("GET", f"/v1/proxy/{each}/me").status for each in [*ids, made]]
        finally:
            for each in (first, second, third):
                each.stop()

    assert (202, "key_in_use", 200) == (begun.status, refused, retired)
    assert killed["rotation"]["done"] < killed["rotation"]["total"]
    assert {200} == set(statuses)
    assert len(statuses) > 10 * CONNECTIONS
    assert min(generations) > 1
    assert left[old] == 0 < left[new]
    assert [200] * (CONNECTIONS + 1) == calls
