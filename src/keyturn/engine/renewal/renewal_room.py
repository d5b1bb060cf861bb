"""Renewals at a provider that allows few sessions: people's logins are kept away, and room is made for our own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.connection import Connection, ConnectionSecrets
from keyturn.core.connector import Connector
from keyturn.core.errors import RenewalInProgress, SessionLimitReached
from keyturn.core.renewal.provider_sessions import Room
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.renewal.account_turns import AccountTurns
from keyturn.engine.renewal.end_session import EndSession
from keyturn.engine.renewal.settlement import Settlement

WAIT_S: Final = 10.0
FULL_AGAIN_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class RenewalRoom:
    """The parts that this needs."""

    turns: AccountTurns
    end_session: EndSession
    settlement: Settlement

    @asynccontextmanager
    async def alone(self, connection_id: str) -> AsyncIterator[bool]:
        """Keep a person's login of this very connection away; False where one takes long."""
        held = await self.turns.leasing.take_within(connection_id, WAIT_S)
        if held is None:
            yield False
            return
        async with self.turns.leasing.kept(held):
            yield True

    @asynccontextmanager
    async def turn(
        self, connection: Connection, secrets: ConnectionSecrets, connector: Connector, host: str, username: str
    ) -> AsyncIterator[Room]:
        """Be the only one to log in to the account, and say whether the connection's own session has to end first.

        Raises:
            RenewalInProgress: another login of the account takes long.
            SessionLimitReached: other connections hold all sessions; it is looked at again in a while.
        """
        if connector.session is None:
            yield Room.FREE
            return
        project, fields = connection.project, connection.fields
        account = await self.turns.account_of(connector, host, username, fields, project)
        async with self.turns.turn(account, WAIT_S) as ours:
            if not ours:
                raise RenewalInProgress(retry_after_s=1.0)
            own = (connection.id, secrets.token_set)
            try:
                room = await self.turns.room(connector, account, own, project=project)
            except SessionLimitReached as error:
                error.retry_after_s = FULL_AGAIN_S
                await self.settlement.postpone(connection, error.code)
                raise
            yield room

    async def end(
        self, declared: Connection, secrets: ConnectionSecrets, connector: Connector, actor: Actor
    ) -> tuple[Connection, ConnectionSecrets] | None:
        """End the session, as `EndSession`; the connection and what is left of its secrets."""
        ended = await self.end_session(declared, secrets, connector, actor)
        if ended is None or secrets.token_set is None:
            return None
        left = replace(secrets.token_set, access_token=Secret(""), refresh_token=None)
        return ended, replace(secrets, token_set=left)
