"""Two processes on one database: no write is lost, one lease has one holder, and a dead one has none."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from keyturn.adapters.keys.key_file import make_key_file
from keyturn.adapters.store.lease_holder import Holder, Host
from keyturn.adapters.store.opening import Stores
from keyturn.core.connection import Connection, Intent, IntentKind
from keyturn.ports.store import RevisionConflict, SealedChange
from tests.adapters.store.conftest import MovedHost, opened
from tests.contracts.samples import NOW, connection, secrets, token_set

ROOT = Path(__file__).resolve().parents[3]
OTHER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
sys.path[:0] = [sys.argv[1], sys.argv[1] + "/src"]
from keyturn.adapters.keys.key_file import read_key_file
from keyturn.core.connection import Intent, IntentKind
from keyturn.ports.store import RevisionConflict, SealedChange
from tests.adapters.store.conftest import opened
from tests.contracts.samples import token_set

async def renew(stores, times):
    done = 0
    while done < times:
        current = await stores.connections.load("cxn_1")
        new = replace(current, generation=current.generation + 1)
        try:
            await stores.connections.save(new, sealed=SealedChange(token_set=token_set(str(new.generation))))
            done += 1
        except RevisionConflict:
            continue

async def main() -> None:
    async with opened(Path(sys.argv[2]), read_key_file(Path(sys.argv[3])), seed=7) as stores:
        print("ready", flush=True)
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            if word == "renew":
                await renew(stores, int(rest))
                print("renewed", flush=True)
            elif word == "claim":
                found = await stores.renewals.read(rest)
                intent = Intent(IntentKind.REFRESH, found.connection.generation, "att_other", 1.0)
                print(await stores.renewals.claim(found.connection, replace(found.connection, intent=intent), now=1.0)
                      is not None, flush=True)
            elif word == "acquire":
                print(await stores.leases.acquire(rest, for_s=60) is not None, flush=True)

asyncio.run(main())
"""


class Other:
    """Another process with the same store."""

    def __init__(self, data_dir: Path, key: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", OTHER, str(ROOT), str(data_dir), str(key)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert "ready\n" == self.process.stdout.readline()

    def say(self, line: str) -> None:
        """Give it something to do."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Wait for what it answers."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """Let it end, or kill it where it does not."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        finally:
            self.process.kill()
            self.process.wait()
            assert self.process.stdout is not None
            self.process.stdout.close()


async def test_of_two_processes_no_write_is_lost(tmp_path: Path) -> None:
    """Both renew as fast as they can: every generation is written once, and the last token set is the newest."""
    key = make_key_file(tmp_path / "key")
    async with opened(tmp_path / "data", key) as stores:
        await stores.connections.insert(connection(), secrets("1"))
        other = Other(tmp_path / "data", tmp_path / "key")
        try:
            other.say("renew 60")
            await _renew(stores, 60)
            said = other.answer()
        finally:
            other.end()
        found = await stores.connections.open("cxn_1")

    assert "renewed" == said
    assert found is not None
    assert (121, 120) == (found[0].generation, found[0].revision)
    assert token_set("121") == found[1].token_set


async def _renew(stores: Stores, times: int) -> None:
    while times:
        current = await stores.connections.load("cxn_1")
        assert current is not None
        new = replace(current, generation=current.generation + 1)
        try:
            await stores.connections.save(new, sealed=SealedChange(token_set=token_set(str(new.generation))))
            times -= 1
        except RevisionConflict:
            continue


async def test_a_dead_holder_has_no_lease(tmp_path: Path) -> None:
    """A lease of a process that was killed is free at once; that of a living one is not."""
    key = make_key_file(tmp_path / "key")
    async with opened(tmp_path / "data", key) as stores:
        other = Other(tmp_path / "data", tmp_path / "key")
        try:
            other.say("acquire a")
            taken = other.answer()
            while_alive = await stores.leases.acquire("a", for_s=15)
            other.process.kill()
            other.process.wait(10)
            after = await stores.leases.acquire("a", for_s=15)
        finally:
            other.process.kill()
            other.end()

    assert "True" == taken
    assert while_alive is None
    assert after is not None


async def test_what_a_dead_process_claimed_is_free_at_once(tmp_path: Path) -> None:
    """While it lives nobody else claims the row; once it was killed the next one does, and reads its intent."""
    key = make_key_file(tmp_path / "key")
    async with opened(tmp_path / "data", key) as stores:
        await stores.connections.insert(connection("a", renews_at=NOW), secrets())
        other = Other(tmp_path / "data", tmp_path / "key")
        try:
            other.say("claim a")
            taken = other.answer()
            alive = await stores.renewals.read("a")
            assert alive is not None
            refused = await stores.renewals.claim(alive.connection, _declared(alive.connection), now=NOW)
            both = await stores.processes.beat()
            hidden = await stores.connections.looks(NOW, room={}, most=9, limit=9)
            other.process.kill()
            other.process.wait(10)
            dead = await stores.renewals.read("a")
            assert dead is not None
            claimed = await stores.renewals.claim(dead.connection, _declared(dead.connection), now=NOW)
            alone = await stores.processes.beat()
            await stores.renewals.settle(claimed.connection, dead.connection) if claimed else None
            seen = await stores.connections.looks(NOW, room={}, most=9, limit=9)
        finally:
            other.process.kill()
            other.end()

    assert ("True", True, None, 2) == (taken, alive.held, refused, both)
    assert (False, "att_other", 1) == (dead.held, dead.connection.intent and dead.connection.intent.attempt, alone)
    assert claimed is not None
    assert ([], ["a"]) == ([each.id for each in hidden], [each.id for each in seen])


async def test_a_process_that_beats_no_more_has_no_claim(tmp_path: Path) -> None:
    """It may be stopped or on a machine of its own: what it holds is free 15 s after its last beat, and not before."""
    earlier, later = MovedHost(), MovedHost()
    earlier.holder = replace(earlier.holder, namespace="pid:[another]", started="1")
    async with opened(tmp_path, host=earlier) as theirs, opened(tmp_path, host=later) as ours:
        await theirs.connections.insert(connection("a"), secrets())
        found = await theirs.renewals.read("a")
        assert found is not None
        await theirs.renewals.claim(found.connection, _declared(found.connection), now=NOW)
        later.advance(14)
        early = await ours.renewals.read("a")
        later.advance(2)
        late = await ours.renewals.read("a")

    assert early is not None
    assert late is not None
    assert (True, False) == (early.held, late.held)


def _declared(read: Connection) -> Connection:
    return replace(read, intent=Intent(IntentKind.REFRESH, read.generation, "att_ours", NOW))


async def test_a_zombie_has_no_lease(tmp_path: Path) -> None:
    """A killed process that nobody has waited for yet is dead too."""
    key = make_key_file(tmp_path / "key")
    async with opened(tmp_path / "data", key) as stores:
        other = Other(tmp_path / "data", tmp_path / "key")
        try:
            other.say("acquire a")
            taken = other.answer()
            other.process.kill()
            assert other.process.stdout is not None
            other.process.stdout.read()  # its end of the pipe closes when it dies; nobody has waited for it
            for _ in range(200):
                after = await stores.leases.acquire("a", for_s=15)
                if after is not None:
                    break
        finally:
            other.end()

    assert "True" == taken
    assert after is not None


@pytest.mark.parametrize(
    ("change", "dead"),
    [
        pytest.param({}, False, id="this process"),
        pytest.param({"started": "1"}, True, id="its id, given to another process since"),
        pytest.param({"pid": 2**22 + 1}, True, id="a process id that nobody has"),
        pytest.param({"boot_id": "another"}, True, id="before the last boot"),
        pytest.param({"namespace": "pid:[1]", "started": "1"}, False, id="another container: can't be known"),
        pytest.param({"started": ""}, False, id="no start time: can't be known"),
    ],
)
def test_who_is_dead(change: dict[str, object], dead: bool) -> None:
    """Only a holder that is known to be gone."""
    host = Host()
    holder = replace(host.holder, **change)  # type: ignore[arg-type]

    assert dead == host.is_dead(holder)
    assert holder == Holder.parse(str(holder))


async def test_a_lease_of_an_earlier_boot_counts_for_nothing(tmp_path: Path) -> None:
    """Its clock is not ours."""
    earlier, now = MovedHost(), MovedHost()
    earlier.holder = replace(earlier.holder, boot_id="earlier")
    async with opened(tmp_path, host=earlier) as stores:
        await stores.leases.acquire("a", for_s=3000)
    async with opened(tmp_path, host=now) as stores:
        assert await stores.leases.acquire("a", for_s=15) is not None


async def test_a_lease_from_a_clock_far_ahead_counts_for_nothing(tmp_path: Path) -> None:
    """Where boots can't be told apart, a lease that would last for hours is of an earlier one."""
    ahead, now = MovedHost(), MovedHost()
    ahead.advance(7200)
    for each in (ahead, now):
        each.holder = replace(each.holder, boot_id="")
    async with opened(tmp_path, host=ahead) as stores:
        await stores.leases.acquire("a", for_s=15)
    async with opened(tmp_path, host=now) as stores:
        assert await stores.leases.acquire("a", for_s=15) is not None
