"""`connector …`: files are judged here, saved and published there; a client's secret is never shown."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from keyturn.bootstrap.offline import starter_text
from tests.cli.fake_server import FakeServer
from tests.cli.running import run, run_on_terminal

BAD = """keyturn: 1
connector: acme
titel: Acme
token: {url: "http://login.acme.example/t"}
"""
CLIENT = ("connector", "set-client", "acme", "--client-id", "app")


@pytest.fixture
def good(tmp_path: Path) -> Path:
    """A connector file without errors: the starter, with what its author has to say."""
    path = tmp_path / "acme.yaml"
    text = starter_text("acme").replace(".provider.example", ".acme.example")
    path.write_text(text + "trust: {reason: legacy, note: Made up.}\n")
    return path


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A connector file with errors."""
    path = tmp_path / "bad.yaml"
    path.write_text(BAD)
    return path


def test_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The starter is written and reads; the linter asks for what only its author can say."""
    monkeypatch.chdir(tmp_path)

    ran = run("connector", "new", "acme")

    assert (0, "acme.yaml\n") == (ran.code, ran.out)
    assert starter_text("acme") == (tmp_path / "acme.yaml").read_text()
    linted = run("connector", "lint", "acme.yaml", "--json")
    assert 6 == linted.code
    assert {"K001", "K011"} == {one["code"] for one in json.loads(linted.out)["findings"] if one["severity"] == "error"}


def test_new_overwrites_nothing(good: Path) -> None:
    """A file that is there stays as it is."""
    good.write_text("mine")

    assert 2 == run("connector", "new", "acme", "--out", str(good)).code
    assert "mine" == good.read_text()


def test_new_to_standard_output() -> None:
    """`--out -` writes no file."""
    assert starter_text("acme") == run("connector", "new", "acme", "--out", "-").out


@pytest.mark.parametrize("name", ["A", "a", "1a", "a b", "../a", "a" * 64, "ä"])
def test_new_with_no_id(name: str, tmp_path: Path) -> None:
    """What is no id makes no file."""
    assert 2 == run("connector", "new", name, "--out", str(tmp_path / "x")).code
    assert [] == list(tmp_path.iterdir())


def test_new_where_nothing_can_be_written() -> None:
    """A place that is none is a sentence."""
    assert 2 == run("connector", "new", "acme", "--out", "/nowhere/acme.yaml").code


def test_lint_of_errors(bad: Path) -> None:
    """Every error at once as FILE:LINE:COLUMN code message, and exit code 6."""
    ran = run("connector", "lint", str(bad))

    assert 6 == ran.code
    assert "6 errors" == ran.out.splitlines()[0]
    assert f"  {bad}:3:1 unknown_key a connector has no such key; did you mean “title”?" in ran.out.splitlines()
    assert f"{bad}:4:14 https_required" in ran.out


def test_lint_of_findings(good: Path) -> None:
    """Findings that are no errors have a remedy and end with 0; the gravest group comes first."""
    text = good.read_text()
    good.write_text(text.replace("https://login.acme.example/oauth/token", "https://192.0.2.1/oauth/token"))
    ran = run("connector", "lint", str(good))
    groups = [line.split()[1].removesuffix("s") for line in ran.out.splitlines() if not line.startswith(" ")]

    assert 0 == ran.code
    assert ["warning", "info"] == groups
    assert re.search(rf"^  {re.escape(str(good))}:\d+:\d+ K205 The host is an IP address\.$", ran.out, re.MULTILINE)
    assert "      Write a host name; its certificate says who answers." in ran.out.splitlines()


def test_lint_of_several(good: Path, bad: Path) -> None:
    """One bad file among good ones is enough; --json has the file of each finding."""
    ran = run("connector", "lint", str(good), str(bad), "--json")

    assert 6 == ran.code
    findings = json.loads(ran.out)["findings"]
    assert {str(good), str(bad)} >= {each["file"] for each in findings} >= {str(bad)}
    assert (3, 1) in {(each["line"], each["column"]) for each in findings if each["code"] == "unknown_key"}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{", b"a: *b", b"x" * 300_000], ids=range(5))
def test_lint_of_nonsense(tmp_path: Path, content: bytes) -> None:
    """Whatever the file holds, there is a finding and no traceback."""
    path = tmp_path / "x.yaml"
    path.write_bytes(content)

    assert 6 == run("connector", "lint", str(path)).code


def test_lint_of_no_file() -> None:
    """A file that can't be read is a usage error."""
    assert 2 == run("connector", "lint", "/nowhere.yaml").code
    assert 2 == run("connector", "lint").code


def test_schema() -> None:
    """The schema is JSON, for `> connector.schema.json`."""
    assert "https://json-schema.org/draft/2020-12/schema" == json.loads(run("connector", "schema").out)["$schema"]


def test_save(server: FakeServer, good: Path) -> None:
    """The file goes out byte for byte."""
    server.answer("PUT /v1/connectors/acme", {"draft": {"revision": 4}, "findings": [{}]}, 201)

    ran = run("connector", "save", str(good))

    assert (0, "acme: draft saved, revision 4\n") == (ran.code, ran.out)
    assert "1 finding of" in ran.err
    assert good.read_bytes() == server.last.body
    assert "application/yaml" == server.last.headers["Content-Type"]


def test_save_and_publish(server: FakeServer, good: Path) -> None:
    """One command for both, in this order."""
    server.answer("PUT /v1/connectors/acme", {"draft": {"revision": 1}, "findings": []})
    server.answer("POST /v1/connectors/acme/publish", {"version": 2}, 201)

    ran = run("connector", "save", str(good), "--publish")

    assert "acme: version 2 is published" == ran.out.splitlines()[1]
    assert ["PUT", "POST"] == [asked.method for asked in server.asked]


def test_a_note_goes_with_what_is_published(server: FakeServer, good: Path) -> None:
    """Sent as it is; where nothing is published there is nothing to note."""
    server.answer("PUT /v1/connectors/acme", {"draft": {"revision": 1}, "findings": []})
    server.answer("POST /v1/connectors/acme/publish", {"version": 2}, 201)

    run("connector", "save", str(good), "--publish", "--note", "the new host")
    saved = json.loads(server.last.body)
    run("connector", "publish", "acme", "--note", "x", "--corrects", "2")
    refused = run("connector", "save", str(good), "--note", "x")

    assert [{"note": "the new host"}, {"note": "x", "corrects": 2}] == [saved, json.loads(server.last.body)]
    assert 2 == refused.code
    assert 3 == len(server.asked)


def test_save_of_errors(server: FakeServer, bad: Path) -> None:
    """A file with errors is not sent; all errors are said with their places."""
    ran = run("connector", "save", str(bad), "--publish")

    assert (6, "") == (ran.code, ran.out)
    assert "  3:1 a connector has no such key; did you mean “title”?" in ran.err.splitlines()
    assert [] == server.asked


def test_publish_that_is_blocked(server: FakeServer) -> None:
    """What blocks it is said."""
    errors = [{"pointer": "/trust", "code": "K001", "message": "No reason."}]
    server.refuse("POST /v1/connectors/acme/publish", "publish_blocked", errors=errors)

    ran = run("connector", "publish", "acme")

    assert 6 == ran.code
    assert "  /trust: No reason." in ran.err.splitlines()


def test_list(server: FakeServer) -> None:
    """One line for each."""
    row = {"id": "acme", "title": "Acme", "latest_version": None, "has_draft": True, "client_id_set": False}
    server.answer("GET /v1/connectors", {"data": [row], "next_cursor": None})

    assert ["acme", "Acme", "–", "yes", "not", "set"] == run("connector", "list").out.splitlines()[1].split()


def test_show(server: FakeServer) -> None:
    """For people in short, as YAML for a file: the published text before the draft's."""
    draft = {"revision": 2, "updated_at": "2030-01-01T00:00:00.000Z", "source": "draft: 1\n"}
    server.answer("GET /v1/connectors/acme", {"id": "acme", "draft": draft, "version": None, "findings": []})

    assert "client     not set" in run("connector", "show", "acme").out.splitlines()
    assert "draft: 1\n" == run("connector", "show", "acme", "--yaml").out


def test_set_client(server: FakeServer) -> None:
    """The secret comes from a pipe and is in nothing that is shown."""
    server.answer("PUT /v1/connectors/acme/client", None, 204)

    ran = run(*CLIENT, "--secret-stdin", given="s3cret-of-the-client\n")

    assert (0, "acme: client set\n", "") == (ran.code, ran.out, ran.err)
    assert {"client_id": "app", "client_secret": "s3cret-of-the-client"} == server.last.document


def test_set_client_asks(server: FakeServer) -> None:
    """On a terminal the secret is typed without being shown; an empty one is none."""
    server.answer("PUT /v1/connectors/acme/client", None, 204)

    ran = run_on_terminal(*CLIENT, typed=["s3cret-of-the-client"])

    assert 0 == ran.code
    assert "s3cret" not in ran.out
    assert "s3cret-of-the-client" == server.last.document["client_secret"]


def test_set_client_without_a_secret(server: FakeServer) -> None:
    """A client that has none is said to have none."""
    server.answer("PUT /v1/connectors/acme/client", None, 204)

    assert 0 == run(*CLIENT, "--no-secret").code
    assert {"client_id": "app", "client_secret": None} == server.last.document


@pytest.mark.parametrize("more", [(), ("--no-secret", "--secret-stdin")])
def test_set_client_usage(server: FakeServer, more: tuple[str, ...]) -> None:
    """Neither asked without a terminal nor both a secret and none."""
    assert 2 == run(*CLIENT, *more, given="a").code
    assert [] == server.asked
