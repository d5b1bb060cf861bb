"""Jobs and `--all` on the command line."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.cli.commands.jobs import watching
from tests.cli.fake_server import FakeServer
from tests.cli.running import run, run_on_terminal

JOB: dict[str, Any] = {
    "id": "job_1",
    "kind": "connection.bulk",
    "action": "test",
    "filter": {"connector": "acme", "owner": None, "state": None},
    "state": "done",
    "done": 3,
    "failed": 0,
    "total": 3,
    "failures": {},
    "report": {"failed": [], "left_off": 0},
    "last_error": None,
}
SOME = {
    **JOB,
    "done": 1,
    "failed": 2,
    "failures": {"connection_test_failed": 1, "connection_needs_reconnect": 1},
    "report": {"failed": [{"connection": "cxn_7", "code": "connection_needs_reconnect"}], "left_off": 1},
}


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "LOOK_EVERY_S", 0.0)


@pytest.mark.parametrize(
    ("words", "sent"),
    [
        pytest.param("connection test --all", {"action": "test"}, id="test"),
        pytest.param("connection renew --all --connector acme", {"action": "renew", "connector": "acme"}, id="renew"),
        pytest.param("connection pause --all --owner jo", {"action": "pause", "owner": "jo"}, id="pause"),
        pytest.param("connection resume --all --state paused", {"action": "resume", "state": "paused"}, id="resume"),
        pytest.param("connection disconnect --all --yes", {"action": "disconnect"}, id="disconnect"),
        pytest.param(
            "connection test --all --error grant_lost --attention --ends-before 1700000000",
            {"action": "test", "error": "grant_lost", "attention": True, "ends_before": "1700000000"},
            id="what is wrong",
        ),
        pytest.param("connection migrate --all --search jo", {"action": "migrate", "search": "jo"}, id="migrate"),
        pytest.param(
            "connection test --all --reason grant_lost", {"action": "test", "reason": "grant_lost"}, id="by reason"
        ),
    ],
)
def test_all_is_a_job(server: FakeServer, words: str, sent: dict[str, Any]) -> None:
    """It is asked for once and followed to its end."""
    server.answer("POST /v1/jobs", {**JOB, "state": "queued", "done": 0}, 202)
    server.answer_first("GET /v1/jobs/job_1", {**JOB, "state": "running", "done": 1, "total": None})
    server.answer("GET /v1/jobs/job_1", JOB)
    ran = run(*words.split())
    action = sent.pop("action")
    which = {"connector": None, "owner": None, "state": None, "search": None, "reason": None, **sent}

    assert {"kind": "connection.bulk", "action": action, "filter": which} == server.asked[0].document
    assert ["POST", "GET", "GET"] == [each.method for each in server.asked]
    assert (0, "✓ 3 done   job: job_1\n", "") == (ran.code, ran.out, ran.err)


def test_failures_are_told_by_code(server: FakeServer) -> None:
    """With the next step of each, and the way to those connections; the exit code says that some failed."""
    server.answer("POST /v1/jobs", JOB, 202)
    server.answer("GET /v1/jobs/job_1", SOME)
    ran = run("connection", "test", "--all")

    assert 9 == ran.code
    assert ran.out.startswith("✓ 1 done   ✗ 2 failed   job: job_1\n")
    assert "     1  connection_needs_reconnect  Send the person the reconnect link.\n" in ran.out
    assert "keyturn job retry job_1" in ran.err


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        pytest.param({"state": "cancelled", "done": 1}, 9, "cancelled, 2 left", id="cancelled"),
        pytest.param({"state": "failed", "last_error": "store_unavailable"}, 1, "given up: store_unavailable",
                     id="given up"),
        pytest.param({"state": "failed", "total": None, "last_error": "provider_timeout"}, 8, "failed, some left",
                     id="given up early"),
    ],
)  # fmt: skip
def test_ends_that_are_none(server: FakeServer, changes: dict[str, Any], code: int, words: str) -> None:
    """What was left is said."""
    server.answer("GET /v1/jobs/job_1", {**JOB, **changes})
    ran = run("job", "watch", "job_1")

    assert (code, True) == (ran.code, words in ran.out)


def test_json_for_programs(server: FakeServer) -> None:
    """One document at the end, whatever it took; the exit code is the same."""
    server.answer("POST /v1/jobs", JOB, 202)
    server.answer_first("GET /v1/jobs/job_1", {**SOME, "state": "running"})
    server.answer("GET /v1/jobs/job_1", SOME)
    ran = run("connection", "test", "--all", "--json")

    assert (9, "") == (ran.code, ran.err)
    assert '"state": "done"' in ran.out
    assert '"running"' not in ran.out


@pytest.mark.parametrize("words", ["connection pause --all --no-watch", "job retry job_1 --no-watch"])
def test_a_job_that_nobody_watches(server: FakeServer, words: str) -> None:
    """Its id is all there is to say."""
    server.answer("POST /v1/jobs", {**JOB, "state": "queued"}, 202)
    server.answer("POST /v1/jobs/job_1/retry", {**JOB, "id": "job_1"}, 202)

    assert (0, "job_1\n", "") == (lambda ran: (ran.code, ran.out, ran.err))(run(*words.split()))


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("connection test", id="neither"),
        pytest.param("connection test cxn_1 --all", id="both"),
        pytest.param("connection test cxn_1 --connector acme", id="a filter for one"),
        pytest.param("connection pause cxn_1 --no-watch", id="nothing to watch"),
        pytest.param("connection test cxn_1 cxn_2 --dry-run", id="what only one has, of several"),
        pytest.param("connection test cxn_1 cxn_2 --reason x", id="a filter for several"),
        pytest.param("connection test cxn_1 canary", id="no id"),
        pytest.param("connection reconnect --all --return-url https://a.example", id="a return of many"),
        pytest.param("connection test --all --dry-run", id="what only one has"),
        pytest.param("connection disconnect --all --yes --forget-now", id="what only one has, too"),
        pytest.param("connection disconnect --all", id="nobody to ask"),
    ],
)
def test_words_that_do_not_fit(server: FakeServer, words: str) -> None:
    """Nothing is sent."""
    ran = run(*words.split())

    assert (2, []) == (ran.code, server.asked)


def test_all_are_ended_by_a_yes_alone(server: FakeServer) -> None:
    """Asked on the terminal; any other answer ends nothing."""
    server.answer("POST /v1/jobs", JOB, 202)
    server.answer("GET /v1/jobs/job_1", JOB)
    refused = run_on_terminal("connection", "disconnect", "--all", "--connector", "acme", typed=["n"])
    before = len(server.asked)
    agreed = run_on_terminal("connection", "disconnect", "--all", typed=["y"])

    assert (1, 0) == (refused.code, before)
    assert "every connection (connector acme), for good" in refused.out
    assert 0 == agreed.code
    assert "every connection that there is, for good" in agreed.out


def test_a_bar_is_drawn_on_a_terminal(server: FakeServer) -> None:
    """With counts and failures; it is gone at the end."""
    server.answer_first("GET /v1/jobs/job_1", {**SOME, "state": "running", "done": 1, "failed": 1, "total": 3})
    server.answer("GET /v1/jobs/job_1", JOB)
    ran = run_on_terminal("job", "watch", "job_1")

    assert 0 == ran.code
    assert "━" in ran.out
    assert "1 failed" in ran.out
    assert "✓ 3 done" in ran.out.splitlines()[-1]


def test_jobs_are_listed(server: FakeServer) -> None:
    """What they do and to which, how far they are."""
    recurring = {**JOB, "id": "job_2", "kind": "session.purge", "action": None, "filter": None, "total": None}
    server.answer("GET /v1/jobs?kind=connection.bulk&limit=5", {"data": [JOB, recurring], "next_cursor": "c"})
    ran = run("job", "list", "--kind", "connection.bulk", "--limit", "5")

    assert 0 == ran.code
    assert ["job_1 test acme ● done 3 0 3 –", "job_2 session.purge ● done 3 0 – –"] == [
        " ".join(line.split()) for line in ran.out.splitlines()[1:]
    ]
    assert "--cursor c" in ran.err


def test_a_job_about_those_that_need_attention_says_so(server: FakeServer) -> None:
    """A filter that is a yes is named."""
    server.answer("GET /v1/jobs/job_1", {**JOB, "filter": {"connector": "acme", "owner": None, "attention": True}})

    assert "test acme attention" in run("job", "show", "job_1").out


def test_a_job_is_shown(server: FakeServer) -> None:
    """With the connections that failed, and how many more there are."""
    server.answer("GET /v1/jobs/job_1", SOME)
    ran = run("job", "show", "job_1")

    assert 0 == ran.code
    assert "cxn_7" in ran.out
    assert "and 1 more" in ran.err


def test_a_job_is_cancelled(server: FakeServer) -> None:
    """One that runs has yet to come to its next step."""
    server.answer("POST /v1/jobs/job_1/cancel", {**JOB, "state": "running"}, 202)
    ran = run("job", "cancel", "job_1")

    assert (0, "job_1  ▶ running\n") == (ran.code, ran.out)
    assert "keyturn job watch job_1" in ran.err


@pytest.mark.parametrize(
    ("words", "action", "named"),
    [
        pytest.param("connection pause cxn_1 cxn_2", "pause", ["cxn_1", "cxn_2"], id="several"),
        pytest.param("connection migrate cxn_1", "migrate", ["cxn_1"], id="one, where there is no other way"),
        pytest.param("connection disconnect cxn_1 cxn_2 --yes", "disconnect", ["cxn_1", "cxn_2"], id="for good"),
    ],
)
def test_several_that_are_named_are_a_job(server: FakeServer, words: str, action: str, named: list[str]) -> None:
    """Without a filter."""
    server.answer("POST /v1/jobs", JOB, 202)
    server.answer("GET /v1/jobs/job_1", JOB)
    ran = run(*words.split())

    assert 0 == ran.code
    assert {"kind": "connection.bulk", "action": action, "connections": named} == server.asked[0].document


def test_reconnect_links_of_many_are_shown_by_their_job(server: FakeServer) -> None:
    """Where they are is said, and there they are with whose each is."""
    server.answer("POST /v1/jobs", JOB, 202)
    server.answer("GET /v1/jobs/job_1", JOB)
    link = {"connection": "cxn_1", "owner": "jo", "url": "https://a.example/c/x", "expires_at": None}
    server.answer("POST /v1/jobs/job_1/links", {"data": [link, {**link, "owner": None, "url": None}]})
    made = run("connection", "reconnect", "--all", "--connector", "acme")
    shown = run("job", "links", "job_1")
    as_json = run("job", "links", "job_1", "--json")
    server.answer("POST /v1/jobs/job_1/links", {"data": []})
    none = run("job", "links", "job_1")

    assert "keyturn job links job_1" in made.err
    lines = ["cxn_1  jo  until –", "  https://a.example/c/x", "cxn_1  –  opened, or ended"]
    assert lines == shown.out.splitlines()
    assert '"owner": "jo"' in as_json.out
    assert ("", "This job made no link.\n") == (none.out, none.err)


def test_a_job_about_those_that_were_named_says_so(server: FakeServer) -> None:
    """It is not about all."""
    server.answer("GET /v1/jobs/job_1", {**JOB, "filter": {}, "connections": 3})

    assert "test 3 named" in " ".join(run("job", "show", "job_1").out.split())
