"""What a connection brings to each of its logins: values that were made once, and what earlier logins were given.

Rule 1: both are sealed with the connection, and destroyed with it; they leave only for the provider.
Rule 2: a login that goes on with a connection uses that connection's, of the same owner and connector; any other login
makes its own. What is made is made before anything is sent.
Rule 3: what an answer doesn't give again stays as it was.

Source: the connector format, `generate` and `remember`.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from keyturn.core.answers.answer_values import extract
from keyturn.core.connector import Connector, Generator
from keyturn.core.errors import RowUnreadable, SealBroken
from keyturn.core.secret import Secret
from keyturn.core.templates import as_text
from keyturn.engine.send import Sent
from keyturn.ports.clock import Entropy
from keyturn.ports.store import ConnectionStore

_UUID_BYTES = 16
_LONGEST = 8_192  # characters of a remembered value; more is no token of a device


@dataclass(frozen=True, slots=True)
class OwnValues:
    """The ports that this needs."""

    connections: ConnectionStore
    entropy: Entropy

    async def beside(
        self, connector: Connector, *, owner: str, reconnects: str | None, project: str = "default"
    ) -> dict[str, Secret]:
        """What a login has besides the checked fields; `reconnects`: the connection that it goes on with."""
        if not connector.generate and not connector.remember:
            return {}
        kept = await self._kept(connector, owner, reconnects, project) if reconnects is not None else {}
        own = {name: kept.get(name) or self._made(how) for name, how in connector.generate.items()}
        return own | {name: kept[name] for name in connector.remember if name in kept}

    async def _kept(self, connector: Connector, owner: str, connection_id: str, project: str) -> Mapping[str, Secret]:
        try:
            opened = await self.connections.open(connection_id, project=project)
        except (RowUnreadable, SealBroken):
            return {}  # nobody knows them any more: the login makes its own
        if opened is None or opened[0].ended:
            return {}
        same = (opened[0].connector, opened[0].owner) == (connector.id, owner)
        return opened[1].fields if same else {}

    def _made(self, how: Generator) -> Secret:
        match how:
            case Generator.UUID:
                text = self.entropy.token(_UUID_BYTES)
                drawn = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
                return Secret(str(UUID(bytes=drawn, version=4)))


def own_names(connector: Connector) -> frozenset[str]:
    """The names of both: they are sealed like fields."""
    return frozenset({*connector.generate, *connector.remember})


def remembered_in(connector: Connector, sent: Sent) -> dict[str, Secret]:
    """What a successful login's last answer gave to be shown with later ones; what isn't there is left out."""
    if sent.answer is None:
        return {}
    found = {name: _text(extract(where, sent.answer, sent.body)) for name, where in connector.remember.items()}
    return {name: value for name, value in found.items() if value is not None}


def _text(value: Any) -> Secret | None:
    text = as_text(value)
    return Secret(text) if isinstance(text, str) and 0 < len(text) <= _LONGEST else None
