"""The core is told the time and its random numbers; it never asks for them.

The import contracts forbid the modules; what is left are the attributes of modules that the core may import.
"""

from __future__ import annotations

import ast

from tests.house.sources import SRC, attribute_names, modules, shown, tree

CLOCKS = {"now", "utcnow", "today"}
OPENERS = {"open", "print", "input", "exec", "eval", "__import__"}


def test_the_core_reads_no_clock() -> None:
    """Time comes in as a parameter, so that a test can choose it."""
    found = [
        f"{shown(path)}:{line} .{name}"
        for path in modules(SRC / "core")
        for name, line in attribute_names(path)
        if name in CLOCKS
    ]

    assert [] == found


def test_the_core_opens_nothing() -> None:
    """No built-in way out is called either: files, terminal, code made of text."""
    found = [
        f"{shown(path)}:{node.lineno} {node.func.id}()"
        for path in modules(SRC / "core")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in OPENERS
    ]

    assert [] == found
