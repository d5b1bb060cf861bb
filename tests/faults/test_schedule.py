"""What happens by itself, on the real clock."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.running import (
    connect,
    example_connector,
    install_connector,
    running_provider,
    running_server,
    wait_for,
)


def test_the_scheduler_renews_ahead_of_time(tmp_path: Path) -> None:
    """A token that lives a minute is renewed in its second half, without a call."""
    with running_provider("--access-ttl", "61") as provider, running_server(tmp_path) as server:
        connector = install_connector(server, example_connector(provider.port))
        connection = connect(server, connector, provider.username, provider.password).json()

        assert connection["renews_at"] is not None
        renewed = wait_for(
            lambda: (
                (found := server.ask("GET", f"/v1/connections/{connection['id']}").json())["generation"] > 1 and found
            ),
            timeout_s=45,
        )
        assert "active" == renewed["state"]
