"""Starting, as an outsider reads the contract: the key file, settings, the first API key."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running import CHECKOUT, Server, free_port, running_server
from tests.end_to_end.scripted.connectors import call, connected, connector_for, install, sign_in
from tests.end_to_end.scripted.provider import PASSWORD, Scripted, scripted_provider


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test."""
    with scripted_provider() as running:
        yield running


def run_keyturn(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    """The command itself, to its end."""
    known = {key: value for key, value in os.environ.items() if not key.startswith("KEYTURN_")}
    return subprocess.run(
        [sys.executable, "-m", "keyturn", *arguments],
        env={**known, "PYTHONPATH": str(CHECKOUT / "src")},
        cwd=cwd,
        capture_output=True,
        timeout=30,
        stdin=subprocess.DEVNULL,
        check=False,
    )


def test_two_starts_at_once_on_one_directory(tmp_path: Path, provider: Scripted) -> None:
    """One key file (0600), whole; what one sealed the other can open; a note to back it up."""
    servers = [Server(tmp_path / "data", tmp_path / f"log-{n}", port=free_port()) for n in range(2)]
    try:
        for each in servers:
            each.start(wait=False)
        for each in servers:
            each.wait_until_ready()
        connection = connected(servers[0], provider)

        assert 200 == call(servers[1], connection).status
        (key_file,) = [path for path in (tmp_path / "data").iterdir() if path.suffix == ".key"]
        assert 0o600 == stat.S_IMODE(key_file.stat().st_mode)
        assert 0o700 == stat.S_IMODE((tmp_path / "data").stat().st_mode) | 0o700
        assert any(b"back" in each.log.read_bytes().lower() for each in servers)
        pause = servers[0].ask("POST", f"/v1/connections/{connection['id']}/pause")
        assert 200 == pause.status
    finally:
        for each in servers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                each.stop()


@pytest.mark.parametrize("fault", ["absent", "another", "cut"])
def test_a_wrong_or_absent_key_refuses_to_start(tmp_path: Path, provider: Scripted, fault: str) -> None:
    """Where the database holds a sealed row no key is made, and another is refused; nothing is changed."""
    with running_server(tmp_path) as server:
        connection = connected(server, provider)
        server.stop()
        (key_file,) = [path for path in server.data.iterdir() if path.suffix == ".key"]
        kept = key_file.read_bytes()
        if fault == "absent":
            key_file.unlink()
        elif fault == "cut":
            key_file.write_bytes(kept[: len(kept) // 2])
        else:
            other = Server(tmp_path / "other", tmp_path / "log-other").start()
            other.stop()
            key_file.write_bytes((tmp_path / "other" / key_file.name).read_bytes())
        server.start(wait=False)
        status = server.wait_until_dead()

        assert 0 != status
        assert fault != "absent" or not key_file.exists()
        assert b"Traceback" not in server.log.read_bytes()
        key_file.write_bytes(kept)
        key_file.chmod(0o600)
        server.start()
        assert 200 == call(server, connection).status


def test_settings_from_files_and_unknown_ones(tmp_path: Path, provider: Scripted) -> None:
    """`KEYTURN_X_FILE` for any setting; an unknown one is a warning with the nearest name and without its value."""
    (tmp_path / "url").write_text("https://from-a-file.example\n")
    env = {"KEYTURN_PUBLIC_URL_FILE": str(tmp_path / "url"), "KEYTURN_EGRES_ALLOW": "x-canary-value"}
    with running_server(tmp_path, env=env) as server:
        connector = install(server, connector_for(provider))

        link = server.ask("POST", "/v1/connect-sessions", {"connector": connector, "owner": "o"}).json()["url"]

        log = server.log.read_text()
        assert link.startswith("https://from-a-file.example/c/")
        assert "KEYTURN_EGRES_ALLOW" in log
        assert "KEYTURN_EGRESS_ALLOW" in log
        assert "x-canary-value" not in log


def test_a_short_admin_key_is_refused(tmp_path: Path) -> None:
    """32 or more characters."""
    server = Server(
        tmp_path / "data", tmp_path / "log", env={"KEYTURN_ADMIN_API_KEY": "short-canary-31-characters-long"}
    )
    server.start(wait=False)

    assert 0 != server.wait_until_dead()
    assert b"short-canary" not in server.log.read_bytes()


def test_init_prints_a_first_key_once(tmp_path: Path) -> None:
    """The key works; a second `init` prints none; the key is nowhere on disk."""
    data = tmp_path / "data"
    first = run_keyturn("init", "--data", str(data), cwd=tmp_path)
    second = run_keyturn("init", "--data", str(data), cwd=tmp_path)
    words = (first.stdout + first.stderr).decode().replace('"', " ").split()
    keys = [word for word in words if word.startswith("kt_")]

    assert 0 == first.returncode, first.stderr
    assert 1 == len(set(keys))
    assert b"kt_" not in second.stdout + second.stderr
    with running_server(tmp_path) as server:
        assert 200 == server.ask("GET", "/v1/connections", key=keys[0]).status
    assert not any(keys[0].encode() in path.read_bytes() for path in data.rglob("*") if path.is_file())


def test_insecure_http_needs_the_operators_allowance(tmp_path: Path, provider: Scripted) -> None:
    """Without KEYTURN_INSECURE_HTTP nothing is sent over http, whatever the connector says."""
    with running_server(tmp_path, env={"KEYTURN_INSECURE_HTTP": "0"}) as server:
        connector = install(server, connector_for(provider))

        reply = sign_in(server, connector)

        assert 403 == reply.status, reply.body
        assert PASSWORD.encode() not in reply.body
    assert [] == provider.log


def test_private_network_needs_the_connectors_word(tmp_path: Path, provider: Scripted) -> None:
    """The operator's CIDR alone isn't enough for a connector that says neither; metadata is never reached."""
    with running_server(tmp_path, env={"KEYTURN_EGRESS_ALLOW": "10.0.0.0/8,169.254.0.0/16"}) as server:
        connector = install(server, connector_for(provider))
        metadata = connector_for(provider, token={"url": "http://169.254.169.254/token"}, revoke=None, refresh=None)
        metadata = {key: value for key, value in metadata.items() if value is not None}
        there = install(server, metadata)

        assert (403, "address_not_allowed") == ((reply := sign_in(server, connector)).status, reply.code)
        assert (403, "address_not_allowed") == ((reply := sign_in(server, there)).status, reply.code)
    assert [] == provider.log
