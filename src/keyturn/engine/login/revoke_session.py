"""Taking a connect link back before it has led to anything.

Rule: a login that is under way at that moment still counts: its password was sent, and what came of it is the newest
word.

Source: the interfaces, sitemap, "/links".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import NotFound, SessionUsed
from keyturn.engine.actor import Actor
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectSession, RevisionConflict, SessionStore

REVOKED: Final = "revoked"
OPEN: Final = ("open", "claimed")


@dataclass(frozen=True, slots=True)
class RevokeSession:
    """The use case and what it needs."""

    sessions: SessionStore
    clock: Clock

    async def __call__(self, session_id: str, actor: Actor, *, project: str = "default") -> ConnectSession:
        """End a session that waits for the person; its link and its page are worth nothing afterwards.

        Raises:
            NotFound. SessionUsed: it has led to something, or the person has given it up.
        """
        while True:
            session = await self.sessions.load(session_id, project=project)
            if session is None:
                raise NotFound("There is no such link.")
            if session.state == REVOKED:
                return session
            if session.state not in OPEN:
                raise SessionUsed
            record = AuditRecord(
                self.clock.now(),
                "session.revoked",
                actor.name,
                connector=session.connector,
                connection=session.reconnects,
                owner=session.owner,
                request_id=actor.request_id,
                facts={"session": session.id},
                project=project,
            )
            try:
                return await self.sessions.save(replace(session, state=REVOKED), records=[record])
            except RevisionConflict:
                continue
