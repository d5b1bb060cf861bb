"""Keeping what a provider handed out: never lost for want of a database, never over something newer.

Source: the renewal design, step 5, and its invariants I6 and I13.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, Event, IntentKind, advance
from keyturn.core.connector import Connector, Rotation
from keyturn.core.errors import KeyUnavailable, StoreUnavailable
from keyturn.core.renewal.plan import can_refresh, keeps_alive, password_usable, refresh_ends, refresh_usable
from keyturn.core.renewal.retry import back_off_s
from keyturn.core.renewal.window import kept_alive_at, renews_at
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import SCHEDULER
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.quiet_hours.quiet_times import QuietTimes
from keyturn.engine.revocation.revocation_rows import revocation_row, without_live
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import ConnectionStore, RevisionConflict, RevocationStore, SealedChange, Spill

SAME_END_S: Final = 60.0  # what a provider says in seconds from now is a little another instant each time
_LATE: Final = RevocationCause.LATE

log = structlog.get_logger("keyturn.keep")


@dataclass(frozen=True, slots=True)
class KeepTokens:
    """Writes the token set of a renewal as the next generation, whatever it takes."""

    connections: ConnectionStore
    revocations: RevocationStore
    spill: Spill
    clock: Clock
    entropy: Entropy
    quiet: QuietTimes

    async def keep(
        self,
        connection: Connection,
        token_set: TokenSet,
        connector: Connector,
        *,
        records: Sequence[AuditRecord] = (),
        replaced: TokenSet | None = None,
        sealed_fields: Mapping[str, Secret] | None = None,
        remembered: Mapping[str, Secret] | None = None,
    ) -> Connection:
        """Store the set that follows `connection.generation`, and return the connection as it then is.

        If the generation moved meanwhile, or the connection ended, the set is handed to revocation instead. While
        the database can't be written the set lies in a spill file and this goes on trying; it does not give up.

        Args:
            connection: as it was when the request was sent.
            token_set: complete: a refresh token that the answer did not repeat has been put in.
            connector: the version that the connection is pinned to.
            records: what to say in the audit log, in the same transaction.
            replaced: the token set that a login (not a refresh) replaced, to be revoked.
            sealed_fields: as they were when the request was sent, for a revocation; None: as they are now.
            remembered: what a login's answer gave for later ones. No spill file has it: the next login does without.
        """
        failures = 0
        spilled = False
        while True:
            try:
                kept = await self._try(
                    connection, token_set, connector, records, replaced, sealed_fields, remembered or {}
                )
                break
            except RevisionConflict:
                continue
            except (StoreUnavailable, KeyUnavailable):
                failures += 1
                spilled = spilled or await self._spill(connection, token_set)
                await self.clock.sleep(back_off_s(failures, fraction=self.entropy.fraction(), cap_s=10.0))
            except Exception:
                await self._spill(connection, token_set)  # a bug of ours must not cost the person's connection
                raise
        if spilled:
            await self._forget_spilled(connection.id, connection.generation)
        return kept

    async def apply_spilled(
        self, connection: Connection, token_set: TokenSet, connector: Connector, generation: int
    ) -> Connection:
        """Store a set from a spill file that follows `generation`, or revoke it if that has passed."""
        record = self._record(connection, "connection.spill_applied")
        kept = await self.keep(replace(connection, generation=generation), token_set, connector, records=[record])
        await self._forget_spilled(connection.id, generation)
        return kept

    async def _try(
        self,
        connection: Connection,
        token_set: TokenSet,
        connector: Connector,
        records: Sequence[AuditRecord],
        replaced: TokenSet | None,
        sealed_fields: Mapping[str, Secret] | None,
        remembered: Mapping[str, Secret],
    ) -> Connection:
        opened = await self.connections.open(connection.id, project=connection.project)
        if opened is None:
            await self._revoke_orphan(connection, token_set, connector, records, sealed_fields or {})
            return connection
        current, secrets = opened
        fields = secrets.fields if sealed_fields is None else sealed_fields
        if current.ended or current.generation != connection.generation:
            live = secrets.token_set
            if live is not None and live.access_token == token_set.access_token:
                return current  # this very set: it was stored, and only the word of it was lost
            told = [self._record(current, "connection.late_answer"), *records]
            late = [] if self._same_grant(connection, current, connector) else [without_live(token_set, live)]
            rows = [each for done in late for each in self._row(connector, connection, fields, done, _LATE)]
            return await self.connections.save(current, records=told, revocations=rows)
        done_with = without_live(replaced, token_set)
        old = self._row(connector, current, fields, done_with, RevocationCause.REPLACED)
        renewed, sealed = self.renewed(current, token_set, connector), SealedChange(token_set=token_set)
        if remembered:
            renewed = replace(renewed, sealed_fields=tuple(sorted({*renewed.sealed_fields, *remembered})))
            sealed = replace(sealed, fields={**secrets.fields, **remembered})
        return await self.connections.save(
            renewed,
            sealed=sealed,
            records=records,
            revocations=old,
        )

    def _same_grant(self, sent: Connection, current: Connection, connector: Connector) -> bool:
        """Whether what is live may stem from the same refresh token: to revoke one would then end both.

        A token that is good once is sent once, so that only a login can have been faster.
        """
        refreshed = sent.intent is None or sent.intent.kind is IntentKind.REFRESH
        sent_again = connector.refresh.rotation is Rotation.STABLE or connector.refresh.leeway_s > 0
        return refreshed and sent_again and not current.ended

    async def _revoke_orphan(
        self,
        connection: Connection,
        token_set: TokenSet,
        connector: Connector,
        records: Sequence[AuditRecord],
        sealed_fields: Mapping[str, Secret],
    ) -> None:
        """The connection was erased meanwhile: nothing but this process knows whose tokens these are."""
        told = [self._record(connection, "connection.late_answer"), *records]
        for row in self._row(connector, connection, sealed_fields, token_set, _LATE):
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

    async def _spill(self, connection: Connection, token_set: TokenSet) -> bool:
        try:
            await self.spill.write(connection, token_set)
        except (StoreUnavailable, KeyUnavailable):
            return False  # the disk is full as well; memory is all there is, and the loop goes on
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
