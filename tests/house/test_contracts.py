"""The import contracts of pyproject.toml grow with the house."""

from __future__ import annotations

import tomllib
from importlib.metadata import packages_distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import ROOT, SRC

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
CONTRACTS = {contract["id"]: contract for contract in PROJECT["tool"]["importlinter"]["contracts"]}
CORE_MAY_IMPORT = {"jmespath", "idna"}


def test_each_dependency_is_forbidden_to_the_core() -> None:
    """A new runtime dependency must be put on the list that keeps it out of the core."""
    forbidden = set(CONTRACTS["core-frameworks"]["forbidden_modules"])
    modules_of: dict[str, set[str]] = {}
    for module, distributions in packages_distributions().items():
        for distribution in distributions:
            modules_of.setdefault(canonicalize_name(distribution), set()).add(module)
    missing = {
        requirement.name
        for requirement in RUNTIME
        if requirement.name not in CORE_MAY_IMPORT
        and not forbidden & modules_of.get(canonicalize_name(requirement.name), {requirement.name})
    }

    assert set() == missing


def test_each_zone_of_the_web_is_held_apart() -> None:
    """A new zone must be put into the contract that makes zones strangers to each other."""
    zones = {f"keyturn.web.{path.parent.name}" for path in (SRC / "web").glob("*/__init__.py")} - {"keyturn.web.kit"}

    assert zones == set(CONTRACTS["web-zones"]["modules"])
    assert zones == set(CONTRACTS["web-kit"]["forbidden_modules"])
