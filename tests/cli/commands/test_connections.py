"""`connection …` and `link create`: what is asked of the server, and what people and programs read."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keyturn.web.kit.drawing.qr_code import qr_lines
from tests.cli.fake_server import FakeServer
from tests.cli.running import run, run_on_terminal

ONE: dict[str, Any] = {
    "id": "cxn_5d41402abc4b2a76b9719d911017c592",
    "connector": "acme",
    "connector_version": 3,
    "owner": "user-42",
    "name": "Ada's account",
    "unique_id": "4711",
    "state": "active",
    "reason": None,
    "generation": 2,
    "expires_at": "2030-01-31T13:55:00.000Z",
    "renews_at": None,
    "last_test": {"at": "2030-01-31T12:00:00.000Z", "passed": True, "status": 200, "code": None},
    "last_error": None,
    "last_used_at": None,
    "stored": {
        "access_token": {"since": "2030-01-31T12:55:00.000Z", "until": "2030-01-31T13:55:00.000Z", "sealed": True},
        "username": None,
        "fields": {"region": {"since": "2030-01-31T12:55:00.000Z", "until": None, "sealed": False}},
    },
}
PATH = f"/v1/connections/{ONE['id']}"
LINK = {"id": "cs_1", "url": "http://127.0.0.1:8800/c/abc", "expires_at": "2030-01-31T12:30:00.000Z"}


def test_list(server: FakeServer) -> None:
    """One line for each, the id whole; the filters reach the server."""
    server.answer(
        "GET /v1/connections?connector=acme&owner=a+b&state=active&limit=2", {"data": [ONE], "next_cursor": "c2"}
    )

    ran = run("connection", "list", "--connector", "acme", "--owner", "a b", "--state", "active", "--limit", "2")

    header, row = ran.out.splitlines()
    assert ["ID", "STATE", "NAME", "CONNECTOR", "OWNER"] == header.split()
    assert row.startswith(ONE["id"])
    assert "● active" in row
    assert "Ada's account" in row
    assert "--cursor c2" in ran.err


def test_a_list_says_why(server: FakeServer) -> None:
    """What needs attention has its mark, and whatever is wrong its code; times may be so far ahead."""
    failing = ONE | {"attention": True, "last_error": "provider_timeout"}
    untested = ONE | {"attention": True, "last_test": {"passed": False, "cause": "provider_unreachable"}}
    lost = ONE | {"state": "needs_reconnect", "reason": "grant_lost", "last_error": "provider_timeout"}
    query = "error=x&attention=true&ends_before=1700000000&renews_before=2030-01-31T12%3A00%3A00%2B00%3A00"
    server.answer(f"GET /v1/connections?{query}", {"data": [failing, untested, lost, ONE], "next_cursor": None})
    words = ("--error", "x", "--attention", "--ends-before", "1700000000", "--renews-before", "2030-01-31T12:00:00")

    header, *rows = run("connection", "list", *words).out.splitlines()

    assert "WHY" == header.split()[-1]
    assert ["provider_timeout", "provider_unreachable", "grant_lost"] == [each.split()[-1] for each in rows[:3]]
    assert ["▲ attention", "▲ attention", "■ needs_reconnect", "● active"] == [
        next(mark for mark in ("▲ attention", "■ needs_reconnect", "● active") if mark in each) for each in rows
    ]


def test_an_empty_list_is_no_failure(server: FakeServer) -> None:
    """Nothing found is exit code 0, nothing on standard output, and a way to go on."""
    server.answer("GET /v1/connections", {"data": [], "next_cursor": None})

    ran = run("connection", "list")

    assert (0, "") == (ran.code, ran.out)
    assert "keyturn link create" in ran.err


@pytest.mark.parametrize(
    ("words", "request_line"),
    [
        ("connection list", "GET /v1/connections"),
        ("connection show ID", f"GET {PATH}"),
        ("connection why ID", f"GET {PATH}/why"),
        ("connection events ID --limit 5", f"GET {PATH}/events?limit=5"),
        ("connection events ID --kind failures", f"GET {PATH}/events?kind=failures"),
        ("connection events ID --calls", f"GET {PATH}/events?calls=true"),
        ("connection list --calls", "GET /v1/connections?calls=true"),
        ("connection test ID --dry-run", f"POST {PATH}/test?dry_run=true"),
        ("connection renew ID", f"POST {PATH}/renew"),
        ("connection reconnect ID", f"POST {PATH}/reconnect"),
        ("connection person-link ID", f"POST {PATH}/person-link"),
        ("connection person-link ID --days 30", f"POST {PATH}/person-link"),
        ("connection pause ID", f"POST {PATH}/pause"),
        ("connection resume ID", f"POST {PATH}/resume"),
        ("connection disconnect ID --yes", f"DELETE {PATH}"),
        ("connection disconnect ID --yes --forget-now", f"DELETE {PATH}?forget=now"),
        ("link create acme --owner me", "POST /v1/connect-sessions"),
        ("connector list", "GET /v1/connectors"),
        ("connector show acme", "GET /v1/connectors/acme"),
        ("connector publish acme", "POST /v1/connectors/acme/publish"),
    ],
)
def test_json_is_what_was_answered(server: FakeServer, words: str, request_line: str) -> None:
    """--json gives the server's document, members included that this release does not know."""
    document = {"unheard_of": [1, None, {"x": "ü\x1b\u202e"}]}
    server.answer(request_line, document)

    ran = run(*words.replace("ID", ONE["id"]).split(), "--json")

    assert (0, "") == (ran.code, ran.err)
    assert document == json.loads(ran.out)
    assert "\x1b" not in ran.out
    assert "\u202e" not in ran.out
    assert request_line == f"{server.last.method} {server.last.target}"


def test_show(server: FakeServer) -> None:
    """What is kept stands there with its end, absent values as dashes."""
    server.answer(f"GET {PATH}", ONE)

    lines = run("connection", "show", ONE["id"]).out.splitlines()

    assert "state       ● active" in lines
    assert "connector   acme, version 3" in lines
    assert "renews      –" in lines
    assert any(line.startswith("kept        access token, sealed, until 2030-01-31 13:55:00Z (in ") for line in lines)
    assert "kept        field region, plain" in lines
    assert not any("username" in line for line in lines)


def test_hostile_names_are_cleaned(server: FakeServer) -> None:
    """A name that a provider chose can't move the cursor, break the line or turn it round."""
    server.answer(f"GET {PATH}", {**ONE, "name": "a\x1b[2J\nowner: root\u202eb\x9b"})

    out = run("connection", "show", ONE["id"]).out

    assert "name        a�[2J owner: root�b�" in out.splitlines()


def test_why_says_what_a_time_is(server: FakeServer) -> None:
    """Where it is not the next step's own."""
    following = {"text": "Send a link.", "at": "2030-01-31T12:00:00.000Z", "at_is": "the token ends"}
    server.answer(f"GET {PATH}/why", {"state": "active", "text": "It ends.", "who": "end_user", "next": following})

    assert "next: Send a link.  the token ends: 2030-01-31 12:00:00Z" in run("connection", "why", ONE["id"]).out


def test_why(server: FakeServer) -> None:
    """State, cause, whose move, and what is next."""
    following = {"text": "Send the person a reconnect link.", "at": None}
    server.answer(
        f"GET {PATH}/why",
        {"state": "needs_reconnect", "code": "grant_lost", "text": "It ended.", "who": "end_user", "next": following},
    )

    assert [
        "■ needs_reconnect  grant_lost",
        "It ended.",
        "whose move: end user",
        "next: Send the person a reconnect link.",
    ] == run("connection", "why", ONE["id"]).out.splitlines()


@pytest.mark.parametrize(
    ("verdict", "expected", "words"),
    [
        pytest.param({"passed": True, "status": 200, "code": None}, 0, "passed (HTTP 200)", id="passed"),
        pytest.param(
            {"passed": False, "status": 500, "code": "connection_test_failed"}, 8,
            "failed (HTTP 500): connection_test_failed", id="failed",
        ),
        pytest.param({"passed": False, "status": None, "code": None}, 8, "failed: –", id="failed without more"),
    ],
)  # fmt: skip
def test_test(server: FakeServer, verdict: dict[str, Any], expected: int, words: str) -> None:
    """The verdict is said, and a failed test is no success."""
    server.answer(f"POST {PATH}/test", {**ONE, "last_test": {"at": "2030-01-31T12:00:00.000Z", **verdict}})

    ran = run("connection", "test", ONE["id"])

    assert (expected, words) == (ran.code, ran.out.strip())


def test_dry_run(server: FakeServer) -> None:
    """The request is shown as it would be sent."""
    preview = {"method": "POST", "url": "https://api.example/t", "headers": [["Accept", "a/b"]], "body": "x=1"}
    server.answer(f"POST {PATH}/test?dry_run=true", preview)

    ran = run("connection", "test", ONE["id"], "--dry-run")

    assert (0, "POST https://api.example/t\nAccept: a/b\n\nx=1\n") == (ran.code, ran.out)


@pytest.mark.parametrize("verb", ["pause", "resume", "renew"])
def test_steps(server: FakeServer, verb: str) -> None:
    """A step shows how the connection is now."""
    server.answer(f"POST {PATH}/{verb}", ONE)

    ran = run("connection", verb, ONE["id"])

    assert 0 == ran.code
    assert ONE["id"] in ran.out
    assert "generation" in ran.out


def test_link_alone_on_standard_output(server: FakeServer) -> None:
    """The link can be piped; what else there is to say is not in its way."""
    server.answer("POST /v1/connect-sessions", LINK, 201)

    ran = run("link", "create", "acme", "--owner", "me", "--return-url", "https://app.example/done")

    assert f"{LINK['url']}\n" == ran.out
    assert "Works once" in ran.err
    assert {"connector": "acme", "owner": "me", "return_url": "https://app.example/done"} == server.last.document


def test_a_link_is_drawn_beside_it(server: FakeServer) -> None:
    """On standard error, so that what is piped is the link alone."""
    server.answer("POST /v1/connect-sessions", LINK, 201)

    ran = run("link", "create", "acme", "--owner", "me", "--qr")

    assert f"{LINK['url']}\n" == ran.out
    assert "\n".join(qr_lines(str(LINK["url"]))) in ran.err


def test_reconnect_link(server: FakeServer) -> None:
    """Without a return URL nothing is sent along, so that an unopened link is shown again."""
    server.answer(f"POST {PATH}/reconnect", LINK)

    ran = run("connection", "reconnect", ONE["id"])

    assert (0, f"{LINK['url']}\n", b"") == (ran.code, ran.out, server.last.body)


def test_events(server: FakeServer) -> None:
    """One line for each."""
    event = {"at": "2030-01-31T12:00:00.000Z", "action": "connection.created", "outcome": "ok", "actor": "key:1"}
    server.answer(f"GET {PATH}/events", {"data": [event], "next_cursor": None})

    assert "connection.created  ok       key:1" in run("connection", "events", ONE["id"]).out


def test_disconnect_is_not_done_unasked(server: FakeServer) -> None:
    """Without a terminal and without --yes nothing is ended."""
    server.answer(f"GET {PATH}", ONE)

    ran = run("connection", "disconnect", ONE["id"])

    assert 2 == ran.code
    assert "--yes" in ran.err
    assert "DELETE" not in [asked.method for asked in server.asked]


@pytest.mark.parametrize(("typed", "expected"), [("y", 0), ("yes", 0), ("", 1), ("n", 1), ("yesss", 1)])
def test_disconnect_asks(server: FakeServer, typed: str, expected: int) -> None:
    """On a terminal it says what will happen, and only a yes is one."""
    server.answer(f"GET {PATH}", ONE)
    server.answer(f"DELETE {PATH}", {"state": "disconnecting", "revocation": {"result": "pending"}})

    ran = run_on_terminal("connection", "disconnect", ONE["id"], typed=[typed])

    assert expected == ran.code
    assert "Ada's account (acme) for good" in ran.out
    assert (expected == 0) == ("DELETE" in [asked.method for asked in server.asked])


def test_no_prompt_by_setting(server: FakeServer) -> None:
    """KEYTURN_NO_PROMPT holds on a terminal as well."""
    server.answer(f"GET {PATH}", ONE)

    ran = run_on_terminal("connection", "disconnect", ONE["id"], env={"KEYTURN_NO_PROMPT": "1"})

    assert 2 == ran.code
    assert "no terminal" in ran.out
