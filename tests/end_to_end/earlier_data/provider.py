"""The provider of data that an earlier release wrote: always at the same address, with the grants of then.

Rule: the address stands in the connectors of that data. It is one that nothing else on a machine uses.
"""

from __future__ import annotations

import json
import threading
from pathlib import Path

from tests.end_to_end.scripted.provider import PASSWORD, Scripted, _Connection, _Listener

ADDRESS = ("127.77.0.21", 18021)
ACCOUNTS = ("sound", "ended", "unknown", "sent", "sent-stable", "sent-kept", "gone", "paused", "troubled")


class Remembering(Scripted):
    """A provider that can be written down and taken up again."""

    def __init__(self) -> None:
        super().__init__()
        self.close()
        self._server = _Listener(ADDRESS, _Connection)
        self._server.provider = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.accounts = {name: (PASSWORD, f"id-{name}") for name in ACCOUNTS}

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{ADDRESS[0]}:{ADDRESS[1]}"

    def write_down(self, path: Path) -> None:
        """Write its grants to a file."""
        dead = sorted(self.dead_families)
        path.write_text(json.dumps({"access": self.access, "refresh": self.refresh, "dead": dead}, indent=1) + "\n")

    def take_up(self, path: Path) -> None:
        """Go on with the grants of a file."""
        found = json.loads(path.read_text())
        self.access = {token: tuple(row) for token, row in found["access"].items()}
        self.refresh = {token: tuple(row) for token, row in found["refresh"].items()}
        self.dead_families = set(found["dead"])
