"""Giving up what a lost key had sealed: the last resort, once no copy of the key is left.

1. Each connection whose tokens it sealed needs the person again, with the reason `key_lost`; one whose password alone
   it sealed loses that and goes on. One that was being disconnected is ended: nobody can tell the provider any more.
2. Clients of connectors, pending revocations and pending challenges go.

Rule 1: each connection and each other thing is one step with an audit record of its own; broken off, it is begun again.
Rule 2: nothing serves meanwhile: the key is absent, so no process starts.

Source: the security design, "Cryptography".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, Event, State, advance
from keyturn.core.problems import Cause
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.ports.clock import Clock
from keyturn.ports.key_custody import LostItem, LostKeys, LostParts
from keyturn.ports.store import AuditLog

DECLARED: Final = "key.declared_lost"
AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class DeclareLost:
    """The ports that it needs."""

    lost: LostKeys
    audit: AuditLog
    clock: Clock

    async def __call__(self, key_id: str, actor: Actor) -> Mapping[str, int]:
        """Do it; returns how many things of each kind were given up."""
        counts: Counter[str] = Counter()
        while found := await self.lost.connections(key_id, limit=AT_ONCE):
            for each in found:
                counts["connections" if each.tokens else "passwords"] += await self._give_up(each, actor)

        def record(item: LostItem) -> AuditRecord:
            return AuditRecord(
                self.clock.now(),
                "connector.client_lost" if item.place.startswith("connectors.") else "secret.lost",
                actor.name,
                Cause.KEY_LOST.value,
                connector=item.connector,
                connection=item.connection,
                facts={"place": item.place, "key": key_id},
                project=item.project,
            )

        counts.update(await self.lost.give_up_others(key_id, record=record))
        facts = {"key": key_id, "given_up": dict(counts)}
        await self.audit.append([AuditRecord(self.clock.now(), DECLARED, actor.name, facts=facts)])
        return dict(counts)

    async def _give_up(self, parts: LostParts, actor: Actor) -> bool:
        now = self.clock.now()
        connection = replace(parts.connection, updated_at=now)
        action = "connection.password_lost"
        if parts.tokens:
            connection, action = without_tokens(connection, now), f"connection.{_ended_as(connection)}"
        record = connection_record(connection, now, action, actor, outcome=Cause.KEY_LOST.value)
        written = await self.lost.give_up(
            replace(connection, password_kept_at=None), tokens=parts.tokens, records=[record]
        )
        return written is not None


def without_tokens(connection: Connection, now: float) -> Connection:
    """A connection whose tokens can't be opened any more; `now`: Unix seconds."""
    if connection.state is State.DISCONNECTED:
        return connection
    gone = replace(
        connection,
        intent=None,
        expires_at=None if connection.ended else now,  # there is none left to be called with
        renews_at=None,
        refreshable=False,
        sealed_fields=(),
        failures_in_a_row=0,
    )
    if connection.state is State.DISCONNECTING:
        told = {"result": "given_up", "tries": 0, "revoked": [], "last_error": Cause.KEY_LOST.value}
        state = advance(connection.state, Event.PROVIDER_TOLD)
        return replace(gone, state=state, disconnected_at=now, revocation=told)
    return replace(gone, state=advance(connection.state, Event.GRANT_LOST), reason=Cause.KEY_LOST.value)


def _ended_as(connection: Connection) -> str:
    return "disconnected" if connection.ended else "needs_reconnect"
