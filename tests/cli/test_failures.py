"""Each way to fail has its sentence on standard error and its exit code, and nothing on standard output."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from keyturn.cli.failures import EXIT_CODES
from keyturn.core.problems import PROBLEMS
from tests.cli.fake_server import KEY, FakeServer, Reply
from tests.cli.running import run

LIST = "GET /v1/connections"


@pytest.mark.parametrize("code", PROBLEMS)
def test_problem(server: FakeServer, code: str) -> None:
    """A problem is said as `code: title — action`, and ends with the exit code of its row in the register."""
    server.refuse(LIST, code)

    ran = run("connection", "list")

    assert (PROBLEMS[code].exit_code, "") == (ran.code, ran.out)
    assert f"{code}: {PROBLEMS[code].title} — {PROBLEMS[code].action}" == ran.err.splitlines()[0]


def test_each_exit_code_of_a_problem_is_documented() -> None:
    """The reference's table has every exit code that the register can give."""
    assert {problem.exit_code for problem in PROBLEMS.values()} <= {row[0] for row in EXIT_CODES}


def test_problem_as_json(server: FakeServer) -> None:
    """With --json the document goes to standard error as it was answered."""
    server.refuse(LIST, "forbidden_scope", required_scope="read")

    ran = run("connection", "list", "--json")

    assert (4, "") == (ran.code, ran.out)
    assert json.loads(server.replies[LIST].body) == json.loads(ran.err)


def test_what_else_helps(server: FakeServer) -> None:
    """Errors with their place, tries left, the next step's address: all that the document knows to help."""
    server.refuse(
        LIST,
        "validation_failed",
        detail="More about it.",
        errors=[{"pointer": "/owner", "code": "required", "message": "Give an owner."}],
        tries_left=3,
        retry_after=9,
        next_action={"who": "caller", "text": "Mend it.", "url": "https://keyturn.example/x"},
    )

    ran = run("connection", "list")

    assert [
        "validation_failed: Some values break a rule. — Mend it.",
        "  More about it.",
        "  /owner: Give an owner.",
        "  tries left: 3",
        "  wait, s: 9",
        "  https://keyturn.example/x",
    ] == ran.err.splitlines()


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(Reply(404, b"<html>no</html>"), 3, id="a 404 of something else"),
        pytest.param(Reply(502, b"bad gateway"), 8, id="a gateway's 502"),
        pytest.param(Reply(500, b"oops"), 1, id="a 500 of something else"),
        pytest.param(Reply(418, b'{"code": "unheard_of"}'), 1, id="a code of a later release"),
        pytest.param(Reply(409, b'{"code": "unheard_of"}'), 5, id="a later code with a telling status"),
        pytest.param(Reply(302, b"", (("Location", "http://127.0.0.1:1/"),)), 1, id="a redirect"),
        pytest.param(Reply(200, b"no JSON"), 1, id="no JSON"),
        pytest.param(Reply(200, b'{"data": []}', (), 3), 8, id="an answer that breaks off"),
    ],
)
def test_no_keyturn(server: FakeServer, reply: Reply, expected: int) -> None:
    """An answer that is none of ours is a sentence without a word of it, and a redirect is not followed."""
    server.replies[LIST] = reply

    ran = run("connection", "list")

    assert (expected, "") == (ran.code, ran.out)
    assert 1 == len(server.asked)
    assert "Traceback" not in ran.err
    assert "html" not in ran.err
    assert len(ran.err) > 10


@pytest.mark.parametrize(
    ("env", "expected", "words"),
    [
        pytest.param({"KEYTURN_URL": "http://127.0.0.1:1"}, 8, "keyturn serve", id="nobody listens"),
        pytest.param({"KEYTURN_URL": "http://nowhere.invalid"}, 8, "not known", id="no such host"),
        pytest.param({"KEYTURN_URL": "ftp://127.0.0.1"}, 2, "KEYTURN_URL", id="no http"),
        pytest.param({"KEYTURN_URL": "http://user:hunter2@127.0.0.1"}, 2, "without credentials", id="credentials"),
        pytest.param({"KEYTURN_URL": "http://127.0.0.1/?x=1"}, 2, "KEYTURN_URL", id="a query"),
        pytest.param({"KEYTURN_URL": "http://127.0.0.1:99999"}, 2, "KEYTURN_URL", id="no such port"),
        pytest.param({"KEYTURN_API_KEY": ""}, 4, "KEYTURN_API_KEY", id="no key"),
        pytest.param({"KEYTURN_API_KEY": "hunter2 \x1b"}, 2, "character", id="a key that can't be"),
        pytest.param({"KEYTURN_API_KEY_FILE": "/nowhere"}, 2, "both set", id="key and file"),
        pytest.param({"KEYTURN_API_KEY": "", "KEYTURN_API_KEY_FILE": "/nowhere"}, 2, "can't be read", id="no key file"),
    ],
)
def test_setting(server: FakeServer, env: dict[str, str], expected: int, words: str) -> None:
    """A setting that can't be used is named in a sentence, and its value is not said back."""
    ran = run("connection", "list", env=env)

    assert (expected, "") == (ran.code, ran.out)
    assert words in ran.err
    assert "hunter2" not in ran.err
    assert [] == server.asked


def test_tls_where_there_is_none(server: FakeServer) -> None:
    """A server without TLS is told from one that is away."""
    ran = run("connection", "list", env={"KEYTURN_URL": server.url.replace("http:", "https:")})

    assert 8 == ran.code
    assert "TLS" in ran.err


def test_key_from_a_file(server: FakeServer, tmp_path: Path) -> None:
    """The API key may stand in a file; its line end is no part of it."""
    path = tmp_path / "key"
    path.write_text(f"{KEY}\n")
    server.answer(LIST, {"data": [], "next_cursor": None})

    ran = run("connection", "list", env={"KEYTURN_API_KEY": "", "KEYTURN_API_KEY_FILE": str(path)})

    assert 0 == ran.code
    assert f"Bearer {KEY}" == server.last.headers["Authorization"]


@pytest.mark.parametrize(
    "words",
    [
        pytest.param("connection list --limit 0", id="a value out of range"),
        pytest.param("connection list --colour", id="no such option"),
        pytest.param("connection show", id="an id missing"),
        pytest.param("connection list hunter2", id="a word too much"),
        pytest.param("connection show a hunter2 hunter2", id="two words too much"),
        pytest.param("connection create acme --owner me --password hunter2", id="a password as an option"),
        pytest.param("connection create acme --owner me --password=hunter2", id="with an equals sign"),
        pytest.param("connector set-client acme --client-id a --client-secret hunter2", id="a secret as an option"),
        pytest.param("connection list --api-key hunter2", id="a key as an option"),
    ],
)
def test_usage(server: FakeServer, words: str) -> None:
    """A usage error ends with 2 before anything is sent, and says no word back that could be a secret."""
    ran = run(*words.split())

    assert (2, "") == (ran.code, ran.out)
    assert "Help: keyturn " in ran.err
    assert "hunter2" not in ran.err
    assert [] == server.asked


def test_why_there_is_no_password_option() -> None:
    """Whoever tries it reads the reason and the ways there are."""
    ran = run("connection", "create", "acme", "--owner", "me", "--password", "hunter2")

    assert "seen by every program" in ran.err
    assert "--password-stdin" in ran.err


def test_after_two_dashes_a_word_is_a_word(server: FakeServer) -> None:
    """Behind `--` nothing is an option, so nothing is refused as one."""
    server.refuse("GET /v1/connections/--password", "not_found")

    assert 3 == run("connection", "show", "--", "--password").code


def test_a_mistake_of_ours_shows_no_text() -> None:
    """An exception that nobody expected is named with its place; its text, which may hold anything, is not shown."""
    code = "import keyturn.cli.main as m\ndef boom(*a): raise ValueError('hunter2')\nm.Program._run = boom\nm.main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert (1, "") == (done.returncode, done.stdout)
    assert "ValueError" in done.stderr
    assert "report it" in done.stderr
    assert "hunter2" not in done.stderr


def test_a_reader_that_goes_away(server: FakeServer) -> None:
    """Who pipes into `head` gets no traceback."""
    server.stream("GET /v1/proxy/c/big", b"x" * 4_000_000)
    program = f"{sys.executable} -c 'from keyturn.cli.main import main; main()' call c GET /big"
    script = f"({program}; echo $? >&2) | head -c 10"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, timeout=60)

    assert "141" == done.stderr.strip()
