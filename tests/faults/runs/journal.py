"""What a provider saw and did, as its journal tells it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CUT = frozenset({"reset", "hang", "lost", "hang_after", "half", "drip", "endless", "garbage"})  # nobody could read it


@dataclass(slots=True)
class Asked:
    """One request, out of its journal rows."""

    number: int
    path: str
    grant: str
    account: str
    token: str
    came: float
    outcome: str = ""
    decided: float = float("inf")
    until: float = float("inf")  # when the answer was out, or its sender gone
    fault: str = ""
    whole: bool = False  # the answer went out, and nobody had hung up
    issued: int = 0  # the serial of the set that was made for it


@dataclass(frozen=True, slots=True)
class Issued:
    """A token set."""

    serial: int
    at: float
    account: str
    family: str
    access: str
    refresh: str


@dataclass(slots=True)
class Journal:
    """What the provider saw and did."""

    asked: list[Asked] = field(default_factory=list)
    issued: list[Issued] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Read a file of rows."""
        return cls.of(map(json.loads, path.read_text().splitlines()))

    @classmethod
    def of(cls, rows: Iterable[dict[str, Any]]) -> Journal:
        """Build it of rows, oldest first; the rows are used up."""
        journal = cls()
        by_number: dict[int, Asked] = {}
        for row in rows:
            event, at = row.pop("event"), row.pop("at")
            if event == "issued":
                for_request = by_number.get(row.pop("n"))
                journal.issued.append(Issued(at=at, **row))
                if for_request is not None:
                    for_request.issued = row["serial"]
            elif event == "came":
                number = row["n"]
                by_number[number] = Asked(number, row["path"], row["grant"], row["account"], row["token"], at)
                journal.asked.append(by_number[number])
            else:
                _note(by_number[row["n"]], event, at, row)
        journal.asked.sort(key=lambda each: each.came)
        return journal

    def tokens(self, account: str, since: float, until: float) -> list[Asked]:
        """The requests for a token of one account."""
        return [
            each for each in self.asked
            if each.path == "/token" and each.account == account and since <= each.came < until
        ]  # fmt: skip

    def doubled(self) -> int:
        """How many refresh tokens came that had been answered with a token."""
        answered: set[str] = set()
        found = 0
        for each in self.asked:
            if each.path == "/token" and each.grant == "refresh_token":
                found += each.token in answered
                answered |= {each.token} if each.outcome == "token" else set()
        return found

    def carried(self, account: str) -> str:
        """The access token of an account's last call."""
        return [each.token for each in self.asked if each.path == "/api/echo" and each.account == account][-1]


def _note(asked: Asked, event: str, at: float, row: dict[str, Any]) -> None:
    if event == "decided":
        asked.decided, asked.outcome, asked.fault = at, row["outcome"], row["fault"]
        return
    if event == "hung_up" or event == "over" or row.get("whole"):
        asked.until = min(asked.until, at)
    if event == "answers":
        asked.whole = asked.fault not in CUT
    elif event == "hung_up":
        asked.whole = False
