"""Names for requests: what a caller quotes and what the log is searched for.

Rule 1: a request id is made here, never taken from a caller: a log line cannot be forged or made to collide.
"""

from __future__ import annotations

from itertools import count

from keyturn.ports.clock import Entropy


class RequestIds:
    """Makes ids that are unique without drawing lots for each: a random part of the process, and a number."""

    def __init__(self, entropy: Entropy) -> None:
        self._process = entropy.identifier("req").encode("ascii") + b"_"
        self._number = count(1)

    def next(self) -> bytes:
        """The next id, in ASCII."""
        return b"%b%x" % (self._process, next(self._number))
