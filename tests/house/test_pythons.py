"""Which Pythons of a machine are found, and what `make test-pythons` makes of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.sources import ROOT


def program(path: Path, text: str) -> Path:
    """A script in the place of a Python."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A machine: a shim that does not run, an old Python, one in pyenv's folder; and what the real one has besides."""
    program(tmp_path / "shims/python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    program(tmp_path / "shims/python3", "exit 1")  # too old: it says nothing, and is not new enough
    program(tmp_path / "shims/python3.16", f"echo '3.16 {tmp_path}/first'")
    program(tmp_path / "other/python3.16", f"echo '3.16 {tmp_path}/second'")
    program(tmp_path / "pyenv/versions/3.15.2/bin/python3", f"echo '3.15 {tmp_path}/pyenv'")
    return tmp_path


def found(machine: Path, *words: str, path: str = "shims:other", **more: str) -> subprocess.CompletedProcess[str]:
    """Run the search on that machine."""
    folders = os.pathsep.join([*(str(machine / each) for each in path.split(":")), "/usr/bin", "/bin"])
    where = {"PATH": folders, "HOME": str(machine), "PYENV_ROOT": str(machine / "pyenv")}
    command = ["sh", str(ROOT / "scripts/find_python.sh"), *words]
    return subprocess.run(command, env=where | more, capture_output=True, text=True, check=False)


def test_each_minor_version_is_found_once(machine: Path) -> None:
    """By the first place that runs; a shim without a target and an old Python are none."""
    rows = dict(line.split(" ", 1) for line in found(machine, "all").stdout.splitlines())

    assert (f"{machine}/first", f"{machine}/pyenv") == (rows["3.16"], rows["3.15"])
    assert not any(str(machine) in place for version, place in rows.items() if version not in ("3.15", "3.16"))
    assert list(rows) == sorted(rows)


def test_a_python_that_is_asked_for_is_the_only_candidate(machine: Path) -> None:
    """Also where others would do."""
    asked = found(machine, PYTHON=str(machine / "pyenv/versions/3.15.2/bin/python3"))
    broken = found(machine, PYTHON=str(machine / "shims/python3.12"))

    assert (0, f"{machine}/pyenv/versions/3.15.2/bin/python3\n") == (asked.returncode, asked.stdout)
    assert (1, "") == (broken.returncode, broken.stdout)
    assert "is not one that runs" in broken.stderr


MAKEFILE = """test:
	@cat tracked new && test ! -e removed && case "$(PYTHON)" in */first) echo '7 passed, 1 skipped in 3 s';; \\
	*) echo '1 failed, 6 passed in 3 s'; exit 1;; esac
"""


@pytest.fixture
def checkout(tmp_path: Path, machine: Path) -> Path:
    """A checkout with a change, a new and a removed file that are not committed; its test fails on 3.15."""
    root = tmp_path / "checkout"
    (root / "scripts").mkdir(parents=True)
    shutil.copy(ROOT / "scripts/run_pythons.py", root / "scripts")
    program(root / "scripts/find_python.sh", f"printf '3.15 {machine}/pyenv\\n3.16 {machine}/first\\n'")
    (root / ".gitignore").write_text(".cache/\n")
    (root / "Makefile").write_text(MAKEFILE)
    for name in ("tracked", "removed"):
        (root / name).write_text("as committed\n")
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    for words in (["init", "--quiet"], ["add", "--all"], [*who, "commit", "--quiet", "--message", "one"]):
        subprocess.run(["git", *words], cwd=root, check=True)
    (root / "tracked").write_text("as changed\n")
    (root / "removed").unlink()
    (root / "new").write_text("as new\n")
    return root


def test_each_python_is_run_and_the_missing_are_named(checkout: Path) -> None:
    """On the files as they are now; one that fails fails the run, one that is not there does not."""
    command = [sys.executable, "scripts/run_pythons.py"]
    both, good, absent = (
        subprocess.run([*command, *words], cwd=checkout, capture_output=True, text=True, check=False)
        for words in ([], ["3.16"], ["3.14"])
    )
    table = both.stdout.partition("── Pythons\n")[2].splitlines()

    assert [1, 0, 1] == [both.returncode, good.returncode, absent.returncode]
    assert ["3.11", "3.12", "3.13", "3.14", "3.15", "3.16"] == [row.split()[0] for row in table]
    assert all("not found" in row for row in table[:4])
    assert "FAILED: 1 failed, 6 passed" in table[4]
    assert "ok: 7 passed, 1 skipped" in table[5]
    assert 2 == both.stdout.count("as changed\nas new\n")
