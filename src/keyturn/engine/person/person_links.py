"""Links by which the person whose account is connected sees one connection and ends it.

Rule 1: a link is good for that alone: it logs nobody in, and shows no secret. Looking changes nothing.
Rule 2: stored are digests; a stolen database opens no link. Nothing in the row names anybody.
Rule 3: a link ends by its time, when links of the connection are taken back, and when the connection becomes another
account's. A connection that has ended can still be looked at, to see what came of it.
Rule 4: the link that a browser gets behind its login is derived from that browser's cookie: asked for again, it is the
same one.

Source: the interfaces, sitemap, "/my/{token}".
"""

from __future__ import annotations

import base64
import hmac
from dataclasses import dataclass
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.core.errors import ConnectionDisconnected, Finding, NotFound, SessionExpired, ValidationFailed
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.login.connect_sessions import digest_of
from keyturn.engine.revocation.disconnect import Disconnect
from keyturn.ports.access.person_links import PersonLink, PersonLinkStore
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import ConnectionStore, ConnectSession

DAY_S: Final = 86_400.0
SENT_LIVES_S: Final = 7 * DAY_S  # of a link that somebody asked for, to be sent to the person
LONGEST_LIVES_S: Final = 366 * DAY_S
KEPT_LIVES_S: Final = 365 * DAY_S  # of the link that the person takes along after the login


@dataclass(frozen=True, slots=True)
class OpenPersonLink:
    """A link that was made just now, to be shown once. `expires_at`: Unix seconds."""

    url: Secret
    expires_at: float


@dataclass(frozen=True, slots=True)
class PersonLinks:
    """The use case and what it needs."""

    links: PersonLinkStore
    connections: ConnectionStore
    end: Disconnect
    clock: Clock
    entropy: Entropy
    public_url: str

    async def make(
        self, connection_id: str, actor: Actor, *, expires_at: float | None = None, project: str = "default"
    ) -> OpenPersonLink:
        """Make a link to be sent to the person; good for 7 days where no end is given, for 366 at most.

        Raises:
            NotFound, ConnectionDisconnected. ValidationFailed: the end is past, or too far off.
        """
        now = self.clock.now()
        ends = now + SENT_LIVES_S if expires_at is None else expires_at
        if not now < ends <= now + LONGEST_LIVES_S:
            message = "This is a time between now and 366 days from now."
            raise ValidationFailed(errors=[Finding("/expires_at", "invalid", message)])
        connection = await self._living(connection_id, project)
        token = self.entropy.token(32)
        await self._add(connection, token, ends, actor)
        return OpenPersonLink(self._url(token), ends)

    async def of_browser(self, session: ConnectSession, cookie: str, *, request_id: str | None = None) -> str:
        """The path of the link for the browser whose login led to a connection; made when it is first asked for.

        Raises:
            NotFound: the session has led to nothing. ConnectionDisconnected.
        """
        if session.connection is None:
            raise NotFound
        connection = await self._living(session.connection, session.project)
        mac = hmac.digest(cookie.encode("utf-8", "surrogatepass"), f"person link of {session.id}".encode(), "sha256")
        token = base64.urlsafe_b64encode(mac).rstrip(b"=").decode("ascii")
        actor = Actor(f"session:{session.id}", request_id)
        await self._add(connection, token, self.clock.now() + KEPT_LIVES_S, actor)
        return f"/my/{token}"

    async def look(self, token: str) -> tuple[PersonLink, Connection]:
        """The link and its connection; looking changes nothing.

        Raises:
            NotFound: no such link, or the connection is gone or has become another account's. SessionExpired.
        """
        link = await self.links.find(digest_of(token))
        if link is None:
            raise NotFound
        if self.clock.now() >= link.expires_at:
            raise SessionExpired
        connection = await self.connections.shown(link.connection, project=link.project)
        if connection is None or not hmac.compare_digest(link.account_digest, _account_digest(token, connection)):
            raise NotFound
        return link, connection

    async def disconnect(self, token: str, *, request_id: str | None = None) -> Connection:
        """End the connection, as `Disconnect` does; one that is ended already comes back as it is.

        Raises: as `look`, and StoreUnavailable, KeyUnavailable.
        """
        link, connection = await self.look(token)
        try:
            return await self.end(connection.id, Actor(f"person_link:{link.id}", request_id), project=link.project)
        except ConnectionDisconnected:
            return await self.connections.shown(connection.id, project=link.project) or connection

    async def take_back(self, connection_id: str, actor: Actor, *, project: str = "default") -> int:
        """Take all links of a connection back; returns how many there were. NotFound."""
        connection = await self.connections.shown(connection_id, project=project)
        if connection is None:
            raise NotFound("There is no such connection.")
        record = self._record(connection, "connection.person_links_taken_back", actor)
        return await self.links.remove_of(connection_id, records=[record], project=project)

    async def _living(self, connection_id: str, project: str) -> Connection:
        connection = await self.connections.shown(connection_id, project=project)
        if connection is None:
            raise NotFound("There is no such connection.")
        if connection.ended:
            raise ConnectionDisconnected
        return connection

    async def _add(self, connection: Connection, token: str, ends: float, actor: Actor) -> None:
        link = PersonLink(
            id=self.entropy.identifier("pl"),
            digest=digest_of(token),
            account_digest=_account_digest(token, connection),
            connection=connection.id,
            created_at=self.clock.now(),
            expires_at=ends,
            created_by=actor.name,
            project=connection.project,
        )
        record = self._record(connection, "connection.person_link_made", actor, link=link.id)
        await self.links.add(link, records=[record])

    def _url(self, token: str) -> Secret:
        return Secret(f"{self.public_url}/my/{token}")

    def _record(self, connection: Connection, action: str, actor: Actor, **facts: str) -> AuditRecord:
        return connection_record(connection, self.clock.now(), action, actor, facts=facts)


def _account_digest(token: str, connection: Connection) -> str:
    """What ties a link to an account; without the token nobody can test a guess at the account."""
    return digest_of(f"{len(token)}:{token}:{connection.unique_id}")
