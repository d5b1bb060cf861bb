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
}


def trial(state: str, *rows: dict[str, Any], passed: bool = False) -> dict[str, Any]:
    """A trial as the server shows it."""
    return {"id": "trl_1", "state": state, "passed": passed, "rows": list(rows), "ask": []}


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(starter_text("acme"))
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
    assert "for real" in ran.err
    assert "password-canary" not in ran.all
    sent = next(each for each in server.asked if each.method == "POST").document
    assert ("jo", "password-canary", starter_text("acme")) == (sent["username"], sent["password"], sent["source"])


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
    old = starter_text("acme").replace('"{{ test.id }}"', '"{{ test.uid }}"').replace("title: Acme", "title: Old")
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
