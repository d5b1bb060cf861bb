"""Files and functions stay small, and are found by their names."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.house.sources import ROOT, SRC, modules, shown, tracked_files, tree

LONGEST_SOURCE_FILE = 500
LONGEST_TEST_FILE = 800
LONGEST_FUNCTION = 60
MOST_MODULES_IN_A_FOLDER = 14
GROWING = {"src/keyturn/adapters/store/migrations/versions"}  # one step after the other; none ever goes
# Names that say nothing: a file called so collects what nobody placed.
BANNED_STEMS = {"utils", "util", "helpers", "helper", "common", "misc", "base", "stuff", "tools"}
BANNED_ENDINGS = ("_utils", "_util", "_helpers", "_helper", "_misc", "_common")
OTHERS_WORK = {"tests/peers"}  # scripts of other programs, kept as they were found


def is_banned(stem: str) -> bool:
    """Tell whether a file name (without its ending) says nothing about what is in it."""
    return stem.lstrip("_") in BANNED_STEMS or stem.endswith(BANNED_ENDINGS)


@pytest.mark.parametrize(
    ("stem", "banned"),
    [
        pytest.param("utils", True, id="the usual one"),
        pytest.param("_common", True, id="a private one"),
        pytest.param("renew_helpers", True, id="half a name"),
        pytest.param("base_url", False, id="a word of the glossary that begins like one"),
        pytest.param("database", False, id="a word that ends like one"),
    ],
)
def test_is_banned(stem: str, banned: bool) -> None:
    """Empty names are told from names that only look like them."""
    assert banned == is_banned(stem)


def test_no_file_has_an_empty_name() -> None:
    """Each Python file says by its name what is in it."""
    found = [shown(path) for path in tracked_files() if path.suffix == ".py" and is_banned(path.stem)]

    assert [] == found


def test_files_stay_small() -> None:
    """A source file ends at 500 lines, a test file at 800: past that it holds two things."""
    limits = {SRC: LONGEST_SOURCE_FILE, ROOT / "examples": LONGEST_SOURCE_FILE, ROOT / "tests": LONGEST_TEST_FILE}
    too_long = {
        shown(path): lines
        for folder, limit in limits.items()
        for path in modules(folder)
        if not shown(path).startswith(tuple(OTHERS_WORK))
        and (lines := len(path.read_text(encoding="utf-8").splitlines())) > limit
    }

    assert {} == too_long


def test_functions_stay_small() -> None:
    """A function ends at 60 lines, its docstring among them."""
    too_long = {
        f"{shown(path)}:{node.lineno} {node.name}": lines
        for folder in (SRC, ROOT / "examples", ROOT / "scripts")
        for path in modules(folder)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }

    assert {} == too_long


def test_folders_stay_small() -> None:
    """No folder of the product holds more modules than one can keep in mind; `__init__` does not count."""
    counts = Counter(shown(path.parent) for path in modules() if path.stem != "__init__")

    assert {} == {folder: n for folder, n in counts.items() if n > MOST_MODULES_IN_A_FOLDER and folder not in GROWING}


def test_each_folder_with_code_is_a_package() -> None:
    """A folder without `__init__.py` would be invisible to the import contracts."""
    folders = {path.parent for path in modules()}

    assert [] == sorted(shown(folder) for folder in folders if not (folder / "__init__.py").is_file())


def test_each_module_says_its_rules() -> None:
    """Every module that holds code opens with a docstring."""
    silent = [shown(path) for path in modules() if tree(path).body and not ast.get_docstring(tree(path))]

    assert [] == silent
