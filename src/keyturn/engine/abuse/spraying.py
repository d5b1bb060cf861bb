"""One password tried on many accounts: seen by what was refused, and held before the provider hears more of it.

Rule 1: who is counted is the connector, and the key, owner or address that a login comes from.
Rule 2: whoever is held is told how long; the operator is told once, by an audit record and a line in the log.
Rule 3: renewals with a kept password are none of this: there each account has a connection.

Source: the threat model, L2.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog

from keyturn.core.access.spraying import Watched
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import KeyturnError, LoginSpraying
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.actor import Actor
from keyturn.ports.access.abuse import Held, LoginEnd, LoginWatch, Source
from keyturn.ports.clock import Clock
from keyturn.ports.store import AuditLog, LoginLedger

ACTION: Final = "login.spraying"
WAIT_FOR_OTHERS_S: Final = 35.0  # no login takes longer than its 30 s
POLL_S: Final = 0.1
KEY: Final = "key:"

_REFUSED: Final = frozenset(
    {SendOutcome.REJECTED, SendOutcome.BLOCKED, SendOutcome.UNCLASSIFIED, SendOutcome.UNCLASSIFIED_SUCCESS}
)

log = structlog.get_logger("keyturn.abuse")


@dataclass(frozen=True, slots=True)
class Tried:
    """A login as it is counted: which account of which connector, for which owner."""

    connector: str
    host: str
    username: str = field(repr=False)
    owner: str
    project: str = "default"


@dataclass(frozen=True, slots=True)
class Admitted:
    """A login that may be sent, as it was booked."""

    sources: Sequence[Source]
    account: str


@dataclass(frozen=True, slots=True)
class Spraying:
    """The ports that this needs."""

    watch: LoginWatch
    ledger: LoginLedger
    audit: AuditLog
    clock: Clock

    async def admit(self, tried: Tried, actor: Actor) -> Admitted:
        """Book a login before it is sent; waits where those under way decide.

        Raises:
            LoginSpraying: with the seconds until one more is allowed.
        """
        username = tried.username.strip().lower()
        account = await self.ledger.account_key(tried.connector, tried.host, username, project=tried.project)
        sources = await self._sources(tried, actor)
        deadline = self.clock.monotonic() + WAIT_FOR_OTHERS_S
        while True:
            found = await self.watch.admit(sources, account, now=self.clock.now())
            if isinstance(found, Held):
                await self._tell(found, tried, actor)
                raise LoginSpraying(retry_after_s=found.wait_s)
            if found:
                return Admitted(sources, account)
            if self.clock.monotonic() >= deadline:
                raise LoginSpraying(retry_after_s=POLL_S)
            await self.clock.sleep(POLL_S)

    async def end(self, admitted: Admitted, outcome: SendOutcome | None) -> None:
        """Say how it ended, None where nothing was sent; no answer of the provider's hangs on it."""
        how = LoginEnd.NEITHER
        if outcome in _REFUSED:
            how = LoginEnd.REFUSED
        elif outcome is SendOutcome.TOKEN:
            how = LoginEnd.PASSED
        with suppress(KeyturnError):
            await self.watch.end(admitted.sources, admitted.account, how, now=self.clock.now())

    async def _sources(self, tried: Tried, actor: Actor) -> list[Source]:
        named = {Watched.OWNER: tried.owner, Watched.CONNECTOR: ""}
        if actor.name.startswith(KEY):
            named[Watched.API_KEY] = actor.name
        if actor.address is not None:
            named[Watched.ADDRESS] = actor.address
        return [
            Source(kind, await self.watch.source_key(tried.connector, kind, value, project=tried.project))
            for kind, value in named.items()
        ]

    async def _tell(self, held: Held, tried: Tried, actor: Actor) -> None:
        if not held.begins:
            return
        log.error("login_spraying", connector=tried.connector, by=held.kind.value, accounts=held.accounts)
        facts = {"by": held.kind.value, "accounts": held.accounts, "held_for_s": round(held.wait_s)}
        record = AuditRecord(
            self.clock.now(),
            ACTION,
            actor.name,
            outcome=LoginSpraying.code,
            connector=tried.connector,
            owner=tried.owner,
            request_id=actor.request_id,
            facts=facts,
            project=tried.project,
        )
        await self.audit.append([record])
