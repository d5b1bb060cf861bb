"""Numbers about the database are those of its rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from keyturn.adapters.store.figures.figures import read_figures, tables_fit
from keyturn.core.connection import State
from tests.adapters.store.conftest import opened
from tests.contracts.samples import NOW, connection, record, revocation, secrets


async def test_an_empty_database(tmp_path: Path) -> None:
    """Nils, and a key."""
    async with opened(tmp_path) as stores:
        found = await read_figures(stores.database, NOW)

    assert ({}, 0, 0, 0.0, 0, None) == (
        found.connections, found.due_soon, found.overdue, found.oldest_overdue_s, found.revocations_open,
        found.audit_verified_at,
    )  # fmt: skip
    assert found.key_since is not None


async def test_what_is_counted(tmp_path: Path) -> None:
    """Connections as they are shown; what is due soon, what is late, and nothing that has ended."""
    rows = [
        connection("cxn_1", renews_at=NOW + 60),
        connection("cxn_2", renews_at=NOW - 90, paused=True),
        connection("cxn_3", renews_at=NOW - 30),
        connection("cxn_4", renews_at=NOW - 500, state=State.DISCONNECTED, paused=True),
    ]
    async with opened(tmp_path) as stores:
        for each in rows:
            await stores.connections.insert(each, secrets())
        await stores.revocations.add(revocation(), records=[record()])
        await stores.chain.note_verified(1, at=NOW - 7)
        found = await read_figures(stores.database, NOW)

    connector = rows[0].connector
    expected = {(connector, "active"): 2, (connector, "paused"): 1, (connector, "disconnected"): 1}
    assert expected == found.connections
    assert (1, 1, 90.0, 1) == (found.due_soon, found.overdue, found.oldest_overdue_s, found.revocations_open)
    assert NOW - 7 == found.audit_verified_at


@pytest.mark.parametrize("fit", [True, False], ids=["of this release", "of another"])
async def test_whose_tables_they_are(tmp_path: Path, fit: bool) -> None:
    """By the version that the database says."""
    async with opened(tmp_path) as stores:
        if not fit:
            change = sa.text("UPDATE alembic_version SET version_num = '9999'")
            await stores.database.write(lambda tx: tx.execute(change))

        assert fit is await tables_fit(stores.database)
