"""A provider that allows an account one session, end to end: refused without the key, and working with it."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.running import (
    Provider,
    Reply,
    Server,
    connect,
    example_connector,
    install_connector,
    running_provider,
    running_server,
    wait_for,
)

ONE = ("--max-sessions", "1", "--access-ttl", "300")
WITH_KEY = {"insecure_http: true": "insecure_http: true\nsession: {limit: 1, logout_first: true}"}
KEPT = {
    "keep: never": "keep: required, reason: The provider gives nothing else.",
    "strategy: refresh_only": "strategy: password_only",
}


def logins(provider: Provider) -> list[str]:
    """What became of each login and each revocation, oldest first."""
    return [row["outcome"] for row in provider.log() if row["endpoint"] in ("token", "revoke")]


def log_in_again(server: Server, provider: Provider, password: str | None = None) -> Reply:
    """The same owner, the same account."""
    return connect(server, "acme-example", provider.username, password or provider.password, owner="owner-1")


def test_without_the_key_a_second_login_is_refused(tmp_path: Path) -> None:
    """The provider ends no session itself, and keyturn doesn't know that it has to."""
    with running_provider(*ONE) as provider, running_server(tmp_path) as server:
        connector = install_connector(server, example_connector(provider.port))
        connection = connect(server, connector, provider.username, provider.password).json()
        refused = log_in_again(server, provider)
        call = server.ask("GET", f"/v1/proxy/{connection['id']}/me")

        assert (424, "provider_interaction_required") == (refused.status, refused.code)
        assert ["issued", "too_many_sessions"] == logins(provider)
        assert 200 == call.status


def test_with_the_key_the_old_session_makes_room(tmp_path: Path) -> None:
    """A person's login, another owner's, one with a wrong password, and what is then said and done."""
    with running_provider(*ONE) as provider, running_server(tmp_path) as server:
        connector = install_connector(server, example_connector(provider.port, **WITH_KEY))
        connection = connect(server, connector, provider.username, provider.password).json()
        again = log_in_again(server, provider)
        call = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
        other = connect(server, connector, provider.username, provider.password, owner="owner-2")
        seen = logins(provider)
        wrong = log_in_again(server, provider, "not-the-password")
        why = server.ask("GET", f"/v1/connections/{connection['id']}/why").json()
        dead = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
        mended = log_in_again(server, provider)

        assert (200, connection["id"], 2) == (again.status, again.json()["id"], again.json()["generation"])
        assert 200 == call.status
        assert (409, "session_limit_reached") == (other.status, other.code)
        assert ["issued", "refresh_revoked", "access_revoked", "issued"] == seen
        assert (422, "provider_credentials_rejected") == (wrong.status, wrong.code)
        assert ("needs_reconnect", "session_ended") == (why["state"], why["code"])
        assert (409, "connection_needs_reconnect") == (dead.status, dead.code)
        assert (200, 3) == (mended.status, mended.json()["generation"])


def test_a_kept_password_renews_within_one_session(tmp_path: Path) -> None:
    """Each renewal logs out, then logs in; nothing of it is refused, and a disconnect leaves no session."""
    with running_provider(*ONE) as provider, running_server(tmp_path) as server:
        connector = install_connector(server, example_connector(provider.port, **WITH_KEY, **KEPT))
        connection = connect(server, connector, provider.username, provider.password).json()
        path = f"/v1/connections/{connection['id']}"
        renewed = [server.ask("POST", f"{path}/renew") for _ in range(2)]
        call = server.ask("GET", f"/v1/proxy/{connection['id']}/me")
        server.ask("DELETE", path)
        wait_for(lambda: server.ask("GET", path).json()["state"] == "disconnected")
        free = connect(server, connector, provider.username, provider.password, owner="owner-2")

        assert [(200, 2), (200, 3)] == [(each.status, each.json()["generation"]) for each in renewed]
        assert 200 == call.status
        assert "too_many_sessions" not in logins(provider)
        assert 201 == free.status
