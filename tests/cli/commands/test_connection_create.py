"""`connection create`: the password and secret fields come in by no way that others can see."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from keyturn.bootstrap.offline import starter_text
from tests.cli.commands.test_connections import ONE
from tests.cli.fake_server import FakeServer
from tests.cli.running import run, run_on_terminal, run_process

FIELDS = """
fields:
  - {key: region, label: Region, type: choice, choices: {eu: Europe, us: United States}}
  - {key: pin, label: PIN, type: secret}
  - {key: size, label: Size, type: number, required: false}
  - {key: beta, label: Beta, type: boolean, required: false}
"""
USES = """
  headers: {Accept: application/json, X-Region: "{{ region }}", X-Pin: "{{ pin }}", X-S: "{{ size }}{{ beta }}"}"""
WORDS = ("connection", "create", "acme", "--owner", "me", "--username", "ada")


def connector(*, fields: bool = False) -> dict[str, Any]:
    """A published connector as the server shows it."""
    source = starter_text("acme")
    if fields:
        source = source.replace("\nusername:", f"{FIELDS}\nusername:", 1).replace(
            "\n  headers: {Accept: application/json}", USES, 1
        )
    return {"id": "acme", "version": {"version": 1, "source": source}}


@pytest.fixture(autouse=True)
def _acme(server: FakeServer) -> None:
    """The server knows the connector and connects whoever comes."""
    server.answer("GET /v1/connectors/acme", connector())
    server.answer("POST /v1/connections", ONE, 201)


def sent(server: FakeServer) -> dict[str, Any]:
    """The credentials as they arrived."""
    assert "POST" == server.last.method
    document: dict[str, Any] = server.last.document
    return document


def test_password_from_standard_input(server: FakeServer) -> None:
    """One line end is cut, nothing else; the answer has no password in it."""
    ran = run(*WORDS, "--password-stdin", "--keep-password", given=" p&ss \n\n")

    assert 0 == ran.code
    assert ONE["id"] in ran.out
    assert "p&ss" not in ran.all
    assert {
        "connector": "acme", "owner": "me", "username": "ada", "password": " p&ss \n", "fields": {},
        "keep_password": True,
    } == sent(server)  # fmt: skip


def test_password_from_an_open_file(server: FakeServer) -> None:
    """A file descriptor that the caller opened, as a shell does with 3<file."""
    read, write = os.pipe()
    os.write(write, b"correct-horse-7\n")
    os.close(write)
    ran = run_process(*WORDS, "--password-fd", str(read), pass_fds=[read])
    os.close(read)

    assert 0 == ran.code
    assert "correct-horse-7" == sent(server)["password"]
    assert "correct-horse" not in ran.all


def test_secrets_file(server: FakeServer, tmp_path: Path) -> None:
    """A private file brings the password and the secret fields."""
    server.answer("GET /v1/connectors/acme", connector(fields=True))
    path = tmp_path / "secrets.json"
    path.write_text('{"password": "correct-horse-7", "pin": "1234"}')
    path.chmod(0o600)

    ran = run(*WORDS, "--secrets-file", str(path), "--field", "region=eu", "--field", "size=7", "--field", "beta=yes")

    assert 0 == ran.code, ran.err
    document = sent(server)
    assert ("correct-horse-7", {"region": "eu", "pin": "1234", "size": 7, "beta": True}) == (
        document["password"], document["fields"],
    )  # fmt: skip


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o777, 0o610])
def test_secrets_file_of_others(server: FakeServer, tmp_path: Path, mode: int) -> None:
    """A file that others may read is refused, and nothing of it is shown or sent."""
    path = tmp_path / "secrets.json"
    path.write_text('{"password": "hunter2"}')
    path.chmod(mode)

    ran = run(*WORDS, "--secrets-file", str(path))

    assert 2 == ran.code
    assert "chmod 600" in ran.err
    assert "hunter2" not in ran.all
    assert "POST" not in [asked.method for asked in server.asked]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("hunter2", id="no JSON"),
        pytest.param('["hunter2"]', id="a list"),
        pytest.param('{"password": ["hunter2"]}', id="no text"),
        pytest.param('{"password": "hunter2' + "x" * 70_000 + '"}', id="too long"),
    ],
)
def test_secrets_file_that_is_none(server: FakeServer, tmp_path: Path, text: str) -> None:
    """What is no object of texts is refused without being quoted."""
    path = tmp_path / "secrets.json"
    path.write_text(text)
    path.chmod(0o600)

    ran = run(*WORDS, "--secrets-file", str(path))

    assert 2 == ran.code
    assert "hunter2" not in ran.all


@pytest.mark.parametrize(
    ("more", "given"),
    [
        pytest.param((), None, id="no source and no terminal"),
        pytest.param(("--password-stdin",), "", id="an empty one"),
        pytest.param(("--password-stdin",), b"\xff\xfe", id="no UTF-8"),
        pytest.param(("--password-stdin",), "x" * 65_537, id="one that is too long"),
        pytest.param(("--password-stdin", "--password-fd", "3"), "a", id="two sources"),
        pytest.param(("--password-fd", "999"), None, id="a file that is not open"),
        pytest.param(("--password-fd", "-1"), None, id="a file that can't be"),
        pytest.param(("--secrets-file", "/nowhere"), None, id="a secrets file that is not there"),
        pytest.param(("--secrets-file", "/"), None, id="a folder as secrets file"),
        pytest.param(("--password-stdin", "--field", "nonsense"), "a", id="a field without a value"),
        pytest.param(("--password-stdin", "--field", "nosuch=1"), "a", id="a field that is none"),
    ],
)
def test_usage(server: FakeServer, more: tuple[str, ...], given: str | bytes | None) -> None:
    """Nothing is sent before everything is there."""
    ran = run(*WORDS, *more, given=given)

    assert (2, "") == (ran.code, ran.out)
    assert "POST" not in [asked.method for asked in server.asked]


def test_secret_field_on_the_command_line(server: FakeServer) -> None:
    """A secret field is not taken from an option, and its value is not said back."""
    server.answer("GET /v1/connectors/acme", connector(fields=True))

    ran = run(*WORDS, "--password-stdin", "--field", "region=eu", "--field", "pin=hunter2", given="a")

    assert 2 == ran.code
    assert "POST" not in [asked.method for asked in server.asked]
    assert "--secrets-file" in ran.err
    assert "hunter2" not in ran.all


def test_prompts(server: FakeServer) -> None:
    """On a terminal what is missing is asked for by its label; secrets are not shown while they are typed."""
    server.answer("GET /v1/connectors/acme", connector(fields=True))

    ran = run_on_terminal(
        "connection", "create", "acme", "--owner", "me", typed=["ada", "eu", "1234", "correct-horse-7"]
    )

    assert 0 == ran.code, ran.out
    assert ["Username: ", "Region (eu, us): ", "PIN: ", "Password: "] == [
        word for word in ("Username: ", "Region (eu, us): ", "PIN: ", "Password: ") if word in ran.out
    ]
    assert "1234" not in ran.out
    assert "correct-horse" not in ran.out
    document = sent(server)
    assert ("ada", "correct-horse-7", {"region": "eu", "pin": "1234"}) == (
        document["username"], document["password"], document["fields"],
    )  # fmt: skip


def test_standard_input_that_is_a_terminal(server: FakeServer) -> None:
    """--password-stdin would show what is typed there, so it is refused."""
    assert 2 == run_on_terminal(*WORDS, "--password-stdin").code


def test_a_key_that_may_not_read_connectors(server: FakeServer) -> None:
    """A key with the scope login alone is enough: fields go out as they were given."""
    server.refuse("GET /v1/connectors/acme", "forbidden_scope")

    assert 0 == run(*WORDS, "--password-stdin", "--field", "region=eu", given="a").code
    assert {"region": "eu"} == sent(server)["fields"]


def test_no_such_connector(server: FakeServer) -> None:
    """No password is asked for or sent for a connector that is not there."""
    assert 3 == run("connection", "create", "other", "--owner", "me", "--password-stdin", given="a").code
    assert ["GET"] == [asked.method for asked in server.asked]


def test_updated(server: FakeServer) -> None:
    """An account that was connected already is said to be."""
    server.answer("POST /v1/connections", ONE, 200)

    assert "connected already" in run(*WORDS, "--password-stdin", given="a").err


def test_second_step(server: FakeServer) -> None:
    """A challenge is not lost in silence: it is said how it can be answered, with an exit code of its own."""
    question = {"key": "otp", "label": "Code", "type": "otp", "help": "", "required": True, "choices": []}
    server.answer("POST /v1/connections", {"challenge": {"id": "chl_1", "ask": [question]}}, 202)

    ran = run(*WORDS, "--password-stdin", "--keep-totp-seed", given="a")

    assert (10, "") == (ran.code, ran.out)
    assert "keyturn connection answer chl_1 --answer otp=-" in ran.err
    assert sent(server)["keep_totp_seed"] is True


def test_rejected(server: FakeServer) -> None:
    """A refusal of the provider's is the end user's move, with the tries that are left."""
    server.refuse("POST /v1/connections", "provider_credentials_rejected", tries_left=4)

    ran = run(*WORDS, "--password-stdin", given="hunter2")

    assert 7 == ran.code
    assert "tries left: 4" in ran.err
    assert "hunter2" not in ran.all
    assert 1 == [asked.method for asked in server.asked].count("POST")
