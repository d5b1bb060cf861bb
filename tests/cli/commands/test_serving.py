"""`serve`, `dev` and `init`: they start, or say in a sentence why they can't."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from keyturn.bootstrap.dev import Welcome
from keyturn.cli.commands.dev import DATA, show
from tests.cli.running import LOAD_ALL, PROGRAM, Ran, run_process
from tests.end_to_end.preloaded import MODULE, Process, preloaded


@pytest.mark.parametrize(
    ("env", "words", "names"),
    [
        pytest.param({"KEYTURN_LISTEN": "hunter2"}, (), ["KEYTURN_LISTEN"], id="listen"),
        pytest.param({}, ("--listen", "127.0.0.1:hunter2"), ["KEYTURN_LISTEN"], id="listen as an option"),
        pytest.param(
            {"KEYTURN_ADMIN_API_KEY": "hunter2", "KEYTURN_OFFLINE_GRACE": "-1"}, (),
            ["KEYTURN_ADMIN_API_KEY", "KEYTURN_OFFLINE_GRACE"], id="two at once",
        ),
        pytest.param({"KEYTURN_KEYS": "hunter2"}, ("--listen", "127.0.0.1:0"), ["KEYTURN_KEYS"], id="key provider"),
        pytest.param(
            {"KEYTURN_DATABASE_URL": "mysql://hunter2"}, ("--listen", "127.0.0.1:0"), ["KEYTURN_DATABASE_URL"],
            id="database",
        ),
    ],
)  # fmt: skip
def test_settings(tmp_path: Path, env: dict[str, str], words: tuple[str, ...], names: list[str]) -> None:
    """Each setting that can't be used is one sentence that begins with its name; exit code 2."""
    ran = run_process("serve", "--data", str(tmp_path / "d"), *words, env=env)

    assert (2, "") == (ran.code, ran.out)
    assert names == [line.split()[0].rstrip(":") for line in ran.err.splitlines()]
    assert "hunter2" not in ran.err


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """Who has the port is not known, but what to do is; exit code 1."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = run_process("serve", "--data", str(tmp_path), "--listen", f"127.0.0.1:{port}")

    assert (1, "") == (ran.code, ran.out)
    assert f"127.0.0.1:{port} is taken: end the program that has it, or choose another with --listen." in ran.err


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_a_host_that_is_not_here(tmp_path: Path, host: str) -> None:
    """An address of somebody else, and a name that is none."""
    ran = run_process("serve", "--data", str(tmp_path), "--listen", f"{host}:0")

    assert 1 == ran.code
    assert 1 == len(ran.err.splitlines())
    assert "--listen" in ran.err


def test_data_that_is_a_file(tmp_path: Path) -> None:
    """A data directory that can't be made is a sentence for both commands that make it."""
    (tmp_path / "file").write_text("")
    data = str(tmp_path / "file" / "data")

    for words in (("serve", "--listen", "127.0.0.1:0"), ("init",)):
        ran = run_process(*words, "--data", data)

        assert 1 == ran.code
        assert "can't be" in ran.err.splitlines()[-1]
        assert "Traceback" not in ran.err


def started(*words: str, cwd: Path, until: str) -> tuple[Process, str]:
    """Start the program and read what it writes until `until` is in it."""
    log, env = cwd / "written", dict(os.environ)
    process: Process
    if words[0] in LOAD_ALL:
        process = preloaded().start([*MODULE, *words], cwd=cwd, log=log, env=env)
    else:
        with log.open("wb") as written:
            process = subprocess.Popen([*PROGRAM, *words], cwd=cwd, stdout=written, stderr=written, env=env)
    ends_at = time.monotonic() + 60
    while until not in (read := log.read_text() if log.exists() else "") and time.monotonic() < ends_at:
        assert process.poll() is None, read
        time.sleep(0.02)
    return process, read


def ended(process: Process, with_signal: signal.Signals) -> int:
    """End it and give its exit code."""
    process.send_signal(with_signal)
    return process.wait(40)


@pytest.mark.parametrize("with_signal", [signal.SIGTERM, signal.SIGINT])
def test_serve(tmp_path: Path, with_signal: signal.Signals) -> None:
    """It makes its data directory, answers, and ends with 0 at a signal."""
    process, read = started("serve", "--data", "made/here", "--listen", "127.0.0.1:0", cwd=tmp_path, until="listening")
    found = re.search(r"http://127\.0\.0\.1:\d+", read)
    assert found is not None
    with urllib.request.urlopen(f"{found.group()}/healthz", timeout=10) as answer:  # noqa: S310
        status = answer.status

    assert 0 == ended(process, with_signal)
    assert 200 == status
    assert 0o700 == stat.S_IMODE((tmp_path / "made" / "here").stat().st_mode)


def test_dev(tmp_path: Path) -> None:
    """What it prints works as printed: the key, the connector, and a first connection of the account that it shows."""
    process, read = started(
        "dev", "--listen", "127.0.0.1:0", "--provider-port", "0", cwd=tmp_path, until="Nothing leaves this machine"
    )
    env = dict(re.findall(r"export (KEYTURN_\w+)=(\S+)", read))
    account = re.search(r"username (\S+), password (\S+)", read)
    assert account is not None
    try:
        listed = run_process("connector", "list", env=env)
        made = run_process(
            "connection", "create", "acme-example", "--owner", "me", "--username", account[1], "--password-stdin",
            given=account[2].encode(), env=env,
        )  # fmt: skip
        found = re.search(r"cxn_\w+", made.out)
        called = run_process("call", found[0] if found else "none", "GET", "/me", env=env)
    finally:
        code = ended(process, signal.SIGINT)

    assert 0 == code
    assert {"KEYTURN_URL", "KEYTURN_API_KEY"} == set(env)
    assert "acme-example" in listed.out
    assert 0 == made.code, made.err
    assert '"id":"u-1"' in called.out
    assert (tmp_path / ".keyturn" / "dev" / "keyturn.db").is_file()


def test_welcome_fits_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What `dev` prints is at most 80 columns wide and 24 lines high."""
    monkeypatch.setattr(sys, "argv", ["keyturn"])
    key = "kt_" + "k" * 43 + "00000000"
    link = f"http://127.0.0.1:8800/c/{'l' * 43}"
    console = f"http://127.0.0.1:8800/sign-in/{'l' * 43}"
    show(Welcome("http://127.0.0.1:8800", "http://127.0.0.1:8801", link, key, console), DATA, f"--data {DATA}")
    lines = capsys.readouterr().out.splitlines()

    assert len(lines) <= 24
    assert max(len(line) for line in lines) <= 80
    assert f"   {link}" in lines
    assert f"   {console}" in lines
    assert f"   export KEYTURN_API_KEY={key}" in lines


def test_dev_does_not_touch_other_data(tmp_path: Path) -> None:
    """KEYTURN_DATA names real data; `dev` leaves it alone."""
    env = {"KEYTURN_DATA": str(tmp_path / "real")}
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        ran = run_process("dev", "--listen", listen, "--provider-port", "0", env=env, cwd=tmp_path)

    assert 1 == ran.code
    assert not (tmp_path / "real").exists()


@pytest.fixture
def first(tmp_path: Path) -> Ran:
    """The first init of a data directory."""
    return run_process("init", "--data", str(tmp_path / "data"))


def test_init(tmp_path: Path, first: Ran) -> None:
    """The key alone stands on standard output; the files are private; the operator is told to back the key file up."""
    data = tmp_path / "data"

    assert 0 == first.code, first.err
    assert re.fullmatch(r"kt_[\w-]{43}[0-9a-f]{8}\n", first.out)
    assert "Back the key file up" in first.err
    assert str(data / "keyturn.key") in first.err
    assert {0o700} == {stat.S_IMODE(path.stat().st_mode) for path in (data, data / "spill")}
    assert {0o600} == {stat.S_IMODE((data / name).stat().st_mode) for name in ("keyturn.key", "keyturn.db")}


def test_init_again(tmp_path: Path, first: Ran) -> None:
    """A second time it is so already, without another key."""
    key = (tmp_path / "data" / "keyturn.key").read_bytes()
    again = run_process("init", "--data", str(tmp_path / "data"))

    assert (0, "") == (again.code, again.out)
    assert "already" in again.err
    assert key == (tmp_path / "data" / "keyturn.key").read_bytes()


def test_init_makes_the_key_that_a_server_takes(tmp_path: Path, first: Ran) -> None:
    """A server on the same data knows the key, and it is an admin's."""
    data = str(tmp_path / "data")
    process, read = started("serve", "--data", data, "--listen", "127.0.0.1:0", cwd=tmp_path, until="listening")
    found = re.search(r"http://127\.0\.0\.1:\d+", read)
    try:
        env = {"KEYTURN_URL": found.group() if found else "", "KEYTURN_API_KEY": first.out.strip()}
        ran = run_process("connector", "list", "--json", env=env)
    finally:
        ended(process, signal.SIGTERM)

    assert 0 == ran.code, ran.err


def test_init_without_its_key(tmp_path: Path, first: Ran) -> None:
    """Where the key is gone and data is sealed, no other key is made."""
    (tmp_path / "data" / "keyturn.key").unlink()
    ran = run_process("init", "--data", str(tmp_path / "data"))

    assert (1, "") == (ran.code, ran.out)
    assert ran.err.startswith("wrong_key: ")
    assert "keyturn.key" not in os.listdir(tmp_path / "data")


def test_a_check_opens_no_port(tmp_path: Path) -> None:
    """It says that a start is possible, and makes nothing."""
    ran = run_process("serve", "--check", env={"KEYTURN_DATA": str(tmp_path / "data"), "KEYTURN_LISTEN": "127.0.0.1:0"})

    assert (0, "It can start.\n") == (ran.code, ran.err)
    assert [] == list(tmp_path.iterdir())


def test_a_check_says_what_is_in_the_way(tmp_path: Path) -> None:
    """With the fix, and exit code 1."""
    environment = {
        "KEYTURN_DATA": str(tmp_path / "data"),
        "KEYTURN_LISTEN": "127.0.0.1:0",
        "KEYTURN_KEYS": "file:/nowhere",
    }
    ran = run_process("serve", "--check", env=environment)

    assert 1 == ran.code
    assert "key: " in ran.err
