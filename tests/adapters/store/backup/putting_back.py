"""Putting a back-up back, as tests do."""

from __future__ import annotations

from pathlib import Path

from keyturn.adapters.sealing.data_keys import DataKeys
from keyturn.adapters.store.backup.restoring import Prospect, Restored, prepared
from keyturn.ports.keys import KeyProvider
from tests.contracts.samples import NOW
from tests.fakes.clock import FakeClock
from tests.fakes.keys import FakeKeyProvider


async def back(
    source: Path,
    database: Path,
    *,
    over_newer: bool = False,
    nothing_since: bool = False,
    keys: KeyProvider | None = None,
    at: float = NOW + 50,
) -> Restored:
    """Put it back."""
    about = prepared(
        source,
        database,
        DataKeys(keys or FakeKeyProvider()),
        over_newer=over_newer,
        nothing_since=nothing_since,
    )
    async with about as ready:
        return await ready.put_back(FakeClock(at))


async def looked_at(source: Path, database: Path, *, over_newer: bool = True) -> Prospect:
    """See what it would do, and leave it."""
    keys = DataKeys(FakeKeyProvider())
    async with prepared(source, database, keys, over_newer=over_newer, nothing_since=False) as ready:
        return ready.prospect
