"""`connector new | catalogue | preview | diff | versions | show ID@N | rollback`: texts, here and on the server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keyturn.bootstrap.offline import read_connector_text, starter_text
from tests.cli.fake_server import FakeServer
from tests.cli.running import run

CURL = "curl https://login.acme.example/token -d grant_type=password -d username=ada-canary -d password=pw-canary\n"
DIFF = {
    "old": 2, "new": 3, "changes": [{"step": 2, "risky": True, "sentence": "Passwords go elsewhere."}],
    "text": ["@@ -1 +1 @@", "-a", "+b"], "correction": None,
}  # fmt: skip


def test_a_connector_of_a_curl_command(tmp_path: Path) -> None:
    """What was understood goes to standard error; nothing of the person's is in either."""
    out = tmp_path / "acme.yaml"
    ran = run("connector", "new", "acme", "--from-curl", "-", "--out", str(out), given=CURL)

    assert 0 == ran.code
    assert "https://login.acme.example/token" == read_connector_text(out.read_text()).token.url.source
    assert "Step 3 and 4" in ran.err
    assert "canary" not in out.read_text() + ran.all


def test_a_curl_command_that_is_none(tmp_path: Path) -> None:
    """A sentence with the place, and no file."""
    source = tmp_path / "commands.txt"
    source.write_text("curl 'https://canary.example")
    ran = run("connector", "new", "acme", "--from-curl", str(source), "--out", str(tmp_path / "x.yaml"))

    assert 2 == ran.code
    assert "Line 1, column 6" in ran.err
    assert "canary" not in ran.err
    assert 2 == run("connector", "new", "acme", "--from-curl", str(tmp_path / "none"), "--out", "-").code
    assert [source] == list(tmp_path.iterdir())


def test_a_connector_of_the_catalogue(tmp_path: Path) -> None:
    """Each that is listed can be begun with, under another id."""
    listed = json.loads(run("connector", "catalogue", "--json").out)["data"]
    out = tmp_path / "own.yaml"
    ran = run("connector", "new", "own", "--from", "directus", "--out", str(out))
    unknown = run("connector", "new", "own", "--from", "nothing", "--out", "-")
    both = run("connector", "new", "own", "--from", "directus", "--from-curl", "-", "--out", "-", given=CURL)

    assert {"directus", "matrix"} <= {each["id"] for each in listed}
    assert "directus" in run("connector", "catalogue").out
    assert (0, "own") == (ran.code, read_connector_text(out.read_text()).id)
    assert (2, 2) == (unknown.code, both.code)


def test_a_step_of_a_file_needs_no_server(tmp_path: Path) -> None:
    """The request with its secrets by their names."""
    path = tmp_path / "acme.yaml"
    path.write_text(starter_text("acme"))
    ran = run("connector", "preview", str(path), "--step", "2", env={"KEYTURN_URL": "http://127.0.0.1:1"})
    shown = json.loads(run("connector", "preview", str(path), "--step", "2", "--json").out)
    nothing = run("connector", "preview", str(path), "--step", "6")

    assert 0 == ran.code
    assert "POST https://login.provider.example/oauth/token" in ran.out.splitlines()
    assert "password=‹password›" in ran.out
    assert (2, "POST") == (shown["step"], shown["requests"][0]["request"]["method"])
    assert ("", "This step sends nothing.\n") == (nothing.out, nothing.err)
    assert 2 == run("connector", "preview", str(path)).code


def test_a_step_of_what_is_stored(server: FakeServer) -> None:
    """The draft, or a version by its number; a request that can't be made is a sentence."""
    server.answer("GET /v1/connectors/acme/preview?step=5", {"step": 5, "requests": [
        {"title": "Test", "request": None, "note": "It can't be made."}]})  # fmt: skip
    server.answer("GET /v1/connectors/acme/preview?step=6&version=3", {"step": 6, "requests": []})

    assert "Test\nIt can't be made.\n" == run("connector", "preview", "acme", "--step", "5").out
    assert 0 == run("connector", "preview", "acme@3", "--step", "6").code
    assert 2 == run("connector", "preview", "acme@live", "--step", "6").code


@pytest.mark.parametrize(
    ("words", "query"),
    [(["acme"], ""), (["acme@3"], "?new=3"), (["acme@3", "acme@1"], "?new=3&old=1"), (["acme", "acme@1"], "?old=1")],
)
def test_two_versions_are_compared_by_the_server(server: FakeServer, words: list[str], query: str) -> None:
    """In sentences, then as text."""
    server.answer(f"GET /v1/connectors/acme/diff{query}", DIFF)
    ran = run("connector", "diff", *words)

    assert 0 == ran.code
    assert ["risky  step 2: Passwords go elsewhere.", "@@ -1 +1 @@", "-a", "+b"] == ran.out.splitlines()
    assert DIFF == json.loads(run("connector", "diff", *words, "--json").out)


def test_a_folder_of_the_same_name_is_no_file(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connector on the server is meant."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "acme").mkdir()
    server.answer("GET /v1/connectors/acme/preview?step=6", {"step": 6, "requests": []})

    assert 0 == run("connector", "preview", "acme", "--step", "6").code


def test_versions_of_two_connectors_are_not_compared(server: FakeServer) -> None:
    """And what is compared with is a version."""
    assert 2 == run("connector", "diff", "acme@3", "other@1").code
    assert 2 == run("connector", "diff", "acme@3", "acme").code
    assert [] == server.asked


def test_a_file_is_compared_with_the_version_that_is_named(server: FakeServer, tmp_path: Path) -> None:
    """Instead of the newest."""
    path = tmp_path / "acme.yaml"
    path.write_text(starter_text("acme").replace("login.provider.example", "login.elsewhere.example"))
    server.answer("GET /v1/connectors/acme/versions/1", {"version": 1, "source": starter_text("acme")})
    ran = run("connector", "diff", str(path), "acme@1", "--json")
    found = json.loads(ran.out)

    assert (1, True) == (found["version"], found["changes"][0]["risky"])
    assert "GET /v1/connectors/acme/versions/1" == f"{server.last.method} {server.last.target}"


def test_versions_are_listed_and_shown(server: FakeServer) -> None:
    """With the text of each."""
    row = {"version": 2, "digest": "9f86d081884c7d659a2f", "published_at": "2030-01-31T12:00:00.000Z"}
    server.answer("GET /v1/connectors/acme/versions?limit=1", {"data": [row], "next_cursor": "1"})
    server.answer("GET /v1/connectors/acme/versions/2", {**row, "source": "connector: acme\n"})
    listed = run("connector", "versions", "acme", "--limit", "1")

    assert "9f86d081884c" in listed.out
    assert "--cursor 1" in listed.err
    assert "connector: acme\n" == run("connector", "show", "acme@2", "--yaml").out
    assert "9f86d081884c7d659a2f" in run("connector", "show", "acme@2").out


def test_going_back_to_a_version(server: FakeServer) -> None:
    """Its text is the draft; published only where that is said."""
    server.answer("POST /v1/connectors/acme/versions/2/rollback", {"id": "acme"})
    server.answer("POST /v1/connectors/acme/publish", {"version": 4, "result": "published"}, 201)
    back = run("connector", "rollback", "acme", "2")
    asked = len(server.asked)
    published = run("connector", "rollback", "acme", "2", "--publish")

    assert (0, "acme: the draft says what version 2 says\n", 1) == (back.code, back.out, asked)
    assert "acme: version 4 is published" == published.out.splitlines()[-1]
    assert 2 == run("connector", "rollback", "acme", "0").code
