"""Connect links that nobody has opened yet, in this process's memory alone, so that one can be shown again.

Rule 1: what is stored of a link is a digest; a link that its process forgot can't be shown any more.
Rule 2: a link is forgotten when it is opened here, when it has ended, or when too many are remembered.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from keyturn.core.secret import Secret

KEPT: Final = 4096


class LinkMemory:
    """Links by session, and for each connection the session whose link repairs it."""

    def __init__(self) -> None:
        self._links: OrderedDict[str, tuple[float, str | None, str, Secret]] = OrderedDict()  # oldest first
        self._repairing: dict[str, str] = {}

    def keep(
        self, session_id: str, link: Secret, digest: str, *, until: float, now: float, repairs: str | None = None
    ) -> None:
        """Remember a link until it ends (Unix seconds); `repairs`: the connection that it is shown again for."""
        self._links.pop(session_id, None)
        self._links[session_id] = (until, repairs, digest, link)
        if repairs is not None:
            self._repairing[repairs] = session_id
        while len(self._links) > KEPT or next(iter(self._links.values()))[0] <= now:
            self.forget(next(iter(self._links)))
            if not self._links:
                break

    def link(self, session_id: str, digest: str) -> Secret | None:
        """The link of a session, if it is still the one with this digest."""
        found = self._links.get(session_id)
        return found[3] if found and found[2] == digest else None

    def repairing(self, connection_id: str) -> str | None:
        """The session whose link repairs this connection."""
        return self._repairing.get(connection_id)

    def forget(self, session_id: str) -> None:
        """Forget a link."""
        found = self._links.pop(session_id, None)
        if found and found[1] is not None and self._repairing.get(found[1]) == session_id:
            del self._repairing[found[1]]
