"""The main job, end to end: connect, call, renew, survive an ended token, disconnect; and no secret left anywhere."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import (
    ADMIN_KEY,
    Provider,
    connect,
    example_connector,
    install_connector,
    running_provider,
    running_server,
)

CLIENT_SECRET = "acme-secret-for-trying-out-only"


def tokens_seen(provider: Provider) -> list[str]:
    """Fingerprints of refresh tokens that were sent to it."""
    return [row["refresh_token_fingerprint"] for row in provider.log() if row.get("grant_type") == "refresh_token"]


def test_the_whole_story_leaves_no_secret_on_disk(tmp_path: Path) -> None:
    """Everything that a first user does, with a grep at its end."""
    with running_provider("--access-ttl", "300") as provider, running_server(tmp_path) as server:
        connector = install_connector(server, example_connector(provider.port))
        created = connect(server, connector, provider.username, provider.password)
        assert created.status == 201, created.body
        connection = created.json()
        me = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
        renewed = server.ask("POST", f"/v1/connections/{connection['id']}/renew")
        again = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
        wrong = connect(server, connector, provider.username, "not-the-password-canary", owner="owner-2")
        why = server.ask("GET", f"/v1/connections/{connection['id']}/why")
        events = server.ask("GET", f"/v1/connections/{connection['id']}/events")
        ended = server.ask("DELETE", f"/v1/connections/{connection['id']}")
        gone = server.ask("GET", f"/v1/proxy/{connection['id']}/me")

        assert (200, "upstream") == (me.status, me.headers["keyturn-source"])
        assert (200, 2) == (renewed.status, renewed.json()["generation"])
        assert 200 == again.status
        assert (422, "provider_credentials_rejected") == (wrong.status, wrong.code)
        assert isinstance(wrong.json()["tries_left"], int)
        assert (200, 200) == (why.status, events.status)
        assert "disconnected" == ended.json()["state"]
        assert (410, "connection_disconnected") == (gone.status, gone.code)
        revoked = [row for row in provider.log() if row["endpoint"] == "revoke"]
        assert revoked
        server.stop()
        secrets = [provider.password, "not-the-password-canary", CLIENT_SECRET, ADMIN_KEY]
        assert [] == find_canaries([server.data, server.log], secrets)


def test_a_killed_token_is_renewed_and_the_call_replayed(tmp_path: Path) -> None:
    """The caller notices nothing; the provider sees one renewal for twenty callers."""
    with running_provider("--access-ttl", "2") as provider, running_server(tmp_path) as server:
        connector = install_connector(server, example_connector(provider.port))
        connection = connect(server, connector, provider.username, provider.password).json()
        time.sleep(2.5)
        with ThreadPoolExecutor(20) as pool:
            replies = list(pool.map(lambda _: server.ask("GET", f"/v1/proxy/{connection['id']}/me").status, range(20)))

        assert [200] * 20 == replies
        assert 1 <= len(tokens_seen(provider)) <= 2
        assert len(tokens_seen(provider)) == len(set(tokens_seen(provider)))
