"""Who may see a secret stands in a list, `reveal_callers.txt`."""

from __future__ import annotations

from pathlib import Path

from tests.house.sources import SRC, attribute_names, modules

LIST = Path(__file__).with_name("reveal_callers.txt")


def test_only_the_listed_files_reveal_a_secret() -> None:
    """A new caller of reveal() is a design decision; a line that no longer holds is a lie."""
    listed = LIST.read_text(encoding="utf-8").split()
    callers = [
        path.relative_to(SRC).as_posix()
        for path in modules()
        if any(name == "reveal" for name, _ in attribute_names(path))
    ]

    assert sorted(listed) == callers
