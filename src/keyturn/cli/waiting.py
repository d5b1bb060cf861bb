"""A line that says what is waited for and how long, while somebody looks at it.

Rule 1: it is no data: it stands on standard error, moves only on a terminal, and is gone afterwards.
Rule 2: whoever stops waiting reads how to go on; the login itself is not stopped.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final, Self

from keyturn.cli.output import one_line, tell, write_styled

_TURNS: Final = "|/-\\"


class Waiting:
    """Shows that something is waited for, within a `with`."""

    def __init__(self, what: str, challenge: str) -> None:
        """`what`: a noun; `challenge`: the id with which one can go on."""
        self._what = what
        self._challenge = one_line(challenge)
        self._moves = sys.stderr.isatty()
        self._turn = 0

    def __enter__(self) -> Self:
        return self

    def show(self, seconds_left: float) -> None:
        """Say it, with the time that is left; without a terminal once."""
        said = f"Waiting for {self._what}, for up to {round(seconds_left)} s more."
        if self._moves:
            sys.stderr.write(f"\r\x1b[K{_TURNS[self._turn % len(_TURNS)]} {said}")
            sys.stderr.flush()
        elif self._turn == 0:
            tell(said)
        self._turn += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._moves and self._turn:
            write_styled("\r\x1b[K", stream=sys.stderr)
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            tell(f"The login goes on; to see what came of it: keyturn connection answer {self._challenge}")
