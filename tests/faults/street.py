"""Several providers with ten accounts each, beside one server: whatever befalls one, it has neighbours to leave alone.

Every provider rotates strictly, ends a grant whose refresh token comes twice, and keeps a journal; what became of a
grant is judged by that (`tests/faults/runs/losses.py`), and what a caller gets by calling.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from tests.end_to_end.running import Reply, Server
from tests.end_to_end.scripted.connectors import call, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import Answer, Seen
from tests.faults.runs.journal import Journal
from tests.faults.runs.losses import Loss, losses
from tests.faults.runs.provider_hub import Journalled

ACCOUNTS = 10
PROVIDERS = 3
SERVED_WITHIN_S = 10.0  # I20
_streets = count(1)


@dataclass(slots=True)
class House:
    """One provider, its connector, and the connections of its accounts."""

    provider: Journalled
    journal: Path
    connector: str
    connections: list[dict[str, Any]] = field(default_factory=list)

    def read(self) -> Journal:
        """What the provider saw and did so far."""
        return Journal.read(self.journal)

    def refreshes(self, account: str | None = None) -> list[str]:
        """The refresh tokens that came, as fingerprints, in their order."""
        return [
            each.token for each in self.read().asked
            if each.path == "/token" and each.grant == "refresh_token" and account in (None, each.account)
        ]  # fmt: skip

    def end_access(self) -> None:
        """Every access token ends at the provider; nobody is told."""
        self.provider.end_access_tokens()


@dataclass(slots=True)
class Street:
    """The providers of one test."""

    server: Server
    houses: list[House]

    @property
    def connections(self) -> list[dict[str, Any]]:
        """All of them."""
        return [each for house in self.houses for each in house.connections]

    def neighbours(self, *struck: dict[str, Any]) -> list[dict[str, Any]]:
        """All connections but those that were struck."""
        ids = {each["id"] for each in struck}
        return [each for each in self.connections if each["id"] not in ids]

    def end_access(self) -> None:
        """Every access token ends, so that the next call of each connection needs a renewal."""
        for house in self.houses:
            house.end_access()

    def call_each(self, connections: Iterable[dict[str, Any]], server: Server | None = None) -> list[Reply]:
        """One call of each, at the same time."""
        with ThreadPoolExecutor(16) as pool:
            return list(pool.map(lambda each: call(server or self.server, each, "echo"), connections))

    def served_within(
        self, connections: Iterable[dict[str, Any]], within_s: float = SERVED_WITHIN_S, server: Server | None = None
    ) -> dict[str, tuple[int, str | None]]:
        """Call each again and again until it is served; gives those that were not in time, with the last answer."""
        deadline, left, told = time.monotonic() + within_s, list(connections), {}
        while left:
            replies = self.call_each(left, server)
            told = {
                each["id"]: (reply.status, reply.code)
                for each, reply in zip(left, replies, strict=True)
                if reply.status != 200
            }
            left = [each for each in left if each["id"] in told]
            if time.monotonic() >= deadline:
                return told
            time.sleep(0.3)
        return {}

    def losses(self, *, killed_at: Iterable[float] = (), server: Server | None = None) -> list[Loss]:
        """What was lost of each grant, by the journals."""
        found = []
        for house in self.houses:
            seen = {each["unique_id"]: shown(server or self.server, each) for each in house.connections}
            dead = house.provider.dead_families
            found += losses(house.read(), seen, dead=dead, killed_at=tuple(killed_at))
        return found

    def doubled(self) -> int:
        """How often a refresh token came that had been answered with a token."""
        return sum(house.read().doubled() for house in self.houses)

    def close(self) -> None:
        """They listen no more."""
        for house in self.houses:
            house.provider.honest_again()
            house.provider.close()


@contextmanager
def street(
    server: Server, where: Path, *, providers: int = PROVIDERS, accounts: int = ACCOUNTS, ttl: int = 3600,
    latency_s: float = 0.0, **changes: Any,
) -> Iterator[Street]:  # fmt: skip
    """Providers whose accounts are connected; `changes` as in `connector_for`."""
    built = Street(server, [])
    where.mkdir(parents=True, exist_ok=True)
    try:
        for _ in range(providers):
            built.houses.append(house(server, where, accounts=accounts, ttl=ttl, latency_s=latency_s, **changes))
        yield built
    finally:
        built.close()


def house(
    server: Server,
    where: Path,
    *,
    accounts: int = ACCOUNTS,
    ttl: int = 3600,
    latency_s: float = 0.0,
    named: str = "",
    **changes: Any,
) -> House:
    """A provider whose accounts are connected. `named`: the host in its connector, in place of the address."""
    journal = where / f"provider-{next(_streets)}.jsonl"
    provider = Journalled(journal, accounts, ttl=ttl, rotating=True, latency_s=latency_s)
    connector = connector_for(provider, **changes)
    if named:
        connector = json.loads(json.dumps(connector).replace("127.0.0.1", named))
    built = House(provider, journal, install(server, connector))
    keep: dict[str, Any] = {"keep_password": True} if "password" in changes else {}

    def one(number: int) -> dict[str, Any]:
        reply = sign_in(server, built.connector, f"u{number}", owner=f"o{number}", **keep)
        assert reply.status == 201, reply.body
        found: dict[str, Any] = reply.json()
        return found

    with ThreadPoolExecutor(6) as pool:
        built.connections = list(pool.map(one, range(accounts)))
    return built


def late(house: House, seconds: float) -> Any:
    """An honest answer that comes late: decided at once, sent after so long."""

    def answer(seen: Seen) -> Answer:
        found = house.provider.honest(seen)
        found.after_s = seconds
        return found

    return answer
