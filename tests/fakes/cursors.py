"""Cursors of the in-memory lists."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from keyturn.core.errors import Finding, ValidationFailed

Item = TypeVar("Item")


def page_of(rows: Sequence[tuple[str, Item]], cursor: str | None, limit: int) -> tuple[tuple[Item, ...], str | None]:
    """Cut one page out of rows that are in order; a row's key is the cursor that stands before it.

    Raises:
        ValidationFailed: the cursor names no row.
    """
    keys = [key for key, _ in rows]
    if cursor is not None and cursor not in keys:
        raise ValidationFailed(errors=[Finding("/cursor", "invalid", "this is no cursor of this list")])
    start = 0 if cursor is None else keys.index(cursor)
    following = keys[start + limit] if start + limit < len(keys) else None
    return tuple(item for _, item in rows[start : start + limit]), following
