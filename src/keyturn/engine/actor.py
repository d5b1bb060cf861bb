"""Who asks for something, as the audit log names it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """`name`: `key:<id>`, `session:<id>`, `scheduler` or `operator`. `request_id`: of the request that began it."""

    name: str
    request_id: str | None = None


SCHEDULER = Actor("scheduler")
