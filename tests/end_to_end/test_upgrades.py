"""Data that an earlier release wrote is brought up by the first start, and no connection is lost by it (I14).

The data is a real release's: `earlier_data/make.py` says how it was written, and what is in it.
"""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.earlier_data.provider import Remembering
from tests.end_to_end.running import Server, wait_for
from tests.end_to_end.scripted.connectors import call, shown, sign_in

HERE = Path(__file__).parent / "earlier_data"
SCHEMAS = ("0021",)


@pytest.fixture(params=SCHEMAS)
def written(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What the earlier release wrote; its data directory is `data` in it."""
    folder = tmp_path / "written"
    shutil.copytree(HERE / f"schema-{request.param}", folder)
    data = folder / "data"
    data.mkdir(mode=0o700)
    shutil.move(folder / "keyturn.key", data)
    (data / "keyturn.key").chmod(0o600)
    (data / "keyturn.db").write_bytes(gzip.decompress((folder / "keyturn.db.gz").read_bytes()))
    (data / "keyturn.db").chmod(0o600)
    return folder


@pytest.fixture
def provider(written: Path) -> Iterator[Remembering]:
    """The provider, with the grants of then."""
    running = Remembering()
    running.take_up(written / "provider.json")
    yield running
    running.close()


@pytest.fixture
def connections(written: Path) -> dict[str, dict[str, Any]]:
    """Each as it was shown by the release that made it."""
    found: dict[str, dict[str, Any]] = json.loads((written / "connections.json").read_text())
    return found


@pytest.fixture
def server(written: Path, provider: Remembering) -> Iterator[Server]:
    """This release, on that data."""
    running = Server(written / "data", written / "log").start()
    yield running
    running.stop()


def settled(server: Server, connection: dict[str, Any]) -> tuple[str, str | None]:
    """State and reason, once the start's own work on it is done."""

    def known() -> tuple[str, str | None] | None:
        seen = shown(server, connection)
        return None if seen["state"] == "disconnecting" else (seen["state"], seen["reason"])

    found: tuple[str, str | None] = wait_for(known, 20, 0.1)
    return found


def test_every_connection_is_kept(
    server: Server, provider: Remembering, connections: dict[str, dict[str, Any]]
) -> None:
    """Who was sound goes on; what was under way is settled by what may be done; who waited for its person waits on."""
    wait_for(lambda: shown(server, connections["sent-kept"])["generation"] == 2, 20, 0.1)
    wait_for(lambda: shown(server, connections["sent-stable"])["generation"] == 2, 20, 0.1)
    wait_for(lambda: shown(server, connections["sent"])["state"] == "uncertain", 20, 0.1)
    states = {name: settled(server, each) for name, each in connections.items()}
    calls = {name: call(server, each, "echo").status for name, each in connections.items()}

    assert {
        "sound": ("active", None),
        "ended": ("needs_reconnect", "grant_lost"),
        "unknown": ("uncertain", "renewal_outcome_unknown"),
        "sent": ("uncertain", "renewal_outcome_unknown"),
        "sent-stable": ("active", None),
        "sent-kept": ("active", None),
        "gone": ("disconnected", None),
        "paused": ("paused", None),
        "troubled": ("active", None),
    } == states
    assert {"ended", "gone", "paused"} == {name for name, status in calls.items() if status != 200}

    server.ask("POST", f"/v1/connections/{connections['paused']['id']}/resume")
    for name in ("sound", "paused", "troubled", "sent-stable", "sent-kept"):
        assert 200 == server.ask("POST", f"/v1/connections/{connections[name]['id']}/renew").status, name
        assert 200 == call(server, connections[name], "echo").status, name
    for name in ("ended", "sent", "unknown"):
        again = sign_in(server, connections[name]["connector"], name, owner=f"owner-{name}")
        assert (200, connections[name]["id"]) == (again.status, again.json()["id"])
        assert 200 == call(server, connections[name], "echo").status, name


def test_nothing_is_sent_twice_and_what_was_owed_is_revoked(
    server: Server, provider: Remembering, connections: dict[str, dict[str, Any]]
) -> None:
    """The provider sees no refresh token again that may be spent; the revocation that it did not take comes again."""
    wait_for(lambda: provider.seen("/revoke"), 20, 0.1)
    for each in connections.values():
        server.ask("POST", f"/v1/connections/{each['id']}/renew")
    came = Counter(each.refresh for each in provider.seen("/token") if each.grant == "refresh_token")
    outcomes = Counter(each.outcome for each in provider.seen("/token"))
    verified = server.ask("GET", "/v1/audit/verify").json()

    assert {"token"} == set(outcomes)
    assert [] == [token for token, times in came.items() if times > 1]
    assert {"revoked"} == {each.outcome for each in provider.seen("/revoke")}
    assert verified["ok"], verified
