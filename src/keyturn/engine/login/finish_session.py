"""Writing down what a page's login led to: one path for the page itself and for a login that ended by itself.

Rule: a session leads to one connection. One that was cancelled, or has led to something already, stays as it is for a
login that ends by itself; the page's own login is the newest word.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import GenerationConflict
from keyturn.engine.actor import Actor
from keyturn.engine.login.login_request import Connected
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectSession, RevisionConflict, SessionStore

CODE_LIVES_S: Final = 10 * 60.0
WRITE_TRIES: Final = 20
HOLDER: Final = "session:"


@dataclass(frozen=True, slots=True)
class FinishSession:
    """The ports that this needs."""

    sessions: SessionStore
    clock: Clock

    async def of_holder(self, holder: str, project: str) -> ConnectSession | None:
        """The session that began a login; None where no page did."""
        if not holder.startswith(HOLDER):
            return None
        return await self.sessions.load(holder.removeprefix(HOLDER), project=project)

    async def __call__(
        self,
        session: ConnectSession,
        connected: Connected,
        actor: Actor,
        *,
        code_digest: str | None = None,
        unchanged: bool = False,
    ) -> ConnectSession:
        """Write down what the login led to. The connection is stored, so a row that moved on is read again.

        `code_digest`: of the embedder's one-time code, where it is not the one that the session was claimed with.
        `unchanged`: the person chose to keep a connection that was there, and nothing was written to it.

        Raises:
            GenerationConflict: the row could not be written; the connection stands.
        """
        current: ConnectSession | None = session
        for _ in range(WRITE_TRIES):
            if current is None:
                break
            if current.connection == connected.connection.id:  # somebody else at this page was faster
                return current
            done = replace(
                current,
                state="done",
                connection=connected.connection.id,
                code_digest=code_digest or current.code_digest,
                expires_at=self.clock.now() + CODE_LIVES_S,
                facts={**current.facts, "created": connected.created, "unchanged": unchanged},
            )
            try:
                return await self.sessions.save(done, records=[self._record(done, actor)])
            except RevisionConflict:
                current = await self.sessions.load(session.id, project=session.project)
        raise GenerationConflict

    def _record(self, session: ConnectSession, actor: Actor) -> AuditRecord:
        return AuditRecord(
            self.clock.now(),
            "session.completed",
            actor.name,
            connector=session.connector,
            connection=session.connection,
            owner=session.owner,
            request_id=actor.request_id,
            facts={"session": session.id},
            project=session.project,
        )
