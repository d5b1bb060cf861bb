"""A person's login at a provider that allows few sessions: in its turn, with room made before the password is sent.

Rule 1: nothing is ended for a login that could not be sent, nor for one of another account.
Rule 2: while the login runs, its connection is leased: no renewal logs in beside it.
Rule 3: a login that comes to nothing leaves the truth: the kept password renews what was ended, or it is the person's
move.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

import structlog

from keyturn.core.connection import Connection, ConnectionSecrets, Intent, IntentKind
from keyturn.core.connector import Connector, OnDuplicate
from keyturn.core.errors import GenerationConflict, KeyturnError, NotFound, RowUnreadable, SealBroken
from keyturn.core.problems import Cause
from keyturn.core.renewal.provider_sessions import Room
from keyturn.engine.actor import Actor
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Checked, Connected, LoginRequest
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.account_turns import AccountTurns
from keyturn.engine.renewal.end_session import EndSession
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import ConnectionStore, RevisionConflict

TRIES: Final = 3
WAIT_S: Final = 10.0  # for a renewal, or another login of the account

log = structlog.get_logger("keyturn.connect")

LogIn = Callable[[], Awaitable[Connected | Challenged]]


@dataclass(frozen=True, slots=True)
class MakeRoom:
    """The ports and parts that this needs."""

    connections: ConnectionStore
    published: PublishedConnectors
    turns: AccountTurns
    end_session: EndSession
    clock: Clock
    entropy: Entropy

    async def __call__(
        self, request: LoginRequest, checked: Checked, host: str, actor: Actor, log_in: LogIn
    ) -> Connected | Challenged:
        """Log in, once there is room.

        Args:
            request: whose login it is.
            checked: the version that it is made with, and its values.
            host: where its token request goes.
            actor: who logs in.
            log_in: sends what carries the password or a code, and stores what comes of it.

        Raises:
            SessionLimitReached: other connections hold all sessions; nothing was sent.
            GenerationConflict: another login or renewal of the account did not end in time; nothing was sent.
            ProviderError: the old session could not be ended; no password was sent.
        """
        connector, account = checked.connector, await self.account_of(request, checked, host)
        if account is None:
            return await log_in()
        for _ in range(TRIES):
            own = await self._own(request, connector, account)
            async with self._alone(own, account):
                if own != await self._own(request, connector, account):
                    continue  # the login whose turn it was before has made it
                return await self._with_room(request, connector, account, own, actor, log_in)
        raise GenerationConflict

    async def _with_room(
        self, request: LoginRequest, connector: Connector, account: str, own: str | None, actor: Actor, log_in: LogIn
    ) -> Connected | Challenged:
        ended = await self._make(request, connector, account, own, actor)
        result: Connected | Challenged | None = None
        try:
            result = await log_in()
            return result
        finally:
            if ended is not None and not _took_its_place(ended, result):
                await self._settle(ended, result, actor)

    async def account_of(self, request: LoginRequest, checked: Checked, host: str) -> str | None:
        """What a connection that this login makes remembers of it; None where its provider counts no sessions."""
        if checked.connector.session is None:
            return None
        username, fields = request.username, checked.fields
        return await self.turns.account_of(checked.connector, host, username, fields, request.project)

    async def _own(self, request: LoginRequest, connector: Connector, account: str) -> str | None:
        """The connection that this login will go on, as far as that can be known before it."""
        if request.reconnects is not None:
            found = await self.connections.shown(request.reconnects, project=request.project)
            if found is None or found.ended or (found.connector, found.owner) != (connector.id, request.owner):
                return None
            return found.id if found.account in (None, account) else None
        if connector.on_duplicate is not OnDuplicate.UPDATE:
            return None
        known = await self.turns.of_account(account, project=request.project)
        return next((each.id for each in known if each.owner == request.owner and each.unique), None)

    @asynccontextmanager
    async def _alone(self, own: str | None, account: str) -> AsyncIterator[None]:
        """Keep renewals of the connection and other logins of the account away; in this order, as a renewal does."""
        async with self._leased(own), self.turns.turn(account, WAIT_S) as ours:
            if not ours:
                raise GenerationConflict
            yield

    @asynccontextmanager
    async def _leased(self, own: str | None) -> AsyncIterator[None]:
        if own is None:
            yield
            return
        held = await self.turns.leasing.take_within(own, WAIT_S)
        if held is None:
            raise GenerationConflict
        async with self.turns.leasing.kept(held):
            yield

    async def _make(
        self, request: LoginRequest, connector: Connector, account: str, own: str | None, actor: Actor
    ) -> Connection | None:
        """End the connection's own session where there is no room beside it; None where nothing was ended."""
        while True:
            opened = await self._opened(own, request.project) if own is not None else None
            if opened is None or opened[0].ended:
                await self.turns.room(connector, account, None, project=request.project)
                return None
            current, secrets = opened
            pinned = await self._pinned(current, connector)
            rules = replace(pinned, session=connector.session)
            room = await self.turns.room(rules, account, (current.id, secrets.token_set), project=request.project)
            if room is not Room.END_OWN:
                return None
            try:
                declared = await self._declare(current)
            except RevisionConflict:
                continue
            try:
                ended = await self.end_session(declared, secrets, pinned, actor, by_person=True)
            except KeyturnError:
                with suppress(KeyturnError):
                    await self.end_session.settlement.not_begun(declared, current)
                raise
            if ended is None:
                raise GenerationConflict
            return ended

    async def _opened(self, own: str, project: str) -> tuple[Connection, ConnectionSecrets] | None:
        """The connection and what it keeps; of one that can't be opened no session can be ended, as of none."""
        try:
            return await self.connections.open(own, project=project)
        except (RowUnreadable, SealBroken):
            return None

    async def _declare(self, current: Connection) -> Connection:
        """Write that a login is on its way, before its session is ended. Due at once, should this process die.

        A refresh token whose fate is not known is not sent after that.
        """
        now = self.clock.now()
        intent = Intent(IntentKind.LOGIN, current.generation, self.entropy.identifier("att"), now)
        refreshable = current.refreshable and current.intent is None
        marked = replace(current, intent=intent, renews_at=now, refreshable=refreshable, updated_at=now)
        return await self.connections.save(marked)

    async def _pinned(self, current: Connection, otherwise: Connector) -> Connector:
        try:
            return await self.published.version(current.connector, current.connector_version, project=current.project)
        except NotFound:
            return otherwise

    async def _settle(self, ended: Connection, result: Connected | Challenged | None, actor: Actor) -> None:
        """Where no new session has taken its place, say so; a store that is gone leaves the intent, which says it."""
        cause = Cause.CHALLENGE_REQUIRED if isinstance(result, Challenged) else Cause.SESSION_ENDED
        try:
            pinned = await self.published.version(ended.connector, ended.connector_version, project=ended.project)
            await self.end_session.settlement.not_logged_in(ended, pinned, cause, actor)
        except KeyturnError as error:
            log.warning("ended_session_not_settled", connection=ended.id, code=error.code)


def _took_its_place(ended: Connection, result: Connected | Challenged | None) -> bool:
    return isinstance(result, Connected) and result.connection.id == ended.id
