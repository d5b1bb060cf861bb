"""Every way to fail has one code, and every code stands in the register and in the documents."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections import Counter

import keyturn.core
from keyturn.core.errors import KeyturnError
from keyturn.core.problems import PROBLEMS
from tests.house.sources import ROOT

REFERENCE = ROOT / "docs" / "reference" / "problems.md"


def leaves() -> list[type[KeyturnError]]:
    """List the errors that nothing is derived from, of every module of the core."""
    for found in pkgutil.walk_packages(keyturn.core.__path__, "keyturn.core."):
        importlib.import_module(found.name)
    pending, ends = [KeyturnError], []
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if not kind.__subclasses__() and kind.__module__.startswith("keyturn."):
            ends.append(kind)
    return ends


def test_each_error_states_a_code_of_its_own() -> None:
    """Two errors with one code could not be told apart by a caller."""
    kinds = leaves()

    assert kinds
    assert [] == [kind.__name__ for kind in kinds if "code" not in vars(kind)]
    assert [] == [code for code, n in Counter(kind.code for kind in kinds).items() if n > 1]


def test_each_code_is_registered() -> None:
    """The register knows status, words and next step of every error that can be raised."""
    assert set() == {kind.code for kind in leaves()} - set(PROBLEMS)
    assert [] == [code for code, problem in PROBLEMS.items() if code != problem.code]


def test_each_code_is_documented() -> None:
    """The reference has a heading for every code, and none for a code that does not exist."""
    text = REFERENCE.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ `?([a-z][a-z0-9_]*_[a-z0-9_]+|[a-z]+)`?$", text, re.MULTILINE)

    assert sorted(PROBLEMS) == sorted(headings)
