"""One login of an account at a time, in all processes, where its provider allows few sessions; and whether there is
room for it.

Rule: who judged that there is room logs in before anybody else judges.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.connection import Connection
from keyturn.core.connector import Connector, Keep
from keyturn.core.errors import SessionLimitReached
from keyturn.core.renewal.provider_sessions import Room, holds_session, room_for
from keyturn.core.token_set import TokenSet
from keyturn.engine.login_budget import LoginBudget
from keyturn.engine.renewal.leasing import Leasing
from keyturn.engine.template_values import login_uses
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionFilter, ConnectionStore

MOST_READ: Final = 1_000  # connections of one account, also those whose token has ended


@dataclass(frozen=True, slots=True)
class AccountTurns:
    """The ports and parts that this needs."""

    connections: ConnectionStore
    budget: LoginBudget
    leasing: Leasing
    clock: Clock

    async def account_of(
        self, connector: Connector, host: str, username: str, fields: Mapping[str, Any], project: str
    ) -> str:
        """The keyed hash that stands for an account: the username, and what of the fields says which of its accounts.

        Only what is kept in the clear counts, so that a renewal names the account as the person's login did.
        """
        plain = {each.key for each in connector.fields if each.keep is Keep.PLAIN}
        used = [key for key in sorted(plain & fields.keys()) if _names_account(connector, key)]
        name = username.strip().lower()
        if used:
            name = json.dumps([name, {key: str(fields[key]) for key in used}], ensure_ascii=True)
        return await self.budget.account(connector, host, name, project)

    @asynccontextmanager
    async def turn(self, account: str, wait_s: float) -> AsyncIterator[bool]:
        """Be the only one to log in to an account; False where another's login took longer than one may wait."""
        held = await self.leasing.take_within(f"account {account}", wait_s)
        if held is None:
            yield False
            return
        async with self.leasing.kept(held):
            yield True

    async def of_account(self, account: str, *, project: str) -> tuple[Connection, ...]:
        """The connections, not ended, whose last login was one of this account."""
        which = ConnectionFilter(account=account, not_ended=True)
        return (await self.connections.list(which, cursor=None, limit=MOST_READ, project=project)).items

    async def room(
        self, connector: Connector, account: str, own: tuple[str, TokenSet | None] | None, *, project: str
    ) -> Room:
        """Judge a login; `own`: the connection that logs in and its token set, None for a new one.

        Raises:
            SessionLimitReached: other connections hold all the sessions that the provider allows.
        """
        rules = connector.session
        if rules is None:
            return Room.FREE
        own_id, token_set = own if own is not None else (None, None)
        others = [each for each in await self.of_account(account, project=project) if each.id != own_id]
        room = room_for(connector, rules, token_set, others, self.clock.now())
        if room is Room.FULL:
            raise SessionLimitReached(extensions={"limit": rules.limit})
        return room

    async def refuse_trial(
        self, connector: Connector, host: str, username: str, fields: Mapping[str, Any], *, project: str = "default"
    ) -> None:
        """Raise SessionLimitReached where a trial's login could end the session of a connection."""
        if connector.session is None:
            return
        account = await self.account_of(connector, host, username, fields, project)
        now = self.clock.now()
        held = sum(holds_session(each, now) for each in await self.of_account(account, project=project))
        if held >= (connector.session.limit or 1):
            raise SessionLimitReached(extensions={"limit": connector.session.limit})


def _names_account(connector: Connector, key: str) -> bool:
    """Whether a field goes along with each login, or is a part of the unique id: a company, a tenant, a database."""
    return login_uses(connector, key) or connector.unique_id.uses(key)
