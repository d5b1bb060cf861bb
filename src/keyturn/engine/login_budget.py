"""Staying below a provider's lock-out: how many logins of one account may fail, across all processes.

Source: the product's rules for logging in, "limits"; invariant I9.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import Connector, LoginLimits
from keyturn.core.errors import LoginBudgetSpent
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.abuse.stop_logins import StopLogins
from keyturn.ports.clock import Clock
from keyturn.ports.renewals import Booking
from keyturn.ports.store import Attempt, AttemptResult, LoginLedger

SUCCESSES: Final = LoginLimits(logins=60, per_s=900.0)
CHALLENGES: Final = LoginLimits(logins=20, per_s=900.0)  # each may send the person a message
WAIT_FOR_OTHERS_S: Final = 35.0  # no login takes longer than its 30 s
POLL_S: Final = 0.1
ENDLESS: Final = 1_000_000


class LoginBudget:
    """Books logins before they are sent."""

    def __init__(self, ledger: LoginLedger, clock: Clock, stops: StopLogins) -> None:
        self._ledger = ledger
        self._clock = clock
        self._stops = stops

    async def account(self, connector: Connector, host: str, username: str, project: str = "default") -> str:
        """The keyed hash under which an account is counted; a username is told apart by no blanks and no capitals."""
        return await self._ledger.account_key(connector.id, host, username.strip().lower(), project=project)

    async def refuse_stopped(self, connector: Connector, project: str = "default") -> None:
        """Raise LoginsStopped where an operator has stopped this connector's logins."""
        await self._stops.refuse(connector.id, project=project)

    async def reserve(
        self,
        connector: Connector,
        host: str,
        username: str,
        project: str = "default",
        *,
        records: Sequence[AuditRecord] = (),
    ) -> Attempt:
        """Book one, with its records; waits while logins under way could still spend what is left.

        Raises:
            LoginsStopped: by an operator.
            LoginBudgetSpent: with the seconds until one more is allowed.
        """
        await self.refuse_stopped(connector, project)
        return await self.reserve_running(connector, host, username, project, records=records)

    async def reserve_running(
        self,
        connector: Connector,
        host: str,
        username: str,
        project: str = "default",
        *,
        records: Sequence[AuditRecord] = (),
    ) -> Attempt:
        """The same, where it was asked already whether an operator has stopped them; nothing is read before it."""
        account = await self.account(connector, host, username, project)
        deadline = self._clock.monotonic() + WAIT_FOR_OTHERS_S
        while True:
            got = await self._ledger.reserve(
                account,
                now=self._clock.now(),
                limits=connector.limits,
                successes=SUCCESSES,
                challenges=CHALLENGES,
                records=records,
            )
            if isinstance(got, Attempt):
                return got
            if got is not None:
                raise LoginBudgetSpent(retry_after_s=got)
            if self._clock.monotonic() >= deadline:
                raise LoginBudgetSpent(retry_after_s=POLL_S)
            await self._clock.sleep(POLL_S)

    async def booking(self, connector: Connector, host: str, username: str, project: str = "default") -> Booking:
        """What books one with another write; raises LoginsStopped."""
        await self.refuse_stopped(connector, project)
        account = await self.account(connector, host, username, project)
        return Booking(account, connector.limits, SUCCESSES, CHALLENGES)

    async def note(
        self, connector: Connector, host: str, username: str, result: AttemptResult, project: str = "default"
    ) -> int:
        """Book the end of a login that was not counted when it began: a challenge stood between.

        Nothing waits for it and nothing refuses it, as it took place. Returns how many more may fail in this window.
        """
        account = await self.account(connector, host, username, project)
        endless = LoginLimits(logins=ENDLESS, per_s=connector.limits.per_s)
        got = await self._ledger.reserve(
            account, now=self._clock.now(), limits=endless, successes=endless, challenges=endless
        )
        if not isinstance(got, Attempt):
            return 0
        spent = ENDLESS - await self._ledger.settle(got, result)
        return max(0, connector.limits.logins - spent)

    async def take_message(self, connector: Connector, host: str, username: str, project: str = "default") -> None:
        """Book that the provider is asked for another message, before it is.

        Raises:
            LoginsStopped. LoginBudgetSpent: as many were asked for as a person is to bear.
        """
        await self.refuse_stopped(connector, project)
        account = await self.account(connector, host, username, project)
        endless = LoginLimits(logins=ENDLESS, per_s=CHALLENGES.per_s)
        got = await self._ledger.reserve(
            account, now=self._clock.now(), limits=endless, successes=endless, challenges=CHALLENGES
        )
        if not isinstance(got, Attempt):
            raise LoginBudgetSpent(retry_after_s=got if got is not None else POLL_S)
        await self._ledger.settle(got, AttemptResult.CHALLENGED)

    async def settle(self, attempt: Attempt, result: AttemptResult, *, records: Sequence[AuditRecord] = ()) -> int:
        """Say how it ended, with its records; returns how many more may fail in this window."""
        return await self._ledger.settle(attempt, result, records=records)


def counted(outcome: SendOutcome) -> AttemptResult:
    """What the login budget makes of an outcome: rejected, unanswered and unclassified sends count."""
    match outcome:
        case SendOutcome.TOKEN:
            return AttemptResult.SUCCEEDED
        case SendOutcome.NOT_SENT | SendOutcome.UNAVAILABLE | SendOutcome.RATE_LIMITED:
            return AttemptResult.NOT_SENT
        case SendOutcome.SETUP_WRONG | SendOutcome.SCOPE_REFUSED:
            return AttemptResult.NOT_SENT
        case SendOutcome.CHALLENGE:
            return AttemptResult.CHALLENGED
        case _:
            return AttemptResult.FAILED
