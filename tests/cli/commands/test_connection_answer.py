"""The middle of a login on the command line: codes come in by no way that others can see, and are sent once."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from keyturn.cli.waiting import Waiting
from tests.cli.commands.test_connections import ONE
from tests.cli.fake_server import FakeServer
from tests.cli.running import run, run_on_terminal
from tests.cli.running import run_process as run_apart

ENDS = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
CODE = {"key": "otp", "label": "Code", "type": "otp", "help": "From your app.", "required": True, "choices": []}
FACTOR = {
    "key": "factor", "label": "Way", "type": "choice", "help": "", "required": True,
    "choices": [{"value": "sms-1", "label": "SMS to **45"}, {"value": "app", "label": "Your app"}],
}  # fmt: skip
WORDS = ("connection", "answer", "chl_1")
CREATE = ("connection", "create", "acme", "--owner", "me", "--username", "ada")


def challenge(number: int = 1, *ask: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A challenge as the server shows it, in whichever of the two shapes."""
    plain = {"error": None, "tries_left": None, "polls": not ask, "resend": False, "connection_id": None, "next": None}
    return {"id": f"chl_{number}", "state": "waiting", "ask": list(ask), "expires_at": ENDS, **plain, **members}


def answers(server: FakeServer) -> list[tuple[str, Any]]:
    """What was posted: the last part of the path, and the answers."""
    posted = [each for each in server.asked if each.method == "POST"]
    return [(each.target.removeprefix("/v1/"), each.document.get("answers") if each.body else None) for each in posted]


@pytest.fixture(autouse=True)
def _one_challenge(server: FakeServer) -> None:
    """A challenge that asks for a code, which is then accepted."""
    server.answer("GET /v1/challenges/chl_1", challenge(1, CODE))
    server.answer("POST /v1/challenges/chl_1", ONE, 201)
    server.answer(f"GET /v1/connections/{ONE['id']}", ONE)
    server.refuse("GET /v1/connectors/acme", "forbidden_scope", required_scope="read")


def test_a_code_from_standard_input(server: FakeServer) -> None:
    """It is read as a line, sent, and written nowhere."""
    ran = run_apart(*WORDS, "--answer", "otp=-", given=b"048213\n")

    assert 0 == ran.code, ran.err
    assert ONE["id"] in ran.out
    assert "048213" not in ran.all
    assert [("challenges/chl_1", {"otp": "048213"})] == answers(server)


def test_a_code_is_typed_without_being_shown(server: FakeServer) -> None:
    """On a terminal it is asked for, with the provider's help."""
    ran = run_on_terminal(*WORDS, typed=["048213"])

    assert 0 == ran.code, ran.out
    assert "From your app." in ran.out
    assert "048213" not in ran.out
    assert [("challenges/chl_1", {"otp": "048213"})] == answers(server)


def test_a_code_on_the_command_line_is_refused(server: FakeServer) -> None:
    """Nothing is sent, and the code is not repeated."""
    ran = run(*WORDS, "--answer", "otp=048213")

    assert 2 == ran.code
    assert "--answer otp=-" in ran.err
    assert "048213" not in ran.all
    assert [] == answers(server)


@pytest.mark.parametrize("word", ["otp", "=1", "o tp=1", "ö=1"], ids=["no value", "no key", "a space", "no ASCII"])
def test_what_is_no_answer(server: FakeServer, word: str) -> None:
    """It is refused before anything is asked or sent."""
    ran = run(*WORDS, "--answer", word)

    assert (2, []) == (ran.code, server.asked)


def test_a_choice_is_shown(server: FakeServer) -> None:
    """By number and label, and its value is sent; the code that is asked next is typed as well."""
    server.answer("GET /v1/challenges/chl_1", challenge(1, FACTOR))
    server.answer("POST /v1/challenges/chl_1", {"challenge": challenge(2, CODE)}, 202)
    server.answer("POST /v1/challenges/chl_2", ONE, 201)

    ran = run_on_terminal(*WORDS, typed=["7", "2", "048213"])

    assert 0 == ran.code, ran.out
    assert "1  SMS to **45" in ran.out
    assert [("challenges/chl_1", {"factor": "app"}), ("challenges/chl_2", {"otp": "048213"})] == answers(server)


def test_a_wrong_code_is_asked_for_again(server: FakeServer) -> None:
    """With the tries that are left; the wrong one is not sent again."""
    again = challenge(2, CODE, error="provider_otp_invalid", tries_left=2)
    server.answer("POST /v1/challenges/chl_1", {"challenge": again}, 202)
    server.answer("POST /v1/challenges/chl_2", ONE, 201)

    ran = run_on_terminal(*WORDS, typed=["000000", "048213"])

    assert 0 == ran.code, ran.out
    assert "The code was not accepted. Tries left: 2." in ran.out
    assert [("challenges/chl_1", {"otp": "000000"}), ("challenges/chl_2", {"otp": "048213"})] == answers(server)


def test_a_program_reads_the_next_challenge(server: FakeServer) -> None:
    """Without a terminal and without a further line the challenge is written, and the exit code says so."""
    again = challenge(2, CODE, error="provider_otp_invalid", tries_left=2)
    server.answer("POST /v1/challenges/chl_1", {"challenge": again}, 202)

    ran = run_apart(*WORDS, "--answer", "otp=-", "--json", given=b"000000\n")

    assert 10 == ran.code
    assert {"challenge": again} == json.loads(ran.out)
    assert [("challenges/chl_1", {"otp": "000000"})] == answers(server)


def test_another_code_on_request(server: FakeServer) -> None:
    """Enter alone asks the provider for one, where it can send one."""
    server.answer("GET /v1/challenges/chl_1", challenge(1, CODE, resend=True))
    server.answer("POST /v1/challenges/chl_1/resend", {"challenge": challenge(2, CODE)}, 202)
    server.answer("POST /v1/challenges/chl_2", ONE, 201)

    ran = run_on_terminal(*WORDS, typed=["", "048213"])

    assert 0 == ran.code, ran.out
    assert [("challenges/chl_1/resend", None), ("challenges/chl_2", {"otp": "048213"})] == answers(server)


def test_a_confirmation_elsewhere_is_waited_for(server: FakeServer) -> None:
    """It says what is waited for and how long, and shows the connection in the end."""
    server.answer_first("GET /v1/challenges/chl_1", challenge(1, state="pending"), challenge(1, state="pending"))
    server.answer("GET /v1/challenges/chl_1", challenge(1, state="done", connection_id=ONE["id"]))

    ran = run_apart(*WORDS)

    assert 0 == ran.code, ran.err
    assert ONE["id"] in ran.out
    assert "Waiting for the confirmation on another device, for up to" in ran.err
    assert 1 == ran.err.count("Waiting")
    assert [] == answers(server)


def test_on_a_terminal_the_wait_is_one_line(server: FakeServer) -> None:
    """It moves, counts down, and is gone in the end; what is waited for is said as it is."""
    asked = challenge(1, state="pending", polls=False)
    server.answer_first("GET /v1/challenges/chl_1", asked, asked, asked)
    server.answer("GET /v1/challenges/chl_1", challenge(1, state="done", connection_id=ONE["id"]))

    ran = run_on_terminal(*WORDS)
    waiting, _, rest = ran.out.rpartition("\r\x1b[K")

    assert 0 == ran.code
    assert 2 <= waiting.count("\r\x1b[K") == waiting.count("Waiting for the provider's answer, for up to ")
    assert "\n" not in waiting.strip()
    assert "Waiting" not in rest
    assert ONE["id"] in rest


def test_who_stops_waiting_reads_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends the command, not the login."""
    with suppress(KeyboardInterrupt), Waiting("something", "chl_1") as waiting:
        waiting.show(7.4)
        raise KeyboardInterrupt

    assert "Waiting for something, for up to 7 s more." in (said := capsys.readouterr().err)
    assert "keyturn connection answer chl_1" in said


def test_a_key_that_may_not_read_gets_the_id(server: FakeServer) -> None:
    """What came of a confirmation elsewhere is not lost where only logging in is allowed."""
    server.answer("GET /v1/challenges/chl_1", challenge(1, state="done", connection_id="cxn_9"))
    server.refuse("GET /v1/connections/cxn_9", "forbidden_scope", required_scope="read")

    ran = run_apart(*WORDS, "--json")

    assert (0, {"id": "cxn_9"}) == (ran.code, json.loads(ran.out))


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("provider_access_denied", 7), ("provider_timeout", 8)],
    ids=["the person said no", "nobody said anything"],
)
def test_a_confirmation_that_fails(server: FakeServer, code: str, exit_code: int) -> None:
    """The register says what to do, as it would if the server had answered it."""
    server.answer("GET /v1/challenges/chl_1", challenge(1, state="failed", error=code))

    ran = run_apart(*WORDS)

    assert exit_code == ran.code
    assert code in ran.err


def test_a_program_is_not_kept_waiting(server: FakeServer) -> None:
    """`create --json` without a terminal writes the challenge, also one that only has to be waited for."""
    server.answer("POST /v1/connections", {"challenge": challenge(1)}, 202)

    ran = run_apart(*CREATE, "--password-stdin", "--json", given=b"a\n")

    assert 10 == ran.code
    assert "chl_1" == json.loads(ran.out)["challenge"]["id"]


def test_one_use_of_standard_input(server: FakeServer) -> None:
    """It brings the password or answers; nothing is sent where both are wanted."""
    ran = run_apart(*CREATE, "--password-stdin", "--answer", "otp=-", given=b"a\n")

    assert 2 == ran.code
    assert [] == answers(server)


def test_a_challenge_that_was_answered(server: FakeServer) -> None:
    """The server's refusal is the command's."""
    server.refuse("POST /v1/challenges/chl_1", "challenge_used")

    ran = run_apart(*WORDS, "--answer", "otp=-", given=b"048213\n")

    assert 0 != ran.code
    assert "challenge_used" in ran.err
