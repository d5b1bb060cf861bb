"""What becomes of a connection that can't be opened or read: it is ended and replaced all the same (I19)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keyturn.core.connection import Connection

# What is said where the provider could not be told, because nobody can open what it gave.
NOT_POSSIBLE: Final = "not_possible"


def above(written: Connection, shown: Connection) -> Connection:
    """Number what is written over an unreadable row so that it is newer than whatever stood there.

    Numbers that could not be read come as 0. Then the time is taken, which is above any number that was counted up to.
    """
    later = int(written.updated_at)
    return replace(
        written,
        revision=shown.revision or later,
        generation=written.generation if shown.generation else later,
        created_at=shown.created_at or written.updated_at,
    )
