"""The login budget: how many logins of one account failed, counted for all processes in one place.

Rule 1: a login is booked before it is sent, in a write transaction: of many at one moment no more are given than may
fail.
Rule 2: a login whose end nobody reported within a minute has failed, since the moment it was booked.
Rule 3: a success forgets the failures before it, and nothing else.
Rule 4: a login that a challenge stopped is counted apart: it may have sent the person a message.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.audit import add_records
from keyturn.adapters.store.database.engine import Database
from keyturn.adapters.store.database.meta import StoreKeys
from keyturn.adapters.store.database.schema import logins
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import LoginLimits
from keyturn.ports.clock import Entropy
from keyturn.ports.store import Attempt, AttemptResult

UNDER_WAY_S: Final = 60.0
_c = logins.c
_FORGET_OLD: Final = sa.delete(logins).where(_c.keep_until < sa.bindparam("now"))
_OF_ACCOUNT: Final = sa.select(logins).where(_c.account == sa.bindparam("of"))
_ONES_ACCOUNT: Final = sa.select(_c.account).where(_c.id == sa.bindparam("of")).scalar_subquery()
_OF_ONES_ACCOUNT: Final = sa.select(logins).where(_c.account == _ONES_ACCOUNT)
_SETTLE: Final = sa.update(logins).where(_c.id == sa.bindparam("of")).values(result=sa.bindparam("now_is"))


class SqlLoginLedger:
    """Promises: the port's."""

    def __init__(self, database: Database, store_keys: StoreKeys, entropy: Entropy) -> None:
        self._database = database
        self._store_keys = store_keys
        self._entropy = entropy

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
        """Book a login before it is sent."""

        def body(tx: sa.Connection) -> Attempt | float | None:
            got = self.reserve_in(tx, account, now=now, limits=limits, successes=successes, challenges=challenges)
            if isinstance(got, Attempt):
                add_records(tx, records)
            return got

        return await self._database.write(body)

    def reserve_in(
        self,
        tx: sa.Connection,
        account: str,
        *,
        now: float,
        limits: LoginLimits,
        successes: LoginLimits,
        challenges: LoginLimits,
    ) -> Attempt | float | None:
        """The same within a write transaction."""
        attempt_id = self._entropy.identifier("att")
        row = {
            "id": attempt_id,
            "account": account,
            "at": now,
            "limit_logins": limits.logins,
            "limit_per_s": limits.per_s,
            "keep_until": now + max(limits.per_s, successes.per_s, challenges.per_s) + UNDER_WAY_S,
        }

        tx.execute(_FORGET_OLD, {"now": now})
        own = tx.execute(_OF_ACCOUNT, {"of": account}).all()
        left = _left(own, now, limits, successes, challenges)
        if isinstance(left, int):
            tx.execute(sa.insert(logins), row)
            return Attempt(attempt_id, left)
        return left

    async def settle(self, attempt: Attempt, result: AttemptResult, *, records: Sequence[AuditRecord] = ()) -> int:
        """Say how it ended."""

        def body(tx: sa.Connection) -> int:
            add_records(tx, records)
            return self.settle_in(tx, attempt, result)

        return await self._database.write(body)

    def settle_in(self, tx: sa.Connection, attempt: Attempt, result: AttemptResult) -> int:
        """The same within a write transaction."""
        own = tx.execute(_OF_ONES_ACCOUNT, {"of": attempt.id}).all()
        login = next((each for each in own if each.id == attempt.id), None)
        if login is None:
            return attempt.tries_left
        own = [each for each in own if each.id != attempt.id]
        if result is AttemptResult.SUCCEEDED and (forgotten := [each.id for each in own if _failed(each, login.at)]):
            tx.execute(sa.delete(logins).where(_c.id.in_(forgotten)))
            own = [each for each in own if each.id not in forgotten]
        if result is AttemptResult.NOT_SENT:
            tx.execute(sa.delete(logins).where(_c.id == login.id))
        else:
            tx.execute(_SETTLE, {"of": login.id, "now_is": result.value})
        spent = sum(_may_fail(each, login.at, login.limit_per_s) for each in own)
        return max(0, int(login.limit_logins) - spent - (result is AttemptResult.FAILED))

    async def purge(self, *, now: float) -> int:
        """Take away what counts in no window any more."""
        return await self._database.write(lambda tx: tx.execute(_FORGET_OLD, {"now": now}).rowcount)

    async def account_key(self, connector: str, host: str, username: str, *, project: str = "default") -> str:
        """The keyed hash under which an account is counted."""
        return self._store_keys.hash_of("login account", project, connector, host, username).hex()


def _left(
    own: Sequence[sa.Row[Any]], now: float, limits: LoginLimits, successes: LoginLimits, challenges: LoginLimits
) -> int | float | None:
    """How many may fail after one more (int), how long to wait (float), or None: ask again in a moment."""
    failed = [each.at for each in own if _failed(each, now)]
    passed = [each.at for each in own if each.result == AttemptResult.SUCCEEDED.value]
    asked = [each.at for each in own if each.result == AttemptResult.CHALLENGED.value]
    waits = [_wait_s(failed, now, limits), _wait_s(passed, now, successes), _wait_s(asked, now, challenges)]
    if any(waits):
        return max(waits)
    spent = sum(_may_fail(each, now, limits.per_s) for each in own)
    under_way = sum(each.result is None and not _failed(each, now) for each in own)
    for times, limit in ((passed, successes), (asked, challenges)):
        if sum(at + limit.per_s > now for at in times) + under_way >= limit.logins:
            return None
    if spent >= limits.logins:
        return None
    return limits.logins - spent - 1


def _wait_s(times: Sequence[float], now: float, limits: LoginLimits) -> float:
    """Seconds until fewer of these than the limit lie in the window; never more than the window is long."""
    within = sorted(at for at in times if at + limits.per_s > now)
    if len(within) < limits.logins:
        return 0.0
    return min(within[-limits.logins] + limits.per_s - now, limits.per_s)


def _failed(login: sa.Row[Any], now: float) -> bool:
    return bool(login.result == AttemptResult.FAILED.value or (login.result is None and login.at + UNDER_WAY_S < now))


def _may_fail(login: sa.Row[Any], now: float, per_s: float) -> bool:
    """Whether it failed in the window, or is under way and may."""
    return (_failed(login, now) and login.at + per_s > now) or (login.result is None and not _failed(login, now))
