"""Tests that can't fail, or don't run, promise nothing."""

from __future__ import annotations

import ast

from tests.house.sources import ROOT, attribute_names, modules, shown, tree

WAYS_NOT_TO_RUN = {"skip", "skipif", "skipIf", "skipUnless", "xfail", "importorskip"}
OTHERS_WORK = "tests/peers/"


def test_no_test_is_skipped() -> None:
    """A test that needs something brings it along, or is run by a target of its own."""
    found = [
        f"{shown(path)}:{line} {name}"
        for path in modules(ROOT / "tests")
        if not shown(path).startswith(OTHERS_WORK)
        for name, line in attribute_names(path)
        if name in WAYS_NOT_TO_RUN
    ]

    assert [] == found


def test_each_test_asserts_something() -> None:
    """A test without an assertion only shows that nothing was raised, and says so by `pytest.raises`."""
    silent = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in modules(ROOT / "tests")
        if path.name.startswith("test_") and not shown(path).startswith(OTHERS_WORK)
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        if not any(
            isinstance(inner, ast.Assert | ast.With | ast.AsyncWith) or is_check(inner) for inner in ast.walk(node)
        )
    ]

    assert [] == silent


def is_check(node: ast.AST) -> bool:
    """Tell whether a node calls a function whose name says that it asserts."""
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
    return str(name).startswith(("assert_", "check_", "expect_"))
