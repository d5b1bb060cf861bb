"""The page of the standards, from docs/security/standards/*.toml.

Rule 1: a row's status says what is so, not what is meant to be: `open` and `partly` stand in the page's first list.
"""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROWS: Final = Path(__file__).resolve().parent.parent / "docs" / "security" / "standards"
STATUSES: Final = {
    "met": "met, and held by tests",
    "written": "met; the answer is written, no test holds it",
    "partly": "partly met: the answer says what is missing",
    "open": "not met yet",
    "departs": "knowingly not met, as the grant itself offends",
    "not applicable": "doesn't apply: the answer says why",
}
ORDER: Final = (
    "OWASP ASVS 5.0", "RFC 6749", "RFC 6819", "RFC 7009", "RFC 9700", "NIST SP 800-63B-4",
)  # fmt: skip
HEAD: Final = """# Standards, requirement by requirement

<!-- Made by `python -m scripts.write_pages` from docs/security/standards/*.toml; a test holds it equal. -->

Each requirement of OWASP ASVS 5.0 at levels 1 and 2, and at level 3 where it is about secrets (V11, V13.3, V14); the
security considerations of RFC 6749 (with 4.3.1), RFC 6819, RFC 7009 and RFC 9700; and what NIST SP 800-63B-4 says that
applies to a form which passes passwords on. Requirements are in our words: read the originals for theirs. This is the
maintainers' own reading; nobody else has certified it.

A named test exists, and is about the answer; it proves what it checks and no more.
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One requirement, and what is so. `level`: of ASVS, else None; `tests`: `file::function`."""

    standard: str
    id: str
    requirement: str
    status: str
    answer: str
    level: int | None = None
    tests: tuple[str, ...] = ()


def read_rows(folder: Path = ROWS) -> Sequence[Row]:
    """All rows in the order of standards and ids."""
    rows = [row for path in sorted(folder.glob("*.toml")) for row in _of_file(tomllib.loads(path.read_text("utf-8")))]
    return sorted(rows, key=lambda row: (ORDER.index(row.standard), _sortable(row.id)))


def _of_file(data: dict[str, Any]) -> list[Row]:
    known = {"id", "requirement", "status", "answer", "level", "tests"}
    assert all(set(row) <= known for row in data["row"]), "a row has a key that is none"
    return [
        Row(
            data["standard"],
            row["id"],
            row["requirement"],
            row["status"],
            row["answer"],
            row.get("level"),
            tuple(row.get("tests", ())),
        )
        for row in data["row"]
    ]


def _sortable(name: str) -> tuple[tuple[int, str], ...]:
    return tuple((int(part), "") if part.isdigit() else (0, part) for part in name.replace("-", ".").split("."))


def standards_page() -> str:
    """The page as a whole."""
    rows = read_rows()
    parts = [HEAD, *_counts(rows), *_missing(rows)]
    for standard in ORDER:
        parts += ["", f"## {standard}", "", "| id | requirement | status | answer | tests |", "|---|---|---|---|---|"]
        parts += [_line(row) for row in rows if row.standard == standard]
    return "\n".join(parts) + "\n"


def _counts(rows: Sequence[Row]) -> list[str]:
    count = Counter(row.status for row in rows)
    return ["| status | means | rows |", "|---|---|---|"] + [
        f"| {status} | {meaning} | {count[status]} |" for status, meaning in STATUSES.items()
    ]


def _missing(rows: Sequence[Row]) -> list[str]:
    lines = ["", "## What isn't met, or not wholly", ""]
    for row in rows:
        if row.status in ("open", "partly", "departs"):
            lines.append(f"- **{row.standard} {row.id}**, {row.status}: {row.requirement}. {row.answer}")
    return lines


def _line(row: Row) -> str:
    name = row.id if row.level is None else f"{row.id} (L{row.level})"
    tests = "<br>".join(f"`{test}`" for test in row.tests) or "written answer"
    return f"| {name} | {row.requirement} | {row.status} | {row.answer} | {tests} |"
