"""The login budget in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import LoginLimits
from keyturn.ports.store import Attempt, AttemptResult
from tests.fakes.database import FakeDatabase

_UNDER_WAY_S = 60.0


@dataclass(frozen=True)
class _Login:
    account: str
    at: float
    limits: LoginLimits
    keep_until: float
    result: AttemptResult | None = None

    def failed(self, now: float) -> bool:
        """Whether it counts as failed: it said so, or its process died."""
        return self.result is AttemptResult.FAILED or (self.result is None and self.at + _UNDER_WAY_S < now)


class FakeLoginLedger:
    """Promises: `tests/contracts/login_ledger_contract.py`."""

    def __init__(self, database: FakeDatabase) -> None:
        self._database = database
        self._logins: dict[str, _Login] = {}
        self._booked = 0

    async def reserve(
        self,
        account: str,
        *,
        now: float,
        limits: LoginLimits,
        successes: LoginLimits,
        challenges: LoginLimits,
        records: Sequence[AuditRecord] = (),
    ) -> Attempt | float | None:
        """Book a login."""
        await self._database.write("logins.reserve")
        got = self.reserve_now(account, now=now, limits=limits, successes=successes, challenges=challenges)
        if isinstance(got, Attempt):
            self._database.log(records)
        return got

    def reserve_now(
        self, account: str, *, now: float, limits: LoginLimits, successes: LoginLimits, challenges: LoginLimits
    ) -> Attempt | float | None:
        """The same within another write."""
        own = [each for each in self._logins.values() if each.account == account]
        failed = sorted(each.at for each in own if each.failed(now) and each.at + limits.per_s > now)
        passed = sorted(
            each.at for each in own if each.result is AttemptResult.SUCCEEDED and each.at + successes.per_s > now
        )
        asked = sorted(
            each.at for each in own if each.result is AttemptResult.CHALLENGED and each.at + challenges.per_s > now
        )
        waits = [
            min(times[-limit.logins] + limit.per_s - now, limit.per_s)
            for times, limit in ((failed, limits), (passed, successes), (asked, challenges))
            if len(times) >= limit.logins
        ]
        if waits:
            return max(waits)
        under_way = sum(each.result is None and not each.failed(now) for each in own)
        counted = ((failed, limits), (passed, successes), (asked, challenges))
        if any(len(times) + under_way >= limit.logins for times, limit in counted):
            return None
        self._booked += 1
        name = f"att_{self._booked}"
        keep_until = now + max(limits.per_s, successes.per_s, challenges.per_s) + _UNDER_WAY_S
        self._logins[name] = _Login(account, now, limits, keep_until)
        return Attempt(name, limits.logins - len(failed) - under_way - 1)

    async def settle(self, attempt: Attempt, result: AttemptResult, *, records: Sequence[AuditRecord] = ()) -> int:
        """Say how it ended."""
        await self._database.write("logins.settle")
        self._database.log(records)
        return self.settle_now(attempt, result)

    def settle_now(self, attempt: Attempt, result: AttemptResult) -> int:
        """The same within another write."""
        login = self._logins.get(attempt.id)
        if login is None:
            return attempt.tries_left
        self._logins[attempt.id] = replace(login, result=result)
        for name, each in self._logins.items():
            if result is AttemptResult.SUCCEEDED and each.account == login.account and each.failed(login.at):
                self._logins[name] = replace(each, result=AttemptResult.NOT_SENT)
        own = [each for each in self._logins.values() if each.account == login.account]
        spent = sum(
            each.result is None or (each.failed(login.at) and each.at + login.limits.per_s > login.at) for each in own
        )
        return max(0, login.limits.logins - spent)

    async def purge(self, *, now: float) -> int:
        """Take away what counts in no window any more."""
        await self._database.write("logins.purge")
        outdated = [name for name, each in self._logins.items() if each.keep_until < now]
        for name in outdated:
            del self._logins[name]
        return len(outdated)

    async def account_key(self, connector: str, host: str, username: str, *, project: str = "default") -> str:
        """Hash the account's name."""
        parts = "".join(f"{len(part)}:{part}" for part in (project, connector, host, username))
        return hashlib.sha256(parts.encode()).hexdigest()
