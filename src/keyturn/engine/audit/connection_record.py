"""The audit record of something that was done to a connection: whose it is stands in it the same way everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.engine.actor import Actor

NONE: Final[Mapping[str, Any]] = MappingProxyType({})


def connection_record(
    connection: Connection,
    at: float,
    action: str,
    actor: Actor,
    *,
    outcome: str = "ok",
    facts: Mapping[str, Any] = NONE,
) -> AuditRecord:
    """Make one.

    Args:
        connection: what it is about; one without an id has not been stored, and the record names none.
        at: Unix seconds.
        action: `connection.verb`.
        outcome: `ok`, or a code.
        facts: plain JSON without secrets.
    """
    return AuditRecord(
        at,
        action,
        actor.name,
        outcome=outcome,
        connector=connection.connector,
        connection=connection.id or None,
        owner=connection.owner,
        request_id=actor.request_id,
        facts=facts,
        project=connection.project,
    )
