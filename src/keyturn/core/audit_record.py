"""What happened, as the audit log and a connection's timeline keep it; never a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One fact: who did what to what, and how it ended.

    `at`: Unix seconds. `action`: `object.verb` such as `connection.renewed`. `actor`: `key:<id>`, `session:<id>`,
    `scheduler`, `operator`. `outcome`: `ok`, a code of the register, or `unknown`. `facts`: plain JSON of safe parts.
    """

    at: float
    action: str
    actor: str
    outcome: str = "ok"
    connector: str | None = None
    connection: str | None = None
    owner: str | None = None
    request_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    project: str = "default"
