"""A back-up that is one generation old is put back: the refresh token that was used since is not sent again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import Server, connect, example_connector, install_connector, running_provider

pytestmark = pytest.mark.slow


def keyturn(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the program on the machine of the data."""
    surroundings = {k: v for k, v in os.environ.items() if not k.startswith("KEYTURN_")}
    done = subprocess.run(
        [sys.executable, "-m", "keyturn", *words],
        capture_output=True,
        text=True,
        env=surroundings,
        timeout=60,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    return done


def test_a_back_up_that_is_one_generation_old(tmp_path: Path) -> None:
    """The provider sees no refresh token twice; the connection is uncertain, and its person can repair it."""
    copy = tmp_path / "copy.db"
    with running_provider("--access-ttl", "300") as provider:
        server = Server(tmp_path / "data", tmp_path / "log")
        try:
            server.start()
            install_connector(server, example_connector(provider.port))
            connection_id = connect(server, "acme-example", "demo", provider.password).json()["id"]
            keyturn("backup", str(copy), "--data", str(server.data))
            renewed = server.ask("POST", f"/v1/connections/{connection_id}/renew").json()
            server.stop()
            keyturn("restore", str(copy), "--data", str(server.data), "--over-newer", "--yes")
            server.start()
            again = server.ask("POST", f"/v1/connections/{connection_id}/renew")
            shown = server.ask("GET", f"/v1/connections/{connection_id}").json()
            events = server.ask("GET", "/v1/audit").json()["data"]
            seen = provider.log()
            repaired = connect(server, "acme-example", "demo", provider.password)
        finally:
            server.stop()

        assert (2, "renewal_not_possible") == (renewed["generation"], again.code)
        assert ("uncertain", "renewal_outcome_unknown") == (shown["state"], shown["reason"])
        assert 1 == sum(each.get("grant_type") == "refresh_token" for each in seen)
        assert "backup.restored" in {each["action"] for each in events}
        assert (200, "active") == (repaired.status, repaired.json()["state"])
        assert [] == find_canaries([copy, server.data, server.log], [provider.password])
