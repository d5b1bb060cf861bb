"""Who asks what, where."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyturn.core.renewal.isolation import RequestKind

PLACES: Final = 8  # of a host, for each class but revocations
REVOCATION_PLACES: Final = 4


@dataclass(frozen=True, slots=True)
class Asking:
    """One request to a provider, before it is sent.

    Args:
        host: where it goes.
        kind: its class.
        connector: whose places it takes.
        connection: the connection's id; of a revocation its row's. Empty for a person's login, whose answers then are
            evidence against nobody: whoever has a connect link can bring them about.
        account: of a login: the keyed hash of connector, host and user name.
        client: whose alarm holds it: connector version and client id, as one text.
        limit: how many places the connector allows itself at a host.
        project: the connection's namespace.
        harmless: sending it again would do no harm, so that it may show whether a host that hangs answers again.
    """

    host: str
    kind: RequestKind
    connector: str
    connection: str = ""
    account: str = ""
    client: str = ""
    limit: int = PLACES
    project: str = "default"
    harmless: bool = False

    @property
    def counts(self) -> bool:
        """Whether what it is told may be evidence about others."""
        return self.connection != ""
