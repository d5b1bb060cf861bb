"""Running the program: inside this process, as a process, and on a terminal of its own.

The commands that load the whole product are forked from a process which has it loaded: most of such a run is that.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from keyturn.cli.main import program
from tests.end_to_end.preloaded import MODULE, preloaded

LOAD_ALL = ("init", "serve")
# These set up the logging of the whole process: whatever a test before left behind would speak up in the next one.
OWN_PROCESS = ("serve", "dev")
PROGRAM = (sys.executable, "-c", "from keyturn.cli.main import main; main()")

# The new session's terminal is the one on its standard input.
ON_TERMINAL = (
    sys.executable,
    "-c",
    "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); from keyturn.cli.main import main; main()",
)


@dataclass(frozen=True)
class Ran:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        """Everything that was written."""
        return self.out + self.err


def run(*words: str, given: str | bytes | None = None, env: Mapping[str, str] | None = None) -> Ran:
    """Run inside this process; standard input is no terminal."""
    if words and words[0] in OWN_PROCESS and not {"--help", "--check"} & set(words):
        raise ValueError(f"{words[0]} sets up the process that it runs in: use run_process")
    result = CliRunner().invoke(program, list(words), input=given, env=dict(env or {}))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Ran(result.exit_code, result.stdout, result.stderr)


def run_process(
    *words: str,
    given: bytes = b"",
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    pass_fds: Sequence[int] = (),
) -> Ran:
    """Run as a process of its own, without a terminal."""
    surroundings = {**os.environ, **(env or {})}
    if words and words[0] in LOAD_ALL and not given:
        return _forked(words, surroundings, cwd or Path.cwd())
    done = subprocess.run(
        [*PROGRAM, *words],
        input=given,
        capture_output=True,
        env=surroundings,
        cwd=cwd,
        pass_fds=pass_fds,
        start_new_session=True,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def _forked(words: Sequence[str], env: Mapping[str, str], cwd: Path) -> Ran:
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        code = preloaded().start([*MODULE, *words], cwd=cwd, log=out, errors=err, env=env).wait(60)
        return Ran(code, out.read_text(), err.read_text())


def run_on_terminal(*words: str, typed: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Ran:
    """Run on a terminal of its own and type a line at each question; `out` is what the terminal showed."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [*ON_TERMINAL, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", **(env or {})},
        start_new_session=True,
    )
    os.close(theirs)
    shown, answers, ends_at = b"", list(typed), time.monotonic() + 60
    while time.monotonic() < ends_at:
        if not select.select([ours], [], [], 0.1)[0]:
            continue
        try:
            piece = os.read(ours, 65_536)
        except OSError:  # the other end is closed
            break
        shown += piece
        if answers and shown.rstrip().endswith((b":", b"]")):
            time.sleep(0.1)  # the echo is switched off before the question is read
            os.write(ours, answers.pop(0).encode() + b"\n")
    os.close(ours)
    return Ran(child.wait(10), shown.decode().replace("\r\n", "\n"), "")
