"""Two servers on one data directory: what is ended at one is ended at the other within a second (I7, A1)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.running import Server, connect, example_connector, install_connector, running_provider, wait_for

WITHIN_S = 3.0  # a second, on a machine that is busy with other tests


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server, str]]:
    """Two servers and the id of a connection."""
    where = tmp_path_factory.mktemp("two")
    with running_provider("--access-ttl", "300") as provider:
        first = Server(where / "data", where / "first.log")
        second = Server(where / "data", where / "second.log")
        try:
            connector = install_connector(first.start(), example_connector(provider.port))
            made = connect(first, connector, provider.username, provider.password).json()
            yield first, second.start(), made["id"]
        finally:
            first.stop()
            second.stop()


def test_what_is_ended_at_one_is_ended_at_the_other(servers: tuple[Server, Server, str]) -> None:
    """A revoked key, a paused connection, one that goes on, one that was disconnected."""
    first, second, connection = servers
    key = first.ask("POST", "/v1/api-keys", {"name": "k", "scopes": ["call"]}).json()
    call = f"/v1/proxy/{connection}/me"

    def said(code: str | None, **more: str) -> bool:
        return second.ask("GET", call, **more).code == code

    before = (second.ask("GET", call).status, second.ask("GET", call, key=key["key"]).status)
    began = time.monotonic()
    first.ask("DELETE", f"/v1/api-keys/{key['id']}")
    wait_for(lambda: said("unauthenticated", key=key["key"]), WITHIN_S)
    first.ask("POST", f"/v1/connections/{connection}/pause")
    wait_for(lambda: said("connection_paused"), WITHIN_S)
    first.ask("POST", f"/v1/connections/{connection}/resume")
    wait_for(lambda: said(None), WITHIN_S)
    first.ask("DELETE", f"/v1/connections/{connection}")
    wait_for(lambda: said("connection_disconnected"), WITHIN_S)

    assert (200, 200) == before
    assert time.monotonic() - began < 4 * WITHIN_S
