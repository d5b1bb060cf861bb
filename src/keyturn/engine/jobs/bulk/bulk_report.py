"""What a bulk job tells of itself besides its counts: which connections failed, and which links it made.

Rule: it stands in the job's row, which is written every second: lists end at a thousand, and say how many more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from keyturn.engine.jobs.bulk.bulk_actions import Outcome

MOST: Final = 1000


class BulkReport:
    """Gathers outcomes; `counted` takes what has come since the last write."""

    def __init__(self, so_far: Mapping[str, Any]) -> None:
        self._failed: list[dict[str, str]] = list(so_far.get("failed", ()))
        self._sessions: list[dict[str, str]] = list(so_far.get("sessions", ()))
        self._left_off = int(so_far.get("left_off", 0))
        self._done = 0
        self._failures: Counter[str] = Counter()

    def note(self, connection_id: str, outcome: Outcome) -> None:
        """One more."""
        if outcome.code is None:
            self._done += 1
            if outcome.session is not None:
                self._add(self._sessions, {"connection": connection_id, "session": outcome.session})
            return
        self._failures[outcome.code] += 1
        self._add(self._failed, {"connection": connection_id, "code": outcome.code})

    def _add(self, rows: list[dict[str, str]], row: dict[str, str]) -> None:
        if len(rows) < MOST:
            rows.append(row)
        else:
            self._left_off += 1

    def counted(self) -> dict[str, Any]:
        """The parts of a `Progress.step`: counts since the last one, and the report as it is."""
        found = {"done": self._done, "failures": dict(self._failures), "report": self.as_json()}
        self._done, self._failures = 0, Counter()
        return found

    def as_json(self) -> dict[str, Any]:
        """`left_off`: rows that had no room."""
        report: dict[str, Any] = {"failed": list(self._failed), "left_off": self._left_off}
        if self._sessions:
            report["sessions"] = list(self._sessions)
        return report


def failed_ids(report: Mapping[str, Any]) -> tuple[str, ...]:
    """The connections that failed, as far as the report has room for them."""
    return tuple(row["connection"] for row in report.get("failed", ()))


def session_ids(report: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Connection and connect session of each link that was made."""
    return tuple((row["connection"], row["session"]) for row in report.get("sessions", ()))
