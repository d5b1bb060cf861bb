"""What differs between Pythons is tried on each that the machine has: TLS, and a login from end to end.

The whole suite on each of them is `make test-pythons`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scripts.run_pythons import SUPPORTED, pythons
from tests.conftest import TOLD
from tests.end_to_end.running import CHECKOUT

TESTS = (
    "tests/adapters/egress/test_tls_rules.py",
    "tests/adapters/egress/test_tls_identity.py",
    "tests/end_to_end/test_main_job.py::test_the_whole_story_leaves_no_secret_on_disk",
)
LONGEST_S = 900  # with nothing in uv's cache, and one environment after another
# Nobody edits these environments, so that their files may be those of the cache; and most of them is never loaded.
CHEAP = {"UV_LINK_MODE": "hardlink", "UV_COMPILE_BYTECODE": "0"}


def run(command: list[str], **more: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the checkout, without what the running environment says to its own Python."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "COV_"))}
    return subprocess.run(
        command, cwd=CHECKOUT, env=inherited | more, capture_output=True, text=True, check=False, timeout=LONGEST_S
    )


def tried(minor: str, python: str, where: Path) -> str:
    """Build the environment of this Python and run the tests there; return what happened, "passed" if all is well."""
    venv = f".cache/pythons/{minor}"
    built = run([python, "scripts/set_up.py", "--quiet"], KEYTURN_VENV=venv, **CHEAP)
    if built.returncode:
        return f"{python} has no environment: {built.stdout}{built.stderr}"
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", f"--basetemp={where / minor}"]
    ended = run([f"{venv}/bin/python", "-m", "pytest", *options, *TESTS])
    version = run([f"{venv}/bin/python", "-c", "import sys; print(*sys.version_info[:2], sep='.')"]).stdout.strip()
    passed = re.search(r"^(\.+)\s+\[100%\]$", ended.stdout, re.MULTILINE)
    if ended.returncode or passed is None or version != minor:
        return f"{python} ({version}): {ended.stdout[-4000:]}{ended.stderr[-2000:]}"
    return "passed"


@pytest.mark.timeout(LONGEST_S)
def test_each_other_python_of_the_machine(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    """An environment from the lock can be built there, the rules of TLS hold, and a login works."""
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    found = pythons()
    others = {minor: python for minor, python in found.items() if minor != own}
    ends = {minor: tried(minor, python, tmp_path) for minor, python in others.items()}
    absent = [minor for minor in SUPPORTED if minor not in {own, *found}]
    said = f"tried {', '.join(others)}" if others else "there is none on this machine"
    record_property(TOLD, f"other Pythons than {own}: {said}; not found: {', '.join(absent) or 'none'}")

    assert dict.fromkeys(others, "passed") == ends
