"""A store on a fresh SQLite file, with time that a test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from keyturn.adapters.store.lease_holder import Holder, Host
from keyturn.adapters.store.opening import Stores, open_store
from keyturn.core.connector import Connector
from keyturn.ports.keys import KeyProvider
from tests.contracts import samples
from tests.contracts.lease_contract import Pass
from tests.contracts.renewal_store_contract import AsProcess
from tests.fakes.clock import FakeClock
from tests.fakes.entropy import FakeEntropy
from tests.fakes.fresh_tables import fresh_tables_at_once
from tests.fakes.keys import FakeKeyProvider


class MovedHost(Host):
    """This process, with a monotonic clock that stands still until a test moves it on."""

    def __init__(self) -> None:
        super().__init__()
        self._now = super().monotonic()

    def monotonic(self) -> float:
        """The machine's time when this was made, and what was added."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds

    def is_dead(self, other: Holder) -> bool:
        """Whoever this process says that it is lives."""
        return other != self.holder and super().is_dead(other)


def dumped(connector: Connector) -> Mapping[str, Any]:
    """Write one of the samples' connectors."""
    return {"id": connector.id, "title": connector.title}


def loaded(document: Mapping[str, Any]) -> Connector:
    """Read it back."""
    return samples.connector(document["id"], document["title"])


@asynccontextmanager
async def opened(
    data_dir: Path,
    keys: KeyProvider | None = None,
    *,
    host: Host | None = None,
    database_url: str | None = None,
    seed: int = 0,
    lost_key: str | None = None,
    release: str | None = None,
) -> AsyncIterator[Stores]:
    """Open a store for the length of a test."""
    stores = await open_store(
        data_dir,
        keys or FakeKeyProvider(),
        FakeClock(auto=True),
        FakeEntropy(seed),
        dump=dumped,
        load=loaded,
        host=host,
        database_url=database_url,
        lost_key=lost_key,
        release=release,
    )
    try:
        yield stores
    finally:
        await stores.close()


@pytest.fixture(scope="module", autouse=True)
def _fresh_tables() -> Iterator[None]:
    """Not in test_opening.py, whose business the steps are."""
    with fresh_tables_at_once():
        yield


@pytest.fixture(name="host")
def _host() -> MovedHost:
    return MovedHost()


@pytest.fixture(name="keys")
def _keys() -> FakeKeyProvider:
    return FakeKeyProvider()


@pytest.fixture(name="stores")
async def _stores(tmp_path: Path, host: MovedHost, keys: FakeKeyProvider) -> AsyncIterator[Stores]:
    async with opened(tmp_path / "data", keys, host=host) as stores:
        yield stores


@pytest.fixture(name="pass_time")
def _pass_time(host: MovedHost) -> Pass:
    return host.advance


@pytest.fixture(name="as_process")
def _as_process(host: MovedHost) -> AsProcess:
    mine = host.holder
    others = {
        "another boot": replace(mine, boot_id="another"),
        "another start": replace(mine, started="1"),
        "another container": replace(mine, namespace="pid:[another]", started="1"),
    }

    @contextmanager
    def another(who: str) -> Iterator[None]:
        host.holder = others[who]
        yield
        host.holder = mine

    return another
