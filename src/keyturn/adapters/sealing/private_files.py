"""Files that hold keys or sealed values: the owner's alone, and whole or not at all.

Rule 1: a file is written and synced beside its place, and only then put there, so that no crash leaves half of one.
Rule 2: its directory is synced too: without that a power cut may forget the name of a file that was synced.
Rule 3: what a killed process left beside a place is removed later: it may hold a key that the operator destroys
elsewhere. It is left alone while another process may still be writing it.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

LEFT_AFTER_S: Final = 60.0
_RANDOM: Final = "[0-9a-f]" * 16


def write_beside(path: Path, content: bytes) -> Path:
    """Write a new file (0600, synced) under a hidden name beside `path`, and return that name."""
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")  # `remove_left` knows this name
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    return beside


def replace_file(path: Path, content: bytes) -> None:
    """Put a file in its place, over one that may be there."""
    beside = write_beside(path, content)
    try:
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make what was added to or removed from a directory outlive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_left(folder: Path, names: str) -> None:
    """Remove files that a killed process wrote beside their place, once they are `LEFT_AFTER_S` seconds old.

    Files that can't be removed stay; the next call tries again.

    Args:
        folder: the directory of the places.
        names: a glob pattern of the names that the files were written for.
    """
    written_before = time.time() - LEFT_AFTER_S
    for path in folder.glob(f".{names}.{_RANDOM}"):
        with suppress(OSError):
            if path.stat().st_mtime < written_before:
                path.unlink()
