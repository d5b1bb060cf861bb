"""What the house rules look at: the files of the checkout, and the product's modules as syntax trees."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "keyturn"
MADE = {
    ".git",
    ".venv",
    ".tools",
    ".cache",
    ".mypy_cache",
    ".ruff_cache",
    ".hypothesis",
    "__pycache__",
    "dist",
    "build",
}


def tracked_files() -> list[Path]:
    """List what a clone holds and what is about to be added to it; without git, everything but what is made."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listing.returncode == 0:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if not MADE & set(path.relative_to(ROOT).parts)]
    return sorted(path for path in paths if path.is_file())


def modules(under: Path = SRC) -> list[Path]:
    """List the Python files below a folder, in order."""
    return sorted(path for path in under.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def tree(path: Path) -> ast.Module:
    """Parse a module; the same tree for every rule, so nobody may change it."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def shown(path: Path) -> str:
    """Name a file as a contributor would: from the top of the checkout."""
    return path.relative_to(ROOT).as_posix()


def attribute_names(path: Path) -> Iterator[tuple[str, int]]:
    """Yield each attribute that a module reads or calls, with its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Attribute):
            yield node.attr, node.lineno


def imported_names(path: Path) -> Iterator[tuple[str, int]]:
    """Yield the full dotted name of everything that a module imports, with its line."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
