"""`connector try` and `connector diff`: a trial's rows as they come, and what a file changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keyturn.bootstrap.offline import starter_text
from tests.cli.fake_server import FakeServer
from tests.cli.running import run

TRIALS = "POST /v1/connectors/acme/trials"
ROW = {
    "mark": "ok",
    "step": 2,
    "title": "Log in",
    "text": "",
    "method": "POST",
    "url": "https://a.example/t",
    "status": 200,
    "ms": 12,
    "request": "POST /t",
    "answer": "HTTP 200",
    "found": [],
    "diagnosis": "",
    "suggestion": None,
}
FAILED = {
    **ROW,
    "mark": "failed",
    "step": 8,
    "title": "Unique id",
    "diagnosis": "Not there.",
    "suggestion": "Use test.id",
    "edit": {"pointer": "/unique_id", "value": "{{ test.id }}", "fill_in": []},
}


def trial(state: str, *rows: dict[str, Any], passed: bool = False) -> dict[str, Any]:
    """A trial as the server shows it."""
    return {"id": "trl_1", "state": state, "passed": passed, "rows": list(rows), "ask": []}


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    text = starter_text("acme").replace(".provider.example", ".acme.example")
    path.write_text(text + "trust: {reason: legacy, note: Made up.}\n")
    return path


def test_a_files_rows_come_as_they_are_made(server: FakeServer, file: Path) -> None:
    """The text goes along and the password by standard input; exit code 6 where a step fails."""
    server.answer(TRIALS, trial("running"), 201)
    server.answer("GET /v1/trials/trl_1?after=0", trial("running", ROW))
    server.answer("GET /v1/trials/trl_1?after=1", trial("ended", ROW, FAILED))
    ran = run("connector", "try", str(file), "--username", "jo", "--password-stdin", given="password-canary")

    assert 6 == ran.code
    assert ["✓ 2 Log in POST https://a.example/t 200 12 ms", "✗ 8 Unique id POST https://a.example/t 200 12 ms"] == [
        line for line in ran.out.splitlines() if line[:1] in "✓✗"
    ]
    assert "try: Use test.id" in ran.out
    assert '/unique_id: "{{ test.id }}"' in ran.out
    assert "for real" in ran.err
    assert "password-canary" not in ran.all
    sent = next(each for each in server.asked if each.method == "POST").document
    assert ("jo", "password-canary", file.read_text()) == (sent["username"], sent["password"], sent["source"])


def test_a_draft_is_tried(server: FakeServer) -> None:
    """By its id; the whole trace as JSON."""
    server.answer("GET /v1/connectors/acme", {"draft": {"source": starter_text("acme")}})
    server.answer(TRIALS, trial("ended", ROW, passed=True), 201)
    words = ("connector", "try", "acme", "--username", "jo", "--password-stdin", "--json")
    ran = run(*words, given="password-canary")

    assert 0 == ran.code
    assert json.loads(ran.out)["passed"]
    assert "source" not in server.last.document


def test_a_file_is_compared(server: FakeServer, file: Path) -> None:
    """What could hurt somebody first, then the text's difference."""
    old = file.read_text().replace('"{{ test.id }}"', '"{{ test.uid }}"').replace("title: Acme", "title: Old")
    server.answer("GET /v1/connectors/acme", {"version": {"version": 3, "source": old}})
    ran = run("connector", "diff", str(file))
    as_json = json.loads(run("connector", "diff", str(file), "--json").out)

    assert 0 == ran.code
    assert ran.out.startswith("risky  step 8: The unique id changes from {{ test.uid }} to {{ test.id }}")
    assert "-title: Old\n+title: Acme" in ran.out
    assert [True, False] == [each["risky"] for each in as_json["changes"]]


def test_nothing_to_compare_with(server: FakeServer, file: Path) -> None:
    """A draft that was never published is said to be one."""
    server.answer("GET /v1/connectors/acme", {"draft": {"source": ""}, "version": None})

    assert 2 == run("connector", "diff", str(file)).code


def test_fixtures_are_replayed(file: Path) -> None:
    """What is recorded beside a file is read again; what means something else now is an error, by the request."""
    exchange = {"request": "token", "status": 200, "headers": {}, "body": '{"access_token": "made-up"}'}
    recorded = {"keyturn_fixture": 1, "connector": "acme", "digest": "", "left_off": []}
    good = {**exchange, "means": {"outcome": "token", "has": ["access_token", "lifetime"]}}
    fixture = file.parent / "acme.login.fixture.json"
    fixture.write_text(json.dumps({**recorded, "exchanges": [good]}), encoding="utf-8")
    passed = run("connector", "lint", str(file), "--fixtures", "--json")
    bad = {**exchange, "means": {"outcome": "token", "has": ["access_token", "refresh_token"]}}
    fixture.write_text(json.dumps({**recorded, "exchanges": [bad]}), encoding="utf-8")
    failed = run("connector", "lint", str(file), "--fixtures")

    assert [] == [each for each in json.loads(passed.out)["findings"] if each["severity"] == "error"]
    assert 6 == failed.code
    assert "acme.login.fixture.json:1:1 fixture_differs" in failed.out


def test_a_move_is_planned_then_begun(server: FakeServer) -> None:
    """The dry run says what would be done and changes nothing; with --yes the job begins at once."""
    reason = {"reason": "host_not_pinned", "connections": 2, "message": "Another host."}
    plan = {"version": 2, "already": 1, "moves": 3, "older": [], "needs_login": [reason], "stays": []}
    place = "POST /v1/connectors/acme/migrate"
    server.answer(place, plan)
    dry = run("connector", "migrate", "acme", "--dry-run")
    server.answer(place, {"id": "job_1"}, 202)
    begun = run("connector", "migrate", "acme", "--yes", "--no-watch")

    assert (0, 0) == (dry.code, begun.code)
    assert "3 go over" in dry.out
    assert "2 need a new login" in dry.out
    assert "job_1" == begun.out.strip()


def test_a_held_trial_goes_on_with_the_mended_file(
    server: FakeServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enter reads the file again; a text that is refused is said why, and asked about once more; a word ends it."""
    said = iter(["", "end"])
    monkeypatch.setattr("keyturn.cli.commands.builder.connector_try.ask", lambda *_, **__: next(said))
    held = trial("held", ROW, FAILED) | {"failed_step": 8}
    server.answer(TRIALS, held, 201)
    problem = {"code": "validation_failed", "errors": [{"pointer": "/source", "message": "It signs in otherwise."}]}
    server.answer("POST /v1/trials/trl_1/continue", problem, 422)
    server.answer("GET /v1/trials/trl_1", held)
    server.answer("POST /v1/trials/trl_1/end", trial("ended", ROW, FAILED))
    words = ("connector", "try", str(file), "--username", "jo", "--password-stdin", "--hold")
    ran = run(*words, given="password-canary")
    sent = [each for each in server.asked if each.method == "POST"]

    assert 6 == ran.code
    assert sent[0].document["hold"] is True
    assert {"source": file.read_text()} == sent[1].document
    assert "It signs in otherwise." in ran.err
    assert sent[-1].target.endswith("/end")


def test_a_mended_file_that_is_no_text_ends_nothing(
    server: FakeServer, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is said, and the trial waits on: the login is not lost to a slip of an editor."""
    said = iter(["", "end"])

    def mend(*_: object, **__: object) -> str:
        file.write_bytes(b"\xff\xfe")
        return next(said)

    monkeypatch.setattr("keyturn.cli.commands.builder.connector_try.ask", mend)
    held = trial("held", ROW, FAILED) | {"failed_step": 8}
    server.answer(TRIALS, held, 201)
    server.answer("GET /v1/trials/trl_1", held)
    server.answer("POST /v1/trials/trl_1/end", trial("ended", ROW, FAILED))
    words = ("connector", "try", str(file), "--username", "jo", "--password-stdin", "--hold")
    ran = run(*words, given="password-canary")

    assert 6 == ran.code
    assert "is no text in UTF-8" in ran.err
    assert server.asked[-1].target.endswith("/end")


TRAVELLED: dict[str, Any] = {
    "family": "IPv6",
    "private": True,
    "by_proxy": False,
    "tls": {
        "version": "TLSv1.3",
        "cipher": "TLS_A",
        "subject": "a.example\x1b[2J",
        "issuer": "Acme CA",
        "ends_at": "2033-05-18T03:33:20.000Z",
        "own_authorities": True,
    },
}


@pytest.mark.parametrize("verbose", [True, False])
def test_how_a_request_travelled(server: FakeServer, file: Path, verbose: bool) -> None:
    """With --verbose, in a line that a certificate's name can't break; where a redirect points is always said."""
    row = {**ROW, "transport": TRAVELLED, "redirects_to": "login.example"}
    server.answer(TRIALS, trial("ended", row), 201)
    words = ["connector", "try", str(file), "--username", "jo", "--password-stdin"]
    ran = run(*words, *(["--verbose"] if verbose else []), given="password-canary")
    certificate = "certificate of a.example"

    assert "points to login.example; not followed" in ran.out
    assert verbose is ("IPv6, private network, TLSv1.3 TLS_A, " in ran.out)
    assert verbose is (certificate in ran.out)
    assert verbose is ("issued by Acme CA until 2033-05-18, trusted by the connector's own" in ran.out)
    assert "\x1b[2J" not in ran.out


def test_plain_http_is_said(server: FakeServer, file: Path) -> None:
    """A proxy of the operator's has no address family to tell."""
    row = {**ROW, "transport": {"family": "", "private": False, "by_proxy": True, "tls": None}}
    server.answer(TRIALS, trial("ended", row), 201)
    ran = run("connector", "try", str(file), "--username", "jo", "--password-stdin", "--verbose", given="x")

    assert "      by the operator's proxy, plain http" in ran.out.splitlines()
