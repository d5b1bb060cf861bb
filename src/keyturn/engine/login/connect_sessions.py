"""Connect links and the pages behind them: who may open one, what it leads to, and whose the result is.

Rule 1: what is stored are digests; neither a stolen database nor a log opens a page or confirms a connection.
Rule 2: a link is claimed once, by POST; from then on the browser's own cookie is what counts.
Rule 3: with a return URL a connection that is new, or that took no calls before the login, stays unconfirmed until the
embedder's backend exchanges the one-time code; a reconnect link is no way around that.
Rule 4: a login that a challenge stopped leaves the session as it is; `finish` ends it once the challenge has led to a
connection, whoever asks first.
Rule 5: a session with an origin is opened in a popup, whose pages tell that one origin how it ends, and nothing else.
Rule 6: the code is derived from the browser's cookie: the page behind a login can be shown again, by any process and
after a restart, though only the code's digest is stored.

Source: the product, "Account planting"; the threat model, L3.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, State
from keyturn.core.errors import (
    ConnectionDisconnected,
    Finding,
    GenerationConflict,
    NotFound,
    ReturnUrlNotAllowed,
    SessionExpired,
    SessionUsed,
    ValidationFailed,
)
from keyturn.core.field_values import check_owner
from keyturn.core.secret import Secret
from keyturn.core.urls.return_urls import origin_allowed, origin_of, return_url_allowed
from keyturn.engine.actor import Actor
from keyturn.engine.login.answer_challenge import Challenges
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.connect import Connect
from keyturn.engine.login.link_memory import LinkMemory
from keyturn.engine.login.login_request import Connected, LoginRequest
from keyturn.engine.login.revoke_session import REVOKED
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.keep import KeepTokens
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import ConnectionStore, ConnectSession, RevisionConflict, SessionStore

LINK_LIVES_S: Final = 30 * 60.0
PAGE_LIVES_S: Final = 15 * 60.0
SHOWN_AGAIN_FOR_S: Final = 10 * 60.0  # a reconnect link that ends sooner is no use to somebody who gets it now
WRITE_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class SessionRequest:
    """What an embedder asks a link for.

    `reconnects`: repair this connection instead of making one. `origin`: of the page that opens the link in a popup.
    """

    connector: str
    owner: str
    return_url: str | None = None
    app_name: str = ""
    owner_label: str = ""
    reconnects: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class OpenLink:
    """A session and the link that opens it, to be shown once."""

    session: ConnectSession
    url: Secret


@dataclass(frozen=True, slots=True)
class Finished:
    """What the person's login led to, and the one-time code for the embedder where it has a return URL."""

    connected: Connected
    session: ConnectSession
    code: Secret | None


class ConnectSessions:
    """Makes links, lets one browser in, logs in for it, and confirms the result."""

    def __init__(
        self,
        sessions: SessionStore,
        connections: ConnectionStore,
        published: PublishedConnectors,
        connect: Connect,
        challenges: Challenges,
        keep_tokens: KeepTokens,
        clock: Clock,
        entropy: Entropy,
        public_url: str,
        return_origins: frozenset[str] = frozenset(),
    ) -> None:
        """`return_origins`: where people may be sent back to, and which windows are told; none: wherever is safe."""
        self._sessions = sessions
        self._connections = connections
        self._published = published
        self._connect = connect
        self._challenges = challenges
        self._keep_tokens = keep_tokens
        self._clock = clock
        self._entropy = entropy
        self._public_url = public_url
        self._return_origins = return_origins
        self._links = LinkMemory()
        self._one_by_one = asyncio.Lock()

    async def create(self, request: SessionRequest, actor: Actor) -> OpenLink:
        """Make a session and its link, good for 30 minutes.

        Raises:
            NotFound, ConnectorNotPublished, ConnectorClientMissing: nobody could connect with it.
            ReturnUrlNotAllowed, ValidationFailed.
        """
        errors = check_owner(request.owner)
        for name, text, most in (("app_name", request.app_name, 100), ("owner_label", request.owner_label, 200)):
            if len(text) > most or not text.isprintable():
                message = f"This has at most {most} characters and no control characters."
                errors.append(Finding(f"/{name}", "invalid", message))
        if request.origin is not None and not (origin_allowed(request.origin) and self._listed(request.origin)):
            message = "This is an https origin, such as https://app.example, or an http one on loopback."
            if origin_allowed(request.origin):
                message = "This origin is none of those that KEYTURN_RETURN_ORIGINS names."
            errors.append(Finding("/origin", "invalid", message))
        if errors:
            raise ValidationFailed(errors=errors)
        if request.return_url is not None and not return_url_allowed(request.return_url):
            raise ReturnUrlNotAllowed
        if request.return_url is not None and not self._listed(origin_of(request.return_url)):
            raise ReturnUrlNotAllowed("Its origin is none of those that KEYTURN_RETURN_ORIGINS names.")
        newest = await self._published.newest(request.connector)
        await self._published.client(newest.connector)
        link = self._entropy.token(32)
        now = self._clock.now()
        session = ConnectSession(
            id=self._entropy.identifier("cs"),
            connector=request.connector,
            owner=request.owner,
            link_digest=digest_of(link),
            created_at=now,
            expires_at=now + LINK_LIVES_S,
            return_url=request.return_url,
            app_name=request.app_name.strip(),
            owner_label=request.owner_label.strip(),
            reconnects=request.reconnects,
            created_by=actor.name,
            facts={} if request.origin is None else {"origin": request.origin},
        )
        await self._sessions.add(session, records=[self._record(session, "session.created", actor)])
        plain_repair = not (request.return_url or request.app_name or request.owner_label or request.origin)
        return self._opened_by(session, link, repairs=request.reconnects if plain_repair else None)

    async def reconnect_link(
        self,
        connection_id: str,
        actor: Actor,
        *,
        return_url: str | None = None,
        app_name: str = "",
        owner_label: str = "",
        origin: str | None = None,
    ) -> OpenLink:
        """A link that repairs this connection; where nothing special is asked for, the one that nobody opened yet.

        Raises:
            NotFound, ConnectionDisconnected; as `create`.
        """
        connection = await self._connections.shown(connection_id)
        if connection is None:
            raise NotFound("There is no such connection.")
        if connection.ended:
            raise ConnectionDisconnected
        request = SessionRequest(
            connection.connector, connection.owner, return_url, app_name, owner_label, connection_id, origin
        )
        if return_url is not None or app_name or owner_label or origin is not None:
            return await self.create(request, actor)
        async with self._one_by_one:  # five hundred callers that find a token ended get one link
            return await self._unclaimed(connection_id) or await self.create(request, actor)

    async def link_again(self, session_id: str, actor: Actor) -> OpenLink | None:
        """The link of a session once more, for who asked for it; None where it can't be opened any more.

        A process that did not make the link can't know it; then the session gets a fresh one and the old one dies.
        """
        session = await self._sessions.load(session_id)
        if session is None or session.state != "open" or self._clock.now() >= session.expires_at:
            return None
        known = self._links.link(session_id, session.link_digest)
        if known is not None:
            return OpenLink(session, known)
        link = self._entropy.token(32)
        fresh = replace(session, link_digest=digest_of(link))
        try:
            saved = await self._sessions.save(fresh, records=[self._record(session, "session.link_renewed", actor)])
        except RevisionConflict:
            return None
        return self._opened_by(saved, link)

    async def _unclaimed(self, connection_id: str) -> OpenLink | None:
        """The link that repairs this connection, if this process made one that lives long enough to be sent."""
        session_id = self._links.repairing(connection_id)
        session = await self._sessions.load(session_id) if session_id else None
        known = self._links.link(session.id, session.link_digest) if session else None
        if session is None or known is None or session.state != "open":
            return None
        return OpenLink(session, known) if self._clock.now() + SHOWN_AGAIN_FOR_S <= session.expires_at else None

    def _listed(self, origin: str) -> bool:
        return not self._return_origins or origin in self._return_origins

    def _opened_by(self, session: ConnectSession, link: str, *, repairs: str | None = None) -> OpenLink:
        url = Secret(f"{self._public_url}/c/{link}")
        now, digest = self._clock.now(), session.link_digest
        self._links.keep(session.id, url, digest, until=session.expires_at, now=now, repairs=repairs)
        return OpenLink(session, url)

    async def look(self, link: str) -> ConnectSession:
        """The session of a link that can still be claimed; opening the page changes nothing.

        Raises:
            NotFound, SessionExpired, SessionUsed.
        """
        session = await self._sessions.find_link(digest_of(link))
        if session is None:
            raise NotFound("There is no such link.")
        if session.state == REVOKED:
            raise SessionExpired
        if session.state != "open":
            raise SessionUsed
        if self._clock.now() >= session.expires_at:
            raise SessionExpired
        return session

    async def claim(self, link: str, *, request_id: str | None = None) -> tuple[ConnectSession, Secret]:
        """Let the browser that posts this in, once; returns the session and the cookie's value.

        Raises:
            NotFound, SessionExpired, SessionUsed.
        """
        session = await self.look(link)
        cookie = self._entropy.token(32)
        claimed = replace(
            session,
            state="claimed",
            browser_digest=digest_of(cookie),
            # Known from now on: a login may end by itself, when no browser is there to show its cookie.
            code_digest=digest_of(_code_of(session, cookie)) if session.return_url is not None else None,
            expires_at=self._clock.now() + PAGE_LIVES_S,
        )
        try:
            actor = Actor(f"session:{session.id}", request_id)
            saved = await self._sessions.save(claimed, records=[self._record(session, "session.claimed", actor)])
        except RevisionConflict:
            raise SessionUsed from None
        self._links.forget(session.id)
        return saved, Secret(cookie)

    async def of_browser(self, session_id: str, cookie: str | None) -> ConnectSession:
        """The session that this browser claimed.

        Raises:
            NotFound: another browser's, or none. SessionExpired.
        """
        session = await self._sessions.load(session_id)
        if session is None or not cookie or session.browser_digest != digest_of(cookie):
            raise NotFound("There is no such page for this browser.")
        if session.state == REVOKED or (session.state == "claimed" and self._clock.now() >= session.expires_at):
            raise SessionExpired
        return session

    async def log_in(
        self,
        session: ConnectSession,
        *,
        username: str,
        password: Secret | None,
        fields: Mapping[str, Any],
        keep_password: bool,
        keep_totp_seed: bool = False,
        allow_account_change: bool = False,
        cookie: str | None = None,
        request_id: str | None = None,
        address: str | None = None,
        client_address: str | None = None,
    ) -> Finished | Challenged:
        """Log in for the person at the page. Raises as `Connect`; the page stays open for another try.

        `address`, `client_address`: where the browser is, as `Actor` has them. `cookie`: the claiming browser's; with
        it `code_for` gives the code again later. What a challenge leads to is handed to `finish`.
        """
        if session.state != "claimed":
            raise SessionUsed
        actor = Actor(f"session:{session.id}", request_id, address, client_address)
        request = LoginRequest(
            connector=session.connector,
            owner=session.owner,
            username=username,
            password=password,
            fields=fields,
            keep_password=keep_password,
            keep_totp_seed=keep_totp_seed,
            reconnects=None if session.makes_another else session.reconnects,
            allow_account_change=allow_account_change,
            unconfirmed=session.return_url is not None,
            project=session.project,
        )
        connected = await self._connect(request, actor)
        if isinstance(connected, Challenged):
            return connected
        return await self.finish(session, connected, cookie=cookie, request_id=request_id)

    async def finish(
        self,
        session: ConnectSession,
        connected: Connected,
        *,
        cookie: str | None = None,
        request_id: str | None = None,
        unchanged: bool = False,
    ) -> Finished:
        """End the session with a connection: of its login, of the challenge after it, or one that was there before.

        `unchanged`: the person chose to keep the one that was there, and nothing was written to it.

        Raises:
            GenerationConflict: the row could not be written; the connection stands.
        """
        actor = Actor(f"session:{session.id}", request_id)
        code: str | None = None
        if session.return_url is not None:
            code = _code_of(session, cookie) if cookie else self._entropy.token(32)
        saved = await self._challenges.finish_session(
            session, connected, actor, code_digest=digest_of(code) if code else None, unchanged=unchanged
        )
        return Finished(connected, saved, Secret(code) if code else None)

    async def answer(
        self,
        session: ConnectSession,
        challenge_id: str,
        answers: Mapping[str, Any],
        *,
        cookie: str,
        request_id: str | None = None,
        client_address: str | None = None,
    ) -> Finished | Challenged:
        """Answer a challenge of the page's login. Raises as `Challenges.answer`; SessionUsed: the page has ended."""
        if session.state != "claimed":
            raise SessionUsed
        actor = Actor(f"session:{session.id}", request_id, client_address=client_address)
        result = await self._challenges.answer(challenge_id, answers, actor, project=session.project)
        if isinstance(result, Challenged):
            return result
        return await self.finish(session, result, cookie=cookie, request_id=request_id)

    async def look_at_challenge(self, session: ConnectSession, challenge_id: str) -> Challenged:
        """Say how a challenge of the page's login stands; once it is done, so is the session. NotFound."""
        return await self._challenges.look(challenge_id, f"session:{session.id}", project=session.project)

    async def resend(
        self,
        session: ConnectSession,
        challenge_id: str,
        *,
        request_id: str | None = None,
        client_address: str | None = None,
    ) -> Challenged:
        """Have the provider send another code. Raises as `Challenges.resend`; SessionUsed: the page has ended."""
        if session.state != "claimed":
            raise SessionUsed
        actor = Actor(f"session:{session.id}", request_id, client_address=client_address)
        return await self._challenges.resend(challenge_id, actor, project=session.project)

    def code_for(self, session: ConnectSession, cookie: str) -> Secret | None:
        """The one-time code for the embedder of the session that this browser claimed; None without a return URL."""
        return Secret(_code_of(session, cookie)) if session.return_url is not None else None

    async def cancel(self, session: ConnectSession, *, request_id: str | None = None) -> ConnectSession:
        """End a session that the person gives up; SessionUsed if it led to something already."""
        if session.state != "claimed":
            raise SessionUsed
        actor = Actor(f"session:{session.id}", request_id)
        try:
            return await self._sessions.save(
                replace(session, state="failed"), records=[self._record(session, "session.cancelled", actor)]
            )
        except RevisionConflict:
            raise SessionUsed from None

    async def confirm(self, session_id: str, code: str, actor: Actor) -> Connection:
        """Exchange the one-time code for the connection, whose calls may then begin.

        Raises:
            NotFound: no such session, or another code. SessionExpired, SessionUsed.
        """
        session = await self._sessions.load(session_id)
        if session is None or session.code_digest is None or session.code_digest != digest_of(code):
            raise NotFound("There is no such session, or the code is another's.")
        if session.state == "confirmed":
            raise SessionUsed
        if session.state != "done" or self._clock.now() >= session.expires_at:
            raise SessionExpired
        # The connection first: a process that dies in between leaves a code that can still be exchanged.
        connection = await self._confirmed(session)
        try:
            record = self._record(session, "session.confirmed", actor)
            await self._sessions.save(replace(session, state="confirmed"), records=[record])
        except RevisionConflict:
            raise SessionUsed from None
        return connection

    async def _confirmed(self, session: ConnectSession) -> Connection:
        for _ in range(20):
            connection = await self._connections.load(session.connection or "")
            if connection is None:
                raise NotFound("The connection is gone.")
            if connection.ended:
                raise ConnectionDisconnected
            if not connection.unconfirmed:
                return connection
            confirmed = replace(connection, unconfirmed=False, updated_at=self._clock.now())
            if confirmed.state is not State.NEEDS_RECONNECT:
                connector = await self._published.version(
                    confirmed.connector, confirmed.connector_version, project=confirmed.project
                )
                confirmed = replace(confirmed, renews_at=self._keep_tokens.due(confirmed, connector))
            try:
                return await self._connections.save(confirmed)
            except RevisionConflict:
                continue
        raise GenerationConflict

    def _record(self, session: ConnectSession, action: str, actor: Actor) -> AuditRecord:
        return AuditRecord(
            self._clock.now(),
            action,
            actor.name,
            connector=session.connector,
            connection=session.connection or session.reconnects,
            owner=session.owner,
            request_id=actor.request_id,
            facts={"session": session.id},
            project=session.project,
        )


def digest_of(text: str) -> str:
    """SHA-256, hex: enough for 256 random bits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _code_of(session: ConnectSession, cookie: str) -> str:
    """256 bits from which the cookie can't be had."""
    mac = hmac.digest(cookie.encode("utf-8", "surrogatepass"), f"code of {session.id}".encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode("ascii")
