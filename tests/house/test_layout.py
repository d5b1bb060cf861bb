"""Files and functions stay small, and are found by their names."""

from __future__ import annotations

import ast

import pytest

from tests.house.sources import ROOT, SRC, modules, shown, tracked_files, tree

LONG_FILE = 400  # above it a file of the product is listed, with the idea that it holds
LONGEST_FILE = 800
LONGEST_FUNCTION = 60
WIRING = {"assemble", "open_store"}  # a list of what is made of what, as long as there is of it
LONG_FILES = ROOT / "tests/house/long_files.txt"
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


def test_files_are_as_long_as_their_idea() -> None:
    """A file with more than 400 lines says in the list what one idea it holds, and none has over 800."""
    rows = [each for each in LONG_FILES.read_text(encoding="utf-8").splitlines() if not each.startswith("#")]
    listed = {name for name, _, idea in (row.partition(": ") for row in rows) if idea}
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    long = {path.relative_to(SRC).as_posix() for path, lines in lengths.items() if lines > LONG_FILE}
    others = (path for folder in ("examples", "tests") for path in modules(ROOT / folder))
    not_ours = tuple(OTHERS_WORK)
    lengths |= {each: len(each.read_text(encoding="utf-8").splitlines()) for each in others}

    assert listed == long
    assert [] == [
        shown(path) for path, lines in lengths.items() if lines > LONGEST_FILE and not shown(path).startswith(not_ours)
    ]


def test_functions_stay_small() -> None:
    """A function ends at 60 lines, its docstring among them."""
    too_long = {
        f"{shown(path)}:{node.lineno} {node.name}": lines
        for folder in (SRC, ROOT / "examples", ROOT / "scripts")
        for path in modules(folder)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name not in WIRING
        and (lines := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    }

    assert {} == too_long


def test_each_folder_with_code_is_a_package() -> None:
    """A folder without `__init__.py` would be invisible to the import contracts."""
    folders = {path.parent for path in modules()}

    assert [] == sorted(shown(folder) for folder in folders if not (folder / "__init__.py").is_file())


def test_each_module_says_its_rules() -> None:
    """Every module that holds code opens with a docstring."""
    silent = [shown(path) for path in modules() if tree(path).body and not ast.get_docstring(tree(path))]

    assert [] == silent
