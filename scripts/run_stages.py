"""Run the checks of the house, with the time that each took: lint, then the tests, or the tests beside lint.

All stages run even where an earlier one failed: one run should tell everything that is wrong. The exit code is 1 if any
failed. Run with the Python of `.venv`: `run_stages.py lint`, `run_stages.py lint test`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

STAGES: dict[str, dict[str, list[str]]] = {
    "lint": {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "mypy": ["mypy"],
        "import contracts": ["lint-imports"],
    },
    # A file stays in one worker, so that its server is started once; tests/conftest.py says which files come first. One
    # worker more than there are cores here, as tests of processes wait a good part of their time.
    "test": {"pytest": ["pytest", "-n", "3", "--dist", "loadfile", "--no-loadscope-reorder", "--durations", "8"]},
}

# pytest compiles every test anew in every worker where what it compiled may not be written down.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


Row = tuple[str, float, int]  # what ran, for how many seconds, and its exit code


def main() -> int:
    """Run the stages of the groups named on the command line and print the table of times."""
    groups = sys.argv[1:]
    if not groups or not set(groups) <= set(STAGES):
        print(f"usage: run_stages.py {{{','.join(STAGES)}}} …", file=sys.stderr)
        return 2
    begun = time.monotonic()
    rows = _beside_each_other() if {"lint", "test"} <= set(groups) else [row for group in groups for row in _all(group)]
    print("── times")
    for name, seconds, code in rows:
        print(f"{name:<18}{seconds:7.1f} s  {'ok' if code == 0 else f'FAILED ({code})'}")
    print(f"{'all':<18}{time.monotonic() - begun:7.1f} s", flush=True)
    return 1 if any(code for *_, code in rows) else 0


def _all(group: str) -> list[Row]:
    return [_run(name, command) for name, command in STAGES[group].items()]


def _beside_each_other() -> list[Row]:
    """Lint keeps one core busy, so the tests begin beside it; what they say is shown once lint has had its say."""
    begun: list[_Tests] = []
    beginning = Thread(target=lambda: begun.append(_Tests()))
    beginning.start()
    rows = _all("lint")
    beginning.join()
    return [*rows, begun[0].shown()]


class _Tests:
    """The tests, once they are compiled: each worker would spend a good while on it, and all on the same."""

    def __init__(self) -> None:
        ((self._name, command),) = STAGES["test"].items()
        pytest = str(BIN / command[0])
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([pytest, "--collect-only", "--quiet"], cwd=ROOT, env=ENVIRONMENT, check=False, **quiet)
        colours = ["--color", "yes"] if sys.stdout.isatty() else []
        self._begun = time.monotonic()
        self._process = subprocess.Popen(
            [pytest, *command[1:], *colours],
            cwd=ROOT,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def shown(self) -> Row:
        """Pass on what they said until now and say from now on; a pipe that is full makes them wait, no more."""
        print(f"── {self._name}", flush=True)
        assert self._process.stdout is not None
        while piece := os.read(self._process.stdout.fileno(), 65_536):
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        return self._name, time.monotonic() - self._begun, self._process.wait()


def _run(name: str, command: list[str]) -> Row:
    print(f"── {name}", flush=True)
    begun = time.monotonic()
    code = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, env=ENVIRONMENT, check=False).returncode
    return name, time.monotonic() - begun, code


if __name__ == "__main__":
    raise SystemExit(main())
