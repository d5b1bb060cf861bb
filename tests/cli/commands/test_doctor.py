"""`doctor`: a report that can be passed on, and an exit code that a script can use."""

from __future__ import annotations

import json
import socket
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.cli.fake_server import KEY, FakeServer, Reply
from tests.cli.running import Ran, run


@pytest.fixture
def healthy(server: FakeServer) -> FakeServer:
    """A server of this release that is well."""
    from importlib.metadata import version

    server.answer("GET /healthz", {"status": "ok"})
    server.answer("GET /openapi.json", {"openapi": "3.1.0", "info": {"version": version("keyturn")}})
    server.answer("GET /readyz", {"ready": True, "parts": {}})
    return server


def doctor(tmp_path: Path, *more: str) -> Ran:
    """Look at a data directory that is not there yet."""
    return run("doctor", "--data", str(tmp_path / "data"), "--listen", "127.0.0.1:0", *more)


def row(ran: Ran, name: str) -> tuple[str, str]:
    """Grade and words of a check, of the report as JSON; of several with one name the first that is not well."""
    found = [each for each in json.loads(ran.out)["checks"] if each["name"] == name]
    worst = next((each for each in found if each["grade"] != "ok"), found[0])
    return worst["grade"], f"{worst['found']} {worst['fix']}"


def test_all_is_well(healthy: FakeServer, tmp_path: Path) -> None:
    """Exit code 0; nothing was made, and the API key was neither sent nor shown."""
    ran = doctor(tmp_path)

    assert 0 == ran.code, ran.all
    assert "0 problems, 0 warnings." == ran.out.splitlines()[-1]
    assert [] == list(tmp_path.iterdir())
    assert all("Authorization" not in asked.headers for asked in healthy.asked)
    assert KEY not in ran.all


def test_as_json(healthy: FakeServer, tmp_path: Path) -> None:
    """One document, each check with its grade and fix."""
    ran = doctor(tmp_path, "--json")

    report = json.loads(ran.out)
    assert report["ok"] is True
    assert {"python", "sqlite", "key", "database", "clock", "disk", "port", "settings", "server", "ready"} <= {
        each["name"] for each in report["checks"]
    }


def test_every_finding_has_a_fix(server: FakeServer, tmp_path: Path) -> None:
    """What is not well says how it is mended, and a problem is exit code 1."""
    ran = run("doctor", "--data", str(tmp_path), "--listen", "127.0.0.1:0", "--json", env={"KEYTURN_KEYS": "nonsense"})

    report = json.loads(ran.out)
    assert (1, False) == (ran.code, report["ok"])
    assert all(each["fix"] for each in report["checks"] if each["grade"] != "ok")
    assert "problem" == row(ran, "key")[0]


@pytest.mark.parametrize(
    ("env", "name", "grade", "words"),
    [
        pytest.param({"KEYTURN_LISTN": "hunter2"}, "settings", "warning", "KEYTURN_LISTEN", id="nearly a setting"),
        pytest.param({"KEYTURN_OFFLINE_GRACE": "hunter2"}, "settings", "problem", "OFFLINE_GRACE", id="unusable"),
        pytest.param({"KEYTURN_URL": "http://127.0.0.1:1"}, "server", "warning", "No server answers", id="no server"),
        pytest.param({"KEYTURN_URL": "nonsense"}, "server", "problem", "KEYTURN_URL", id="no address"),
        pytest.param({"KEYTURN_DATABASE_URL": "mysql://hunter2"}, "database", "problem", "SQLite", id="database"),
    ],
)
def test_findings(healthy: FakeServer, tmp_path: Path, env: dict[str, str], name: str, grade: str, words: str) -> None:
    """Each is found, named and graded, and no value is said."""
    ran = run("doctor", "--data", str(tmp_path / "d"), "--listen", "127.0.0.1:0", "--json", env=env)

    assert (1 if grade == "problem" else 0) == ran.code
    assert grade == row(ran, name)[0]
    assert words in row(ran, name)[1]
    assert "hunter2" not in ran.all


def test_another_program_on_the_address(server: FakeServer, tmp_path: Path) -> None:
    """What answers but is no keyturn is a problem."""
    server.replies["GET /healthz"] = Reply(404, b"<html>")

    assert "problem" == row(doctor(tmp_path, "--json"), "server")[0]


def test_a_server_that_is_not_ready(healthy: FakeServer, tmp_path: Path) -> None:
    """Which part is missing is said."""
    healthy.refuse("GET /readyz", "store_unavailable", parts={"database": "store_unavailable"})
    ran = doctor(tmp_path, "--json")

    assert 1 == ran.code
    assert "database: store_unavailable" in row(ran, "ready")[1]


def test_a_server_of_another_release(healthy: FakeServer, tmp_path: Path) -> None:
    """Both releases are named."""
    healthy.answer("GET /openapi.json", {"info": {"version": "9.9.9\x1b"}})

    grade, words = row(doctor(tmp_path, "--json"), "server")

    assert "warning" == grade
    assert "9.9.9\N{REPLACEMENT CHARACTER}" in words


def test_a_port_that_is_taken(healthy: FakeServer, tmp_path: Path) -> None:
    """A port that something has may be keyturn's own: a warning."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        ran = run("doctor", "--data", str(tmp_path / "d"), "--listen", listen, "--json")

    assert 0 == ran.code
    assert "warning" == row(ran, "port")[0]


def test_what_the_server_has_found_out(healthy: FakeServer, tmp_path: Path) -> None:
    """A provider that refuses a connector's set-up is a problem, one that is away a warning."""
    lines = (
        'keyturn_connector_alarm{connector="acme"} 1.0',
        'keyturn_provider_closed{host="api.example",why="down"} 1.0',
        'keyturn_provider_closed{host="busy.example",why="wait"} 1.0',
    )
    healthy.replies["GET /metrics"] = Reply(200, "\n".join(lines).encode())
    ran = doctor(tmp_path, "--json")

    assert (
        "problem",
        "The provider of acme refuses the connector's own set-up. keyturn connector set-client acme",
    ) == row(ran, "connectors")
    assert "warning" == row(ran, "providers")[0]
    assert "api.example" in row(ran, "providers")[1]
    assert "busy.example" not in ran.out


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        pytest.param("Thu, 01 Jan 1970 00:00:00 GMT", ("warning", "behind"), id="another time"),
        pytest.param("", None, id="a proxy that says none"),
        pytest.param("yesterday", None, id="no date"),
    ],
)
def test_the_servers_clock(
    healthy: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, date: str, expected: tuple[str, str] | None
) -> None:
    """It is compared with this machine's, as far as the server says its own."""
    monkeypatch.setattr(BaseHTTPRequestHandler, "date_time_string", lambda *_: date)
    ran = doctor(tmp_path, "--json")
    rows = [each for each in json.loads(ran.out)["checks"] if each["name"] == "server's clock"]

    assert (expected is None) == (not rows)
    for each in rows:
        assert expected == (each["grade"], "behind" if "behind" in each["found"] else "")
        assert "NTP" in each["fix"]
