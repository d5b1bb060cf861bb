"""Taking, ending and opening the rows of challenges; each write says "if the row is still as I read it".

Rule: what came of a login is written whatever it takes, a few times; where it can't be, the row runs into its time
and reads as failed, though the connection exists.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import ChallengeExpired, KeyturnError, NotFound, StoreUnavailable
from keyturn.core.renewal.retry import back_off_s
from keyturn.engine.actor import Actor
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Connected
from keyturn.engine.login.under_way import UnderWay, resumed
from keyturn.engine.published import PublishedConnectors
from keyturn.ports.challenges import ChallengeRow, ChallengeState, ChallengeStore
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import RevisionConflict

LOST_AFTER_S: Final = 180.0  # a request of 30 s, a test of 30 s, waiting for a step, and the writes
WRITE_TRIES: Final = 4

log = structlog.get_logger("keyturn.challenges")


@dataclass(frozen=True, slots=True)
class ChallengeRows:
    """The ports that this needs."""

    challenges: ChallengeStore
    published: PublishedConnectors
    clock: Clock
    entropy: Entropy

    async def of_holder(self, challenge_id: str, holder: str, project: str) -> ChallengeRow:
        """The row; NotFound where there is none, or another began the login."""
        row = await self.challenges.load(challenge_id, project=project)
        if row is None or row.holder != holder:
            raise NotFound("There is no such challenge.")
        return row

    async def resume(self, row: ChallengeRow, actor: Actor) -> UnderWay:
        """The login of a row; ChallengeExpired where it was wiped, or its connector is gone."""
        opened = await self.challenges.open(row.id, project=row.project)
        if opened is None or opened[1] is None:
            raise ChallengeExpired
        try:
            connector = await self.published.version(row.connector, row.connector_version, project=row.project)
        except NotFound:
            raise ChallengeExpired from None
        client = await self.published.client(connector, project=row.project)
        actor = replace(actor, request_id=actor.request_id or row.facts.get("request_id"))
        return resumed(row, opened[1], connector, client, actor)

    async def end(
        self, row: ChallengeRow, result: Connected | Challenged | KeyturnError, *, record: AuditRecord | None = None
    ) -> ChallengeRow | None:
        """Write what came of a login and destroy what was sealed; None where another wrote the row first."""
        ended = replace(row, due_at=None, state=ChallengeState.DONE, error=None)
        match result:
            case Connected():
                ended = replace(ended, connection=result.connection.id)
            case Challenged():
                ended = replace(ended, successor=result.id)
            case _:
                ended = replace(ended, state=ChallengeState.FAILED, error=result.code)
        records = [record] if record is not None else []
        for failures in range(1, WRITE_TRIES + 1):
            try:
                return await self.challenges.save(ended, wipe=True, records=records)
            except RevisionConflict:
                return None
            except StoreUnavailable:
                if failures < WRITE_TRIES:
                    await self.clock.sleep(back_off_s(failures, fraction=self.entropy.fraction()))
        log.warning("challenge_not_ended", connector=row.connector)
        return None

    def record(self, row: ChallengeRow, action: str, *, outcome: str = "ok", **facts: Any) -> AuditRecord:
        """An audit record about a row whose login is not at hand."""
        return AuditRecord(
            self.clock.now(),
            action,
            row.holder,
            outcome=outcome,
            connector=row.connector,
            connection=row.facts.get("reconnects"),
            owner=row.owner,
            request_id=row.facts.get("request_id"),
            facts={"challenge": row.id, "place": row.place, **facts},
            project=row.project,
        )
