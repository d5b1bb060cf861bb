"""Booking a login with all who count it, before it is sent; logins of connections and of trials alike.

Rule: where one of them refuses, it is as if the login had not been.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import Connector
from keyturn.core.errors import KeyturnError
from keyturn.engine.abuse.spraying import Admitted, Spraying, Tried
from keyturn.engine.actor import Actor
from keyturn.engine.login_budget import LoginBudget
from keyturn.engine.send import Sent
from keyturn.ports.store import Attempt, AttemptResult


@dataclass(frozen=True, slots=True)
class Booked:
    """A login that may be sent."""

    attempt: Attempt
    admitted: Admitted


@dataclass(frozen=True, slots=True)
class BookLogin:
    """What counts logins."""

    spraying: Spraying
    budget: LoginBudget

    async def __call__(self, connector: Connector, tried: Tried, actor: Actor, record: AuditRecord) -> Booked:
        """Book one, and log it. Who calls this has just asked whether an operator stopped the connector's logins.

        Raises:
            LoginSpraying, LoginBudgetSpent, StoreUnavailable: nothing may be sent.
        """
        # Beside each other, so that the store can write them with one commit; where one refuses, the other is undone.
        admitted, attempt = await asyncio.gather(
            self.spraying.admit(tried, actor),
            self.budget.reserve_running(connector, tried.host, tried.username, tried.project, records=[record]),
            return_exceptions=True,
        )
        if isinstance(attempt, BaseException) and isinstance(admitted, Admitted):
            await self.spraying.end(admitted, None)
        if isinstance(admitted, BaseException) and isinstance(attempt, Attempt):
            not_sent = replace(record, action="login.answered", outcome="not_sent")
            with suppress(KeyturnError):
                await self.budget.settle(attempt, AttemptResult.NOT_SENT, records=[not_sent])
        if isinstance(admitted, BaseException):
            raise admitted
        if isinstance(attempt, BaseException):
            raise attempt
        return Booked(attempt, admitted)

    async def told_spraying(self, booked: Booked, sent: Sent, result: AttemptResult) -> None:
        """Say how it ended to what looks for one password on many accounts."""
        await self.spraying.end(booked.admitted, sent.outcome if result is not AttemptResult.NOT_SENT else None)

    async def told_unknown(self, booked: Booked) -> None:
        """The same where it was broken off before anything was known of it."""
        await self.spraying.end(booked.admitted, None)
