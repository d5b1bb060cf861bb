"""Keeping what a provider handed out: never lost for want of a database, never over something newer.

Source: the renewal design, "A renewal, in two commits", settling; its invariants I6 and I13.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Event, IntentKind, advance
from keyturn.core.connector import Connector, Rotation
from keyturn.core.errors import KeyUnavailable, StoreUnavailable
from keyturn.core.renewal.plan import can_refresh, keeps_alive, password_usable, refresh_ends, refresh_usable
from keyturn.core.renewal.retry import write_again_s
from keyturn.core.renewal.window import kept_alive_at, renews_at
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import SCHEDULER
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.observed_connections import ObservedConnections
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.renewal.unstored import Unstored
from keyturn.engine.revocation.revocation_rows import revocation_row, without_live
from keyturn.engine.stopping import Stopping
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.renewals import RenewalStore
from keyturn.ports.store import Attempt, AttemptResult, RevisionConflict, RevocationStore, SealedChange, Spill

SAME_END_S: Final = 60.0  # what a provider says in seconds from now is a little another instant each time
SPILLS_AFTER_S: Final = 3.0  # at a stop
_LATE: Final = RevocationCause.LATE

log = structlog.get_logger("keyturn.keep")


@dataclass(frozen=True, slots=True)
class Kept:
    """A token set on its way into the row.

    `claimed`: the row as it was when the request was sent, `secrets`: what it kept. `token_set`: complete: a refresh
    token that the answer did not repeat has been put in. `records`: what to say in the audit log, in the same
    transaction. `replaced`: the token set that a login (not a refresh) replaced, to be revoked. `remembered`: what a
    login's answer gave for later ones; no spill file has it: the next login does without. `booked`: the login that it
    came of, and how that ended.
    """

    claimed: Connection
    secrets: ConnectionSecrets
    token_set: TokenSet
    connector: Connector
    records: Sequence[AuditRecord] = ()
    replaced: TokenSet | None = None
    remembered: Mapping[str, Secret] = field(default_factory=dict, repr=False)
    booked: tuple[Attempt, AttemptResult] | None = None


@dataclass(frozen=True, slots=True)
class KeepTokens:
    """Writes the token set of a renewal as the next generation, whatever it takes."""

    connections: ObservedConnections
    renewals: RenewalStore
    revocations: RevocationStore
    spill: Spill
    unstored: Unstored
    clock: Clock
    entropy: Entropy
    quiet: QuietTimes
    stopping: Stopping

    async def keep(self, kept: Kept) -> Connection:
        """Store the set that follows the claimed generation, and return the connection as it then is.

        If the generation moved meanwhile, or the connection ended, the set is handed to revocation instead. While the
        database can't take it the set lies in a spill file, callers go on with it from memory, and the write is tried
        again until it succeeds.
        """
        spilled = False
        try:
            if not self.stopping.begun:
                return await self._store(kept)
            storing = asyncio.ensure_future(self._store(kept))
            if not await self._ends_in_time(storing):
                spilled = await self._spill(kept)
            stored = await storing
            if spilled:
                await self._forget_spilled(kept.claimed.id, kept.claimed.generation)
            return stored
        except (StoreUnavailable, KeyUnavailable):
            spilled = spilled or await self._spill(kept)
        except Exception:
            await self._spill(kept)  # a bug of ours must not cost the person's connection
            raise
        following = self.renewed(kept.claimed, kept.token_set, kept.connector)
        fields = {**kept.secrets.fields, **kept.remembered}
        self.unstored.hold(following, replace(kept.secrets, token_set=kept.token_set, fields=fields))
        self.connections.tell(following)
        self.unstored.go_on(self._go_on(kept, spilled=spilled), following.id, spilled=spilled)
        return following

    async def apply_spilled(
        self, connection: Connection, token_set: TokenSet, connector: Connector, generation: int
    ) -> Connection:
        """Store a set from a spill file that follows `generation`, or revoke it if that has passed.

        Raises:
            StoreUnavailable, KeyUnavailable: the file stays.
        """
        record = self._record(connection, "connection.spill_applied")
        following = replace(connection, generation=generation)
        stored = await self._store_over(Kept(following, ConnectionSecrets(), token_set, connector, [record]))
        await self._forget_spilled(connection.id, generation)
        return stored

    async def _ends_in_time(self, storing: asyncio.Future[Connection]) -> bool:
        """Whether it ended within 3 s: the process may be gone before a locked database has said no."""
        waiting = asyncio.ensure_future(self.clock.sleep(SPILLS_AFTER_S))
        try:
            both: set[asyncio.Future[Any]] = {storing, waiting}
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        return storing.done()

    async def _go_on(self, kept: Kept, *, spilled: bool) -> None:
        failures = 1
        while True:
            await self.clock.sleep(write_again_s(failures))
            try:
                await self._store_over(kept)
                break
            except (StoreUnavailable, KeyUnavailable):
                failures += 1
                spilled = spilled or await self._spill(kept)
        self.unstored.drop(kept.claimed)
        if spilled:
            await self._forget_spilled(kept.claimed.id, kept.claimed.generation)

    async def _store(self, kept: Kept) -> Connection:
        """Store it over the row as it was claimed, without reading it again; else over the row as it is."""
        claimed = kept.claimed
        old = self._replaced(kept, claimed, kept.secrets)
        renewed, sealed = self._next(kept, claimed, kept.secrets)
        try:
            return await self.renewals.settle(
                claimed, renewed, sealed=sealed, records=kept.records, revocations=old, booked=kept.booked
            )
        except RevisionConflict:
            return await self._store_over(kept)

    async def _store_over(self, kept: Kept) -> Connection:
        while True:
            found = await self.renewals.read(kept.claimed.id, project=kept.claimed.project)
            if found is None:
                await self._revoke_orphan(kept)
                return kept.claimed
            current, secrets = found.connection, found.secrets
            try:
                if current.ended or current.generation != kept.claimed.generation:
                    return await self._too_late(kept, current, secrets)
                renewed, sealed = self._next(kept, current, secrets)
                old = self._replaced(kept, current, secrets)
                return await self.renewals.settle(
                    current, renewed, sealed=sealed, records=kept.records, revocations=old, booked=kept.booked
                )
            except RevisionConflict:
                continue

    async def _too_late(self, kept: Kept, current: Connection, secrets: ConnectionSecrets) -> Connection:
        """Somebody was faster: the set is revoked, unless it is the very one that is live."""
        live, token_set = secrets.token_set, kept.token_set
        if live is not None and live.access_token == token_set.access_token:
            return current  # it was stored, and only the word of it was lost
        told = [self._record(current, "connection.late_answer"), *kept.records]
        same = self._same_grant(kept.claimed, current, kept.connector)
        late = [] if same else [without_live(token_set, live)]
        fields = kept.secrets.fields or secrets.fields
        rows = [row for done in late for row in self._row(kept.connector, kept.claimed, fields, done, _LATE)]
        return await self.connections.save(current, records=told, revocations=rows)

    def _next(self, kept: Kept, current: Connection, secrets: ConnectionSecrets) -> tuple[Connection, SealedChange]:
        renewed, sealed = self.renewed(current, kept.token_set, kept.connector), SealedChange(token_set=kept.token_set)
        if kept.remembered:
            names = tuple(sorted({*renewed.sealed_fields, *kept.remembered}))
            renewed = replace(renewed, sealed_fields=names)
            sealed = replace(sealed, fields={**secrets.fields, **kept.remembered})
        return renewed, sealed

    def _replaced(self, kept: Kept, current: Connection, secrets: ConnectionSecrets) -> list[Revocation]:
        done_with = without_live(kept.replaced, kept.token_set)
        fields = kept.secrets.fields or secrets.fields
        return self._row(kept.connector, current, fields, done_with, RevocationCause.REPLACED)

    def _same_grant(self, sent: Connection, current: Connection, connector: Connector) -> bool:
        """Whether what is live may stem from the same refresh token: to revoke one would then end both.

        A token that is good once is sent once, so that only a login can have been faster.
        """
        refreshed = sent.intent is None or sent.intent.kind is IntentKind.REFRESH
        sent_again = connector.refresh.rotation is Rotation.STABLE or connector.refresh.leeway_s > 0
        return refreshed and sent_again and not current.ended

    async def _revoke_orphan(self, kept: Kept) -> None:
        """The connection was erased meanwhile: nothing but this process knows whose tokens these are."""
        connection = kept.claimed
        told = [self._record(connection, "connection.late_answer"), *kept.records]
        for row in self._row(kept.connector, connection, kept.secrets.fields, kept.token_set, _LATE):
            await self.revocations.add(replace(row, connection=None), records=told)

    def renewed(self, current: Connection, token_set: TokenSet, connector: Connector) -> Connection:
        """The connection with this token set as its next generation."""
        ends, fixed = _refresh_end(current, token_set, connector)
        new = replace(
            current,
            state=advance(current.state, Event.TOKEN_KEPT),
            reason=None,
            generation=current.generation + 1,
            intent=None,
            token_issued_at=token_set.issued_at,
            expires_at=token_set.expires_at,
            refreshable=can_refresh(token_set, connector),
            refresh_expires_at=ends,
            refresh_end_fixed=fixed,
            last_error=None,
            last_error_at=None,
            failures_in_a_row=0,
            failing_since=None,
            last_answer={},
            retry_at=None,
            retry_asked=False,
            updated_at=self.clock.now(),
        )
        return replace(new, renews_at=self.due(new, connector))

    def due(self, connection: Connection, connector: Connector) -> float | None:
        """When something is due for the connection's token set."""
        if connection.token_issued_at is None:
            return None
        if connection.paused:
            return self.kept_alive(connection, connector)
        if connection.intent is not None:
            return self.clock.now()  # a send without an outcome is not left lying
        by_refresh = refresh_usable(connection, connector)
        due = renews_at(
            issued_at=connection.token_issued_at,
            expires_at=connection.expires_at,
            renewable=by_refresh or password_usable(connection, connector),
            fraction=self.entropy.fraction(),
            refresh_expires_at=connection.refresh_expires_at if by_refresh else None,
            with_token=connector.refresh.with_token and by_refresh,
        )
        return self.quiet.placed(connection, connector, due)

    def kept_alive(self, connection: Connection, connector: Connector) -> float | None:
        """When it is renewed though nobody uses it; None where that is left to whoever does."""
        if connection.token_issued_at is None or not keeps_alive(connection, connector, self.clock.now()):
            return None
        due = kept_alive_at(
            issued_at=connection.token_issued_at,
            expires_at=connection.expires_at,
            refresh_expires_at=connection.refresh_expires_at,
            fraction=self.entropy.fraction(),
        )
        return self.quiet.placed(connection, connector, due)

    async def _spill(self, kept: Kept) -> bool:
        try:
            await self.spill.write(kept.claimed, kept.token_set)
        except (StoreUnavailable, KeyUnavailable):
            return False  # the disk is full as well; memory is all there is, and the tries go on
        return True

    async def _forget_spilled(self, connection_id: str, generation: int) -> None:
        try:
            await self.spill.forget(connection_id, generation)
        except StoreUnavailable:
            log.warning("spill_not_forgotten", connection=connection_id)  # applied again it changes nothing

    def _row(
        self,
        connector: Connector,
        connection: Connection,
        sealed_fields: Mapping[str, Secret],
        done_with: TokenSet | None,
        cause: RevocationCause,
    ) -> list[Revocation]:
        row = revocation_row(
            connector,
            connection,
            done_with,
            cause,
            sealed_fields=sealed_fields,
            clock=self.clock,
            entropy=self.entropy,
        )
        return [row] if row else []

    def _record(self, connection: Connection, action: str) -> AuditRecord:
        return connection_record(
            connection, self.clock.now(), action, SCHEDULER, facts={"generation": connection.generation}
        )


def _refresh_end(current: Connection, token_set: TokenSet, connector: Connector) -> tuple[float | None, bool]:
    """When what renews next ends, and whether that end stays where it is however often it is renewed."""
    ends, before = refresh_ends(token_set, connector), current.refresh_expires_at
    if ends is None or before is None or current.token_issued_at is None:
        return ends, False
    passed = token_set.issued_at - current.token_issued_at
    if passed < SAME_END_S:
        return ends, current.refresh_end_fixed  # too soon after the last to tell
    fixed = ends - before < passed / 2
    return (before if fixed and abs(ends - before) <= SAME_END_S else ends), fixed
