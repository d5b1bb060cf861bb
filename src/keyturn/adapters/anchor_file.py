"""The file, outside the database, in which heads of the audit log are written down.

Rule 1: lines are only ever added, and synced; the best place is one that the server can't write over (another machine,
a volume that only takes appends).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from keyturn.core.audit.checkpoint import Checkpoint, checkpoint_in
from keyturn.core.errors import AuditUnavailable

_LONGEST_LINE: Final = 4096  # a head has about 400 bytes


class JsonAnchorFile:
    """Promises: the port's `AnchorFile`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def append(self, head: Checkpoint) -> None:
        """Add one."""
        await asyncio.to_thread(self._append, head.line().encode("ascii"))

    async def read(self) -> Sequence[Checkpoint]:
        """All of them; none where there is no file yet."""
        return await asyncio.to_thread(read_anchors, self._path)

    async def newest(self) -> Checkpoint | None:
        """The last one; None where there is none yet."""
        return await asyncio.to_thread(self._newest)

    def _newest(self) -> Checkpoint | None:
        try:
            with self._path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - _LONGEST_LINE))
                lines = [each for each in file.read().splitlines() if each.strip()]
            return checkpoint_in(json.loads(lines[-1])) if lines else None
        except FileNotFoundError:
            return None
        except OSError as error:
            raise AuditUnavailable(f"the anchor file can't be read: {error.strerror}") from None
        except (ValueError, TypeError, RecursionError):
            raise AuditUnavailable("the last line of the anchor file is no signed head") from None

    def _append(self, line: bytes) -> None:
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise AuditUnavailable(f"the anchor file can't be written: {error.strerror}") from None


def read_anchors(path: Path) -> list[Checkpoint]:
    """Read the heads in a file; none where there is no file.

    Raises:
        AuditUnavailable: the file can't be read, or a line of it is no checkpoint.
    """
    found = []
    try:
        with path.open("rb") as file:
            for line in file:
                if line.strip():
                    found.append(checkpoint_in(json.loads(line)))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise AuditUnavailable(f"the anchor file can't be read: {error.strerror}") from None
    except (ValueError, TypeError, RecursionError):
        raise AuditUnavailable(f"line {len(found) + 1} of the anchor file is no signed head") from None
    return found
