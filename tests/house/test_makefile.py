"""Every command that a contributor needs is a target, and `make help` lists it."""

from __future__ import annotations

import re
import subprocess

from tests.house.sources import ROOT

PROMISED = (
    "help setup run dev fmt lint test test-pythons test-peers test-faults test-browser mutants bench docs schema "
    "release check"
).split()
PRIVATE = {"ready"}  # a step of other targets


def test_help_lists_every_target() -> None:
    """`make help` is made of the Makefile itself, and no public target lacks its sentence."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE)) - PRIVATE
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert targets == {line.split()[0] for line in listed.splitlines()}
    assert set(PROMISED) <= targets
    assert all(len(line.split()) > 1 for line in listed.splitlines())


def test_every_target_is_phony() -> None:
    """A file that happens to be called `test` must not stop `make test`."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.findall(r"^[.]PHONY: (.*)$", text, re.MULTILINE)

    assert set(re.findall(r"^([a-z][a-z-]*):", text, re.MULTILINE)) == {name for line in phony for name in line.split()}
