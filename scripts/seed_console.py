"""Fill a data directory with connections in every state, a history and jobs, to look at the console.

    python scripts/seed_console.py DIRECTORY [HOW_MANY]

Everything in it is made up: the tokens open nothing, the providers do not exist. Start the broker on it afterwards
(`keyturn serve --data DIRECTORY`), and sign in by `keyturn person link`. It refuses a directory that holds a database.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from keyturn.bootstrap.settings import Settings
from keyturn.bootstrap.wiring import Wired, wired
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, State, TestRecord
from keyturn.core.redaction.known import KnownSecrets
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.engine.login.connect_sessions import SessionRequest
from keyturn.engine.observing.call_times import Times
from keyturn.ports.jobs import JobState
from keyturn.ports.store import Use
from keyturn.ports.webhooks.endpoints import Delivery

ACTOR = Actor("operator")
CONNECTORS = ("acme", "orbis", "zeta")
TEXT = """
keyturn: 1
connector: {id}
title: {title}
trust: {{reason: legacy, note: Made up.}}
client: {{authentication: none}}
token: {{url: "https://auth.{id}.example/token"}}
refresh: {{}}
revoke: {{url: "https://auth.{id}.example/revoke", params: {{token: "{{{{ token }}}}"}}}}
test: {{url: "https://api.{id}.example/me", expect: {{status: [200], body: id}}}}
allowed_urls: ["https://api.{id}.example"]
unique_id: "{{{{ test.id }}}}"
"""
NAMES = ("Ada", "Grace", "Jo", "Linus", "Margaret", "Noor", "Otis", "Priya", "Quentin", "Rosa")
REASONS = (
    "grant_lost", "provider_password_expired", "provider_account_locked", "provider_credentials_rejected",
    "token_ended", "challenge_required",
)  # fmt: skip
FAILURES = ("provider_timeout", "provider_unavailable", "provider_rate_limited", "provider_bad_response")
HOUR = 3600.0
DAYS = 30


def connections(now: float, how_many: int, chance: random.Random) -> Iterator[Connection]:
    """Most of them well, some of each other kind."""
    for n in range(how_many):
        connector = chance.choices(CONNECTORS, (6, 3, 1))[0]
        ends = now + chance.uniform(0.1, 60) * HOUR
        plain = Connection(
            id=f"cxn_{chance.getrandbits(64):016x}{n:08x}",
            connector=connector,
            connector_version=1,
            owner=f"tenant-{n % 40}",
            name=f"{chance.choice(NAMES)}'s {connector.title()}",
            unique_id=str(10_000 + n),
            created_at=now - chance.uniform(1, 29) * 24 * HOUR,
            updated_at=now - chance.uniform(0.1, 20) * HOUR,
            generation=chance.randint(1, 300),
            token_issued_at=now - chance.uniform(0.1, 1) * HOUR,
            expires_at=ends,
            renews_at=ends - 600,
            refreshable=True,
            hosts=(f"auth.{connector}.example",),
            last_test=TestRecord(now - 3 * HOUR, passed=True, status=200, code=None),
            last_used_at=now - chance.uniform(0, 30) * HOUR,
        )
        yield in_a_state(plain, n, now, chance)


def in_a_state(plain: Connection, n: int, now: float, chance: random.Random) -> Connection:
    """Every twentieth or so is not well."""
    match n % 24:
        case 3:
            lost: dict[str, Any] = {"state": State.NEEDS_RECONNECT, "reason": chance.choice(REASONS), "renews_at": None}
            lost |= {"state_since": plain.updated_at - chance.uniform(0, 3) * 24 * HOUR}
            return replace(plain, **lost, last_error="provider_credentials_rejected", last_error_at=plain.updated_at)
        case 5:
            return replace(plain, paused=True, renews_at=None)
        case 7:
            return replace(plain, state=State.UNCERTAIN, reason="renewal_outcome_unknown")
        case 11:
            return replace(plain, unconfirmed=True, renews_at=None)
        case 13:
            ended: dict[str, Any] = {
                "state": State.DISCONNECTED,
                "disconnected_at": now - HOUR,
                "expires_at": None,
                "renews_at": None,
            }
            told = {"result": "done", "tries": 1, "revoked": ["refresh_token"]}
            return replace(plain, **ended, refreshable=False, revocation=told)
        case 17:
            return replace(plain, refreshable=False, renews_at=plain.expires_at)
        case 19:
            return replace(plain, last_error="provider_timeout", last_error_at=now - 60, failures_in_a_row=2)
        case _:
            return plain


def history(now: float, some: list[Connection], chance: random.Random) -> Iterator[AuditRecord]:
    """Thirty days of renewals; one connector had a bad afternoon."""
    for hour in range(DAYS * 24, -1, -1):
        for _ in range(chance.randint(1, 5)):
            each = chance.choice(some)
            bad = each.connector == "zeta" and 4 <= hour <= 9
            failed = chance.random() < (0.7 if bad else 0.04)
            at = now - hour * HOUR - chance.uniform(0, HOUR * 0.9)
            action, outcome = ("refresh.answered", chance.choice(FAILURES)) if failed else ("connection.renewed", "ok")
            yield AuditRecord(
                at, action, "scheduler", outcome, each.connector, each.id, each.owner,
                facts={"generation": each.generation, "host": each.hosts[0]},
            )  # fmt: skip
            if failed and chance.random() < 0.1:
                yield AuditRecord(
                    at, "connection.needs_reconnect", "scheduler", "grant_lost", each.connector, each.id, each.owner
                )


async def calls(up: Wired, now: float, chance: random.Random) -> None:
    """A week of calls: one provider slow by day, one of which nothing came for a night."""
    for hour in range(168):
        begins = int(now // HOUR - hour) * int(HOUR)
        for connector, usual in (("acme", 0.12), ("orbis", 0.03), ("zeta", 0.4)):
            if connector == "orbis" and 10 <= hour <= 16:
                continue
            times = Times()
            for _ in range(40):
                provider = usual * chance.lognormvariate(0, 0.5) * (3 if connector == "zeta" and 4 <= hour <= 9 else 1)
                own = 0.0012 * chance.lognormvariate(0, 0.4)
                times.provider.add(provider)
                times.keyturn.add(own)
                times.whole.add(provider + own)
                _answered(times, chance, bad=connector == "zeta" and 4 <= hour <= 9)
            await up.stores.call_times.add({(connector, begins): times.fresh()})


async def called(up: Wired, some: list[Connection], now: float, chance: random.Random) -> None:
    """Calls of connections by the hour, until each was called last; now and then one of them fails."""
    for hour in range(23, -1, -1):
        at = now - hour * HOUR
        uses = {}
        for each in some:
            if each.last_used_at is None or each.last_used_at < at or chance.random() < 0.4:
                continue
            number = chance.randint(1, 40)
            bad = chance.random() < (0.6 if each.connector == "zeta" and 4 <= hour <= 9 else 0.08)
            failed = min(number, chance.randint(1, 9)) if bad else 0
            uses[each.id] = Use(at, each.generation, number, failed)
        await up.stores.connections.note_uses(uses)


def _answered(times: Times, chance: random.Random, *, bad: bool) -> None:
    """Some of the calls are refused, and some fail at the API; more of them on the bad afternoon."""
    bound = next(index for index in reversed(range(len(times.whole.counts))) if times.whole.counts[index])
    if chance.random() < (0.5 if bad else 0.01):
        times.server_errors[bound] += 1
    elif chance.random() < 0.04:
        times.client_errors[bound] += 1


def troubles(now: float) -> Iterator[AuditRecord]:
    """A set-up that only its author can mend."""
    for n in range(3):
        yield AuditRecord(now + n / 1000, "login.refused", "ses_1", "unique_id_missing", "zeta", owner=f"o{n}")


async def seed(up: Wired, how_many: int) -> None:
    """Write all of it."""
    application, stores, chance = up.application, up.stores, random.Random(7)  # noqa: S311
    now = application.clock.now()
    for each in CONNECTORS:
        await application.edit_connector.save(each, TEXT.format(id=each, title=each.title()), ACTOR)
        await application.edit_connector.publish(each, ACTOR, note="the first one")
    await application.guards.stop_logins.stop("orbis", ACTOR)
    made = list(connections(now, how_many, chance))
    for one in made:
        tokens = TokenSet(Secret(f"at-{chance.getrandbits(96):x}"), now, Secret(f"rt-{chance.getrandbits(96):x}"))
        await stores.connections.insert(one, ConnectionSecrets() if one.ended else ConnectionSecrets(tokens))
    await stores.audit.append([*history(now, made[:200], chance), *troubles(application.clock.now())])
    for n in range(3):
        await stores.webhooks.add_delivery(
            Delivery(f"dlv_{n}", "whk_1", f"evt_{n}", "connection.renewed", now - 900 * n)
        )
    await calls(up, now, chance)
    await called(up, made, now, chance)
    for n in range(4):
        request = SessionRequest(CONNECTORS[n % 3], f"tenant-{n}", app_name="Ledgerly", owner_label=f"Tenant {n}")
        await application.connect_sessions.create(request, ACTOR)
    await jobs(up, made, now)


async def jobs(up: Wired, made: list[Connection], now: float) -> None:
    """One that ended in part, one that was cancelled, one half way."""
    application, stores = up.application, up.stores
    rows = [{"connection": each.id, "code": "connection_test_failed"} for each in made[:12]]
    ends: tuple[tuple[BulkAction, dict[str, Any]], ...] = (
        (BulkAction.TEST, {"state": JobState.DONE, "done": 202, "failures": {"connection_test_failed": 12}}),
        (BulkAction.RENEW, {"state": JobState.CANCELLED, "done": 40, "cancelled_by": "operator"}),
        (BulkAction.PAUSE, {"state": JobState.FAILED, "done": 90, "last_error": "store_unavailable"}),
    )
    for action, changes in ends:
        job = await application.bulk_jobs.create(BulkOrder(action, "acme"), ACTOR)
        report = {"failed": rows, "left_off": 0} if "failures" in changes else {}
        times: dict[str, Any] = {"started_at": now - 90, "ended_at": now - 20}
        await stores.jobs.save(replace(job, total=214, report=report, **times, **changes))


async def main(data: Path, how_many: int) -> None:
    """Open the directory and fill it."""
    if (data / "keyturn.db").exists():
        sys.exit("That directory holds a database already; nothing was done.")
    os.environ["KEYTURN_DATA"] = str(data)
    async with wired(Settings(), KnownSecrets()) as up:
        await seed(up, how_many)
    print(f"Seeded {how_many} connections. Now: keyturn serve --data {data}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 240))
