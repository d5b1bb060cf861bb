"""`overview`, `config list`, `person sessions | sign-out`, `link create` and `webhook edit`."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.cli.fake_server import FakeServer
from tests.cli.running import run

BOARD: dict[str, Any] = {
    "states": {"active": 12, "needs_reconnect": 1},
    "due_soon": 4,
    "overdue": 1,
    "oldest_overdue": {"connection": "cxn_9", "due_at": "2030-01-31T11:58:00.000Z"},
    "needs": [{"connector": "acme", "reason": "grant_lost", "count": 1, "since": "2030-01-29T12:00:00.000Z"}],
    "endings": [],
    "failing": [{"connector": "crm", "code": "connector_client_rejected", "alarm": True}],
    "renewals": [{"renewed": 3, "retried": 1, "lost": 0}, {"renewed": 2, "retried": 0, "lost": 1}],
    "jobs_running": 0,
    "audit_verified_at": None,
}


def test_the_overview(server: FakeServer) -> None:
    """Counts by state, what is due, and whom it needs; the document with --json."""
    server.answer("GET /v1/overview?range=24h", BOARD)
    server.answer("GET /v1/overview?range=7d", BOARD)
    ran = run("overview")

    assert 0 == ran.code
    for words in (
        "12  ● active",
        "renewals in 24h  5 renewed, 1 failed for now, 1 lost",
        "1, longest cxn_9, due 2030-01-31 11:58:00Z",
        "audit verified   never",
        "acme       grant_lost",
        "connector_client_rejected  nothing is renewed",
    ):
        assert words in ran.out
    assert "Ends within" not in ran.out
    assert BOARD == json.loads(run("overview", "--range", "7d", "--json").out)
    assert 2 == run("overview", "--range", "9d").code


def test_an_empty_instance(server: FakeServer) -> None:
    """Says that there is nothing, and that nobody is needed."""
    server.answer("GET /v1/overview?range=24h", {**BOARD, "states": {}, "needs": [], "oldest_overdue": None})
    ran = run("overview")

    assert ["No connection yet.", "Nobody is needed."] == ran.err.splitlines()


def test_a_wrong_set_up_is_told(server: FakeServer) -> None:
    """Somebody is needed then, though no person is."""
    trouble = {"connector": "crm", "code": "unique_id_missing", "count": 3, "last": None}
    server.answer("GET /v1/overview?range=24h", {**BOARD, "needs": [], "troubles": [trouble]})

    ran = run("overview")

    assert "Set-up is wrong" in ran.out
    assert "unique_id_missing" in ran.out
    assert "Nobody is needed." not in ran.err


def test_settings_and_where_they_come_from(server: FakeServer) -> None:
    """A value that may be a secret is not shown."""
    rows = [
        {"name": "KEYTURN_LOG_LEVEL", "value": "info", "is_set": True, "source": "default"},
        {"name": "KEYTURN_KEYS", "value": None, "is_set": True, "source": "file"},
        {"name": "KEYTURN_SMTP_URL", "value": None, "is_set": False, "source": "default"},
    ]
    server.answer("GET /v1/instance/settings", {"data": rows})
    plain = run("config", "list")
    origins = [line.split() for line in run("config", "list", "--origins").out.splitlines()]

    assert "default" not in plain.out
    assert ["KEYTURN_LOG_LEVEL", "info", "default"] in origins
    assert ["KEYTURN_KEYS", "set,", "not", "shown", "a", "file"] in origins
    assert ["KEYTURN_SMTP_URL", "not", "set", "default"] in origins
    assert rows == json.loads(run("config", "list", "--json").out)["data"]


def test_where_somebody_is_signed_in(server: FakeServer) -> None:
    """And how that ends: by name, or everywhere, never by leaving a word out."""
    session = {"id": "ses_1", "agent": "Firefox", "created_at": "2030-01-31T12:00:00.000Z"}
    server.answer("GET /v1/people/per_1/sessions", {"data": [session]})
    server.answer("DELETE /v1/people/per_1/sessions/ses_1", status=204)
    server.answer("DELETE /v1/people/per_1/sessions", status=204)

    assert "ses_1    Firefox" in run("person", "sessions", "per_1").out
    assert "Signed out.\n" == run("person", "sign-out", "per_1", "ses_1").err
    assert "Signed out everywhere.\n" == run("person", "sign-out", "per_1", "--all").err
    before = len(server.asked)
    assert (2, 2) == (
        run("person", "sign-out", "per_1").code,
        run("person", "sign-out", "per_1", "ses_1", "--all").code,
    )
    assert before == len(server.asked)


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["link", "create", "acme", "--owner", "jo"], {"connector": "acme", "owner": "jo"}),
        (
            ["link", "create", "acme", "--owner", "jo", "--app-name", "The app", "--owner-label", "Jo"],
            {"connector": "acme", "owner": "jo", "app_name": "The app", "owner_label": "Jo"},
        ),
        (["connection", "reconnect", "cxn_1", "--app-name", "The app"], {"app_name": "The app"}),
    ],
)
def test_how_the_person_behind_a_link_is_spoken_to(server: FakeServer, words: list[str], asked: dict[str, str]) -> None:
    """By whom, and by what name; what is not given is not sent."""
    made = {"id": "cs_1", "url": "https://a.example/c/x", "expires_at": "2030-01-31T12:00:00.000Z"}
    server.answer("POST /v1/connect-sessions", made, 201)
    server.answer("POST /v1/connections/cxn_1/reconnect", made)

    assert "https://a.example/c/x\n" == run(*words).out
    assert asked == server.last.document


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        ("--url https://a.example/hook", {"url": "https://a.example/hook"}),
        ("--event a.b --event c.*", {"events": ["a.b", "c.*"]}),
        ("--usual-events --description x", {"events": [], "description": "x"}),
    ],
)
def test_a_webhook_is_edited(server: FakeServer, words: str, asked: dict[str, object]) -> None:
    """What is named is sent, and nothing else."""
    server.answer("PATCH /v1/webhooks/whk_1", {"id": "whk_1", "url": "https://a.example/hook", "events": []})
    ran = run("webhook", "edit", "whk_1", *words.split())

    assert (0, asked) == (ran.code, server.last.document)
    assert "whk_1 delivers all usual ones to https://a.example/hook." in ran.err


def test_an_edit_of_nothing(server: FakeServer) -> None:
    """And one of two minds."""
    assert 2 == run("webhook", "edit", "whk_1").code
    assert 2 == run("webhook", "edit", "whk_1", "--event", "a.b", "--usual-events").code
    assert [] == server.asked


def test_calls_beside_what_is_listed(server: FakeServer) -> None:
    """A column of the list; rows of the timeline, each where its hour began."""
    hours = [
        {"start": "2030-01-31T11:00:00.000Z", "calls": 41, "failed": 2},
        {"start": "2030-01-31T09:00:00.000Z", "calls": 1, "failed": 0},
    ]
    some = {"id": "cxn_1", "state": "active", "name": "a", "connector": "acme", "owner": "tenant"}
    rows = [{**some, "calls": hours}, {**some, "calls": hours[1:]}, {**some, "calls": []}]
    events = [
        {"at": f"2030-01-31T{at}Z", "action": action, "outcome": "ok", "actor": "scheduler"}
        for at, action in (("11:30:00.000", "connection.renewed"), ("10:30:00.000", "connection.tested"))
    ]
    server.answer("GET /v1/connections?calls=true", {"data": rows, "next_cursor": None})
    server.answer("GET /v1/connections/cxn_1/events?calls=true", {"data": events, "hours": hours, "next_cursor": None})
    listed = run("connection", "list", "--calls").out.splitlines()
    told = run("connection", "events", "cxn_1", "--calls").out.splitlines()[1:]

    assert listed[0].rstrip().endswith("CALLS, 24 H")
    assert ["42, 2 failed", "1", "none"] == [each.partition("tenant")[2].strip() for each in listed[1:]]
    assert ["connection.renewed", "41 calls in this hour", "connection.tested", "1 call in this hour"] == [
        re.split("  +", each)[1] for each in told
    ]
    assert ["ok", "2 failed", "ok", "ok"] == [re.split("  +", each)[2] for each in told]


def test_calls_by_the_hour(server: FakeServer) -> None:
    """A line an hour; where there was no call, that."""
    hours = [{"start": "2030-01-31T11:00:00.000Z", "calls": 41, "failed": 2}]
    server.answer("GET /v1/connections/cxn_1/stats", {"since": "2030-01-30T12:10:00.000Z", "hours": hours})
    server.answer("GET /v1/connections/cxn_2/stats", {"since": "2030-01-30T12:10:00.000Z", "hours": []})

    assert ["41", "2"] == run("connection", "stats", "cxn_1").out.splitlines()[1].split()[-2:]
    assert hours == json.loads(run("connection", "stats", "cxn_1", "--json").out)["hours"]
    assert "No call in the last 24 hours.\n" == run("connection", "stats", "cxn_2").err
