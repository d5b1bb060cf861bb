"""The locks name exactly what pyproject.toml asks for, each with its hashes."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
DEV = [Requirement(line) for line in PROJECT["dependency-groups"]["dev"]]


def locked(name: str) -> dict[str, str]:
    """Read a lock as versions by canonical name."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", text, re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


@pytest.mark.parametrize(
    ("lock", "asked"),
    [pytest.param("runtime.txt", RUNTIME, id="runtime"), pytest.param("dev.txt", RUNTIME + DEV, id="dev")],
)
def test_the_lock_answers_what_is_asked(lock: str, asked: list[Requirement]) -> None:
    """A dependency that was added or raised without `make lock` is noticed here, not on somebody's machine."""
    pins = locked(lock)
    unmet = [str(r) for r in asked if not r.specifier.contains(pins.get(canonicalize_name(r.name), "0"))]

    assert [] == unmet


def test_both_locks_agree() -> None:
    """What is tested is what is shipped: the development lock holds the runtime lock, version for version."""
    runtime, dev = locked("runtime.txt"), locked("dev.txt")

    assert runtime == {name: version for name, version in dev.items() if name in runtime}


@pytest.mark.parametrize("lock", ["runtime.txt", "dev.txt", "uv.txt"])
def test_each_pin_has_a_hash(lock: str) -> None:
    """Without a hash, who answers for the registry chooses the code that runs here."""
    text = (ROOT / "requirements" / lock).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]

    assert blocks
    assert [] == [block.split()[0] for block in blocks if "--hash=sha256:" not in block]


def test_the_build_uses_the_locked_back_end() -> None:
    """The pin of the build system is in the lock too, since set-up builds without isolation."""
    pins = locked("dev.txt")
    unmet = [r for r in map(Requirement, PROJECT["build-system"]["requires"]) if not r.specifier.contains(pins[r.name])]

    assert [] == unmet
