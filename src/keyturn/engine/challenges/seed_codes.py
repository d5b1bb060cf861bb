"""Codes of a TOTP seed that the person had kept: each step's once, and committed before the code leaves.

Rule 1: a template that names the seed's field gets the code of a step; the seed itself stands in no request.
Rule 2: a step that may have been used is not used again, by no process: the next one is waited for.

Source: the product's rules for logging in, "A TOTP seed"; RFC 6238 §5.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from keyturn.core.challenges.steps import seed_field
from keyturn.core.challenges.totp import STEP_S, code_at, starts_at, step_at
from keyturn.core.connection import State
from keyturn.core.connector import Connector
from keyturn.core.errors import GenerationConflict, RateLimited
from keyturn.core.secret import Secret
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionStore, RevisionConflict

WRITE_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class SeedCodes:
    """Hands out steps."""

    connections: ConnectionStore
    clock: Clock

    async def next_step(self, used: int | None) -> int:
        """Wait for a step that comes after `used`, 30 seconds at most.

        Raises:
            RateLimited: the clock was set back, so that it would take longer.
        """
        while used is not None and step_at(self.clock.now()) <= used:
            wait = starts_at(used + 1) - self.clock.now()
            if wait > STEP_S:
                raise RateLimited(retry_after_s=wait)
            await self.clock.sleep(wait)
        return step_at(self.clock.now())

    async def take_step(self, connection_id: str | None, used: int | None, project: str) -> int:
        """As `next_step`, and commit it to the connection that a login is for, where it exists already."""
        if connection_id is None:
            return await self.next_step(used)
        for _ in range(WRITE_TRIES):
            current = await self.connections.shown(connection_id, project=project)
            if current is None or current.ended or current.state is State.UNREADABLE:
                return await self.next_step(used)
            step = await self.next_step(max(used or 0, current.totp_step or 0))
            try:
                await self.connections.save(replace(current, totp_step=step))
            except RevisionConflict:
                continue
            return step
        raise GenerationConflict


def seed_among(connector: Connector, fields: Mapping[str, Any]) -> Secret | None:
    """The seed among a login's fields; among values that `with_code` made, its code."""
    declared = seed_field(connector)
    found = fields.get(declared.key) if declared is not None else None
    return found if isinstance(found, Secret) and found else None


def with_code(connector: Connector, values: Mapping[str, Any], step: int | None) -> dict[str, Any]:
    """The values with the seed's code in its place; without both where no step is given or there is no seed."""
    declared = seed_field(connector)
    if declared is None:
        return dict(values)
    seed = seed_among(connector, values)
    plain = {key: value for key, value in values.items() if key != declared.key}
    return plain if seed is None or step is None else {**plain, declared.key: code_at(seed, step)}
