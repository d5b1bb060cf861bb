"""Run the checks of the house one after the other, with the time that each took.

All stages run even where an earlier one failed: one run should tell everything that is wrong. The exit code is 1 if any
failed. Run with the Python of `.venv`: `run_stages.py lint`, `run_stages.py lint test`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

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


@contextmanager
def _tests_compiled(groups: list[str]) -> Iterator[None]:
    """Have them compiled beside the lint, which keeps one core busy: each worker would spend a good while on it."""
    if not {"lint", "test"} <= set(groups):
        yield
        return
    command = [str(BIN / "pytest"), "--collect-only", "--quiet"]
    with subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        yield


def main() -> int:
    """Run the stages of the groups named on the command line and print the table of times."""
    groups = sys.argv[1:]
    if not groups or not set(groups) <= set(STAGES):
        print(f"usage: run_stages.py {{{','.join(STAGES)}}} …", file=sys.stderr)
        return 2
    rows = []
    for group in groups:
        with _tests_compiled(groups) if group == "lint" else nullcontext():
            rows += [_run(name, command) for name, command in STAGES[group].items()]
    print("── times")
    for name, seconds, code in rows:
        print(f"{name:<18}{seconds:7.1f} s  {'ok' if code == 0 else f'FAILED ({code})'}")
    print(f"{'all':<18}{sum(seconds for _, seconds, _ in rows):7.1f} s", flush=True)
    return 1 if any(code for *_, code in rows) else 0


def _run(name: str, command: list[str]) -> tuple[str, float, int]:
    print(f"── {name}", flush=True)
    begun = time.monotonic()
    code = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, env=ENVIRONMENT, check=False).returncode
    return name, time.monotonic() - begun, code


if __name__ == "__main__":
    raise SystemExit(main())
