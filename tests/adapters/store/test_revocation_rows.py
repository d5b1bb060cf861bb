"""Revocations on SQLite: claimed by one of several processes, and spoilt rows set aside alone."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from keyturn.adapters.keys.key_file import make_key_file, read_key_file
from keyturn.adapters.store.lease_holder import Holder
from keyturn.adapters.store.opening import Stores
from tests.adapters.store.conftest import MovedHost, opened
from tests.contracts.samples import NOW, revocation
from tests.fakes.keys import FakeKeyProvider

ROOT = Path(__file__).resolve().parents[3]
MANY = 80
# Takes what is due as a scheduler does, and writes each down at the "provider" once it has claimed it.
SENDER = """
import asyncio, os, sys
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/src"]
from keyturn.adapters.keys.key_file import read_key_file
from tests.adapters.store.conftest import opened
from tests.contracts.samples import NOW

async def main() -> None:
    log = os.open(sys.argv[4], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with opened(Path(sys.argv[2]), read_key_file(Path(sys.argv[3])), seed=int(sys.argv[5])) as stores:
        print("ready", flush=True)
        sys.stdin.readline()
        while rows := await stores.revocations.due(NOW, limit=50):
            async def send(row):
                if await stores.revocations.claim(row.id, now=NOW, for_s=60) is None:
                    return
                os.write(log, (row.id + "\\n").encode())
                await asyncio.sleep(0.01)
                await stores.revocations.remove(row.id)
            await asyncio.gather(*(send(row) for row in rows))

asyncio.run(main())
"""


def test_two_processes_send_none_twice(tmp_path: Path) -> None:
    """I21, by the provider's log: 80 revocations, each sent by one of them."""
    key, data, log = tmp_path / "key", tmp_path / "data", tmp_path / "provider.log"
    make_key_file(key)
    asyncio.run(_fill(data, key))
    command = [sys.executable, "-c", SENDER, str(ROOT), str(data), str(key), str(log)]
    senders = [
        subprocess.Popen([*command, str(seed)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in (1, 2)
    ]
    for each in senders:
        assert each.stdout is not None
        assert "ready\n" == each.stdout.readline()
    for each in senders:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    for each in senders:
        each.communicate(timeout=60)
    ended = [each.returncode for each in senders]
    sent = Counter(log.read_text().split())

    assert [0, 0] == ended
    assert {f"rev_{number}": 1 for number in range(MANY)} == dict(sent)


async def _fill(data: Path, key: Path) -> None:
    async with opened(data, read_key_file(key)) as stores:
        for number in range(MANY):
            await stores.revocations.add(revocation(f"rev_{number}"))


class DeadHost(MovedHost):
    """A process that has died: nobody has its id."""

    def __init__(self) -> None:
        super().__init__()
        mine = self.holder
        self.holder = Holder(mine.boot_id, mine.namespace, 2**22 + 1, "1")


async def test_a_dead_claimers_row_is_taken_at_once(tmp_path: Path) -> None:
    """Of one that may live it is taken when the claim has lapsed."""
    keys = FakeKeyProvider()
    async with opened(tmp_path, keys, host=DeadHost()) as dead, opened(tmp_path, keys, seed=1) as lives:
        for name in ("rev_1", "rev_2"):
            await dead.revocations.add(revocation(name))
        await dead.revocations.claim("rev_1", now=NOW, for_s=30)
        await lives.revocations.claim("rev_2", now=NOW, for_s=30)
        async with opened(tmp_path, keys, seed=2) as third:
            due = [[each.id for each in await third.revocations.due(at, limit=9)] for at in (NOW, NOW + 30)]
            taken = [await third.revocations.claim(each, now=NOW, for_s=30) for each in ("rev_1", "rev_2")]

    assert [["rev_1"], ["rev_1", "rev_2"]] == due
    assert [True, False] == [each is not None for each in taken]


async def test_a_late_outcome_does_not_touch_anothers_claim(tmp_path: Path) -> None:
    """Who was stopped and woke up has nothing to say any more."""
    keys = FakeKeyProvider()
    async with opened(tmp_path, keys) as first, opened(tmp_path, keys, seed=1) as second:
        await first.revocations.add(revocation())
        await first.revocations.claim("rev_1", now=NOW, for_s=30)
        await second.revocations.claim("rev_1", now=NOW + 30, for_s=30)
        late = revocation(tries=9, due_at=NOW + 999)
        noted = await first.revocations.note(late)
        await first.revocations.save(late)
        await first.revocations.withdraw("rev_1")
        still = await first.revocations.due(NOW + 59, limit=9)
        (after,) = await second.revocations.due(NOW + 60, limit=9)

    assert (False, ()) == (noted, still)
    assert (0, NOW) == (after.tries, after.due_at)


SPOILT: list[Any] = [
    ("hosts", "no json", "row_broken"),
    ("hosts", '{"a": 1}', "row_broken"),
    ("done", "[", "row_broken"),
    ("cause", "a word of a newer release", "row_broken"),
    ("cause", sa.text("CAST(x'ff' AS TEXT)"), "row_broken"),
    ("sealed_tokens", b"\x00" * 200, "seal_broken"),
    ("sealed_tokens", b"", "seal_broken"),
    ("data_key", b"\x00" * 90, None),
    ("claim", "a newer release's name for a process", None),
]


@pytest.mark.parametrize(("column", "value", "why"), SPOILT)
async def test_one_spoilt_row_keeps_none_of_the_others_back(
    tmp_path: Path, column: str, value: Any, why: str | None
) -> None:
    """R6: it is set aside, by the class of what is wrong, and can be let in again; of its connection it is counted."""
    async with opened(tmp_path) as stores:
        for name in ("rev_1", "rev_2", "rev_3"):
            await stores.revocations.add(revocation(name, connection="cxn_gone"))
        await _spoil(stores, {column: value} | ({"claim_until": NOW + 9} if column == "claim" else {}))
        due = [each.id for each in await stores.revocations.due(NOW, limit=2)]
        aside = await stores.revocations.parked(), await stores.revocations.parked("cxn_gone")
        of_connection = [each.id for each in await stores.revocations.of_connection("cxn_gone")]
        claimed = await stores.revocations.claim("rev_1", now=NOW, for_s=30)
        found = await _why(stores)
        back = await stores.revocations.unpark("rev_1"), await stores.revocations.parked()

    assert ["rev_2", "rev_3"] == due
    if column == "claim":
        assert ((0, 0), None, ["rev_1", "rev_2", "rev_3"]) == (aside, claimed, of_connection)
        return
    assert ((1, 1), ["rev_2", "rev_3"], None) == (aside, of_connection, claimed)
    assert found is not None
    assert why in (None, found)
    assert (1, 0) == back


async def test_what_is_set_aside_goes_when_its_time_is_over(tmp_path: Path) -> None:
    """As any other would have."""
    async with opened(tmp_path) as stores:
        await stores.revocations.add(revocation("rev_1", give_up_at=NOW + 10))
        await _spoil(stores, {"hosts": "x"})
        await stores.revocations.due(NOW, limit=9)
        dropped = [await stores.revocations.drop_parked(at) for at in (NOW + 9, NOW + 10)]

    assert [(), ("rev_1",)] == dropped


async def _spoil(stores: Stores, values: dict[str, Any]) -> None:
    table = sa.table("revocations", sa.column("id"), *(sa.column(name) for name in values))
    change = sa.update(table).where(table.c.id == "rev_1").values(**values)
    await stores.database.write(lambda tx: tx.execute(change))


async def _why(stores: Stores) -> str | None:
    query = sa.text("SELECT parked_why FROM revocations WHERE id = 'rev_1'")
    found: str | None = await stores.database.read(lambda tx: tx.execute(query).scalar())
    return found
