"""Two texts side by side."""

from __future__ import annotations

import time

from keyturn.engine.builder.review import MOST_EXACT, side_by_side


def test_long_texts_are_compared_in_passing() -> None:
    """Also where all their lines are the same: what a page shows keeps nobody waiting."""
    same = "#\n" * 10 * MOST_EXACT
    began = time.process_time()
    rows = side_by_side(f"a\n{same}", f"b\n{same}")

    assert ("a", "b") == (rows[1].old, rows[1].new)
    assert time.process_time() - began < 5
