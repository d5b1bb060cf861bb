"""How names are searched by their first letters, the same on every database.

Rule: of letters only A to Z count as a to z; what else is a capital differs from database to database.
"""

from __future__ import annotations

from typing import Final

_LOWER: Final = {ord(each): each.lower() for each in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def ascii_lower(text: str) -> str:
    """The text with a to z for A to Z, and nothing else changed."""
    return text.translate(_LOWER)
