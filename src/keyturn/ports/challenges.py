"""Logins that wait for an answer: a code, a choice, or a confirmation on another device.

Rule 1: what the next request needs is sealed; a code is never stored, before or after it was sent.
Rule 2: a row is answered once: taking it is a compare-and-set, so of two answers at once one is sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from keyturn.core.audit_record import AuditRecord
from keyturn.core.secret import Secret


class ChallengeState(StrEnum):
    """Where a challenge stands, as callers read it."""

    WAITING = "waiting"  # for an answer
    PENDING = "pending"  # answered, or nothing to ask: the provider is being asked
    DONE = "done"  # `connection` or `successor` says what came of it
    FAILED = "failed"  # `error` says why


@dataclass(frozen=True, slots=True)
class PendingLogin:
    """What a login needs to go on after a challenge: sealed as a whole.

    `values`: what templates may name (fields, captured values), without username, password and client. `password`:
    None where no later request needs it and the person did not choose to have it kept.
    """

    username: str = field(repr=False)
    password: Secret | None = None
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)  # as they were checked


@dataclass(frozen=True, slots=True)
class ChallengeRow:
    """A challenge of one login.

    `holder`: who began the login (`key:<id>`, `session:<id>`), the only one that may read or answer it. `place`: its
    index in the connector's list. `ask`: the questions, with the choices that the provider listed, as plain JSON.
    `facts`: what else the login was begun with (keep_password, reconnects, unconfirmed …) and how polling stands, plain
    JSON without secrets. `wrong_codes`: how many were refused so far in this login. `error`: a code of the register.
    `due_at`: when the provider is asked again, for one that polls; Unix seconds, as all times.
    """

    id: str
    holder: str
    connector: str
    connector_version: int
    owner: str
    place: int
    created_at: float
    expires_at: float
    state: ChallengeState = ChallengeState.WAITING
    ask: tuple[Mapping[str, Any], ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    wrong_codes: int = 0
    error: str | None = None
    due_at: float | None = None
    connection: str | None = None
    successor: str | None = None  # the challenge that followed
    revision: int = 0
    project: str = "default"


class ChallengeStore(Protocol):
    """Challenges that wait."""

    async def add(self, row: ChallengeRow, login: PendingLogin, *, records: Sequence[AuditRecord] = ()) -> ChallengeRow:
        """Seal and add one."""
        ...

    async def load(self, challenge_id: str, *, project: str = "default") -> ChallengeRow | None:
        """Read one without opening it."""
        ...

    async def open(
        self, challenge_id: str, *, project: str = "default"
    ) -> tuple[ChallengeRow, PendingLogin | None] | None:
        """Read one and unseal it; None for a login that was wiped."""
        ...

    async def save(self, row: ChallengeRow, *, wipe: bool = False, records: Sequence[AuditRecord] = ()) -> ChallengeRow:
        """Write over the row that has `row.revision`, or raise RevisionConflict. `wipe` destroys what is sealed."""
        ...

    async def due(self, now: float, *, limit: int) -> Sequence[ChallengeRow]:
        """Those whose `due_at` is reached, longest overdue first."""
        ...

    async def purge(self, *, expired_before: float, wipe_before: float) -> int:
        """Take rows away that expired before; destroy what is sealed in those that expired before `wipe_before`."""
        ...
