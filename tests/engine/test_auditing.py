"""Exports, anchors, sinks, and erasing a person, over fakes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from keyturn.core.audit.chain import SUBJECT, Entry
from keyturn.core.audit.checkpoint import Checkpoint, Kind, checkpoint_in
from keyturn.core.audit.exported import check_export
from keyturn.core.connection import State
from keyturn.core.errors import AuditUnavailable, StoreUnavailable, ValidationFailed
from keyturn.core.messages import Answer
from keyturn.engine.actor import Actor
from keyturn.engine.audit.keeping import AuditKeeper
from keyturn.engine.audit.reading import ReadAudit
from keyturn.engine.audit.verify import VerifyAudit
from keyturn.engine.login.connect_sessions import SessionRequest
from keyturn.ports.audit import AuditFilter
from tests.contracts.samples import record
from tests.engine.story import ACTOR, log_in, publish, token
from tests.fakes.application import FakeWorld, make_world


class Sink:
    """Keeps what it was sent; `broken`: takes nothing."""

    def __init__(self) -> None:
        self.sent: list[int] = []
        self.broken = False

    async def send(self, entries: Sequence[Entry]) -> None:
        """Take some."""
        if self.broken:
            raise AuditUnavailable("gone")
        self.sent += [each.seq for each in entries]

    async def close(self) -> None:
        """Nothing to close."""


class Heads:
    """An anchor file in memory."""

    def __init__(self) -> None:
        self.lines: list[Checkpoint] = []

    async def append(self, head: Checkpoint) -> None:
        """Add one."""
        self.lines.append(head)

    async def read(self) -> Sequence[Checkpoint]:
        """All of them."""
        return self.lines

    async def newest(self) -> Checkpoint | None:
        """The last one."""
        return self.lines[-1] if self.lines else None


async def noted(world: FakeWorld, number: int) -> None:
    """So many records more."""
    await world.stores.audit.append([record(f"a.{n}", facts={}) for n in range(number)])


def keeper_of(world: FakeWorld, *, sink: Sink | None = None, heads: Heads | None = None) -> AuditKeeper:
    """The loops' work, without the loops."""
    return AuditKeeper(world.stores.chain, world.clock, world.stores.leases, anchor_file=heads, sink=sink)


async def test_reads_are_recorded_by_the_hour() -> None:
    """One of each reader, whichever process answers, and another in the next hour; else nothing is written."""
    world = make_world()
    hour = 3600.0
    world.clock.advance(hour - world.clock.now() % hour)
    here = world.application.auditing.read
    there = ReadAudit(world.stores.chain, world.stores.audit, world.clock)
    for read, after_s in ((here, 0.0), (there, 0.0), (here, hour - 1.0), (there, 1.0)):
        world.clock.advance(after_s)
        await read.page(AuditFilter(), ACTOR, cursor=None, limit=1)
        await read.entry(1, Actor("person:1"))
    written = len(world.stores.database.writes)
    await there.page(AuditFilter(), ACTOR, cursor=None, limit=1)
    reads = [each for each in world.stores.database.records if each.action == "audit.read"]

    assert [(ACTOR.name, 0.0), ("person:1", 0.0)] * 2 == [(each.actor, each.at % hour) for each in reads]
    assert written == len(world.stores.database.writes)


async def test_an_export_is_recorded_and_whole() -> None:
    """All of a project's records, the export itself among them, with a signed end."""
    world = make_world()
    await noted(world, 1200)
    await world.stores.audit.append([record("other", project="other")])
    lines = b"".join([piece async for piece in await world.application.auditing.export.begin(ACTOR)]).splitlines(True)
    checkpoint, entries, fault = check_export(lines, world.stores.chain.is_signed)

    assert (1201, None) == (entries, fault)
    assert checkpoint is not None
    assert "audit.exported" == json.loads(lines[-2])["action"]


async def test_a_part_is_exported() -> None:
    """From `since` on and before `until`."""
    world = make_world()
    await world.stores.audit.append([record(f"a.{at}", at=float(at)) for at in range(5)])
    export = await world.application.auditing.export.begin(ACTOR, since=1.0, until=3.0)
    lines = b"".join([piece async for piece in export]).splitlines()

    assert ["a.1", "a.2"] == [json.loads(each)["action"] for each in lines[:-1]]
    assert 2 == checkpoint_in(json.loads(lines[-1])).entries


async def test_nothing_is_exported_that_can_not_be_recorded() -> None:
    """Where the log can't be written, the export fails before its first line."""
    world = make_world()
    world.stores.database.failing_writes = 1

    with pytest.raises(StoreUnavailable):
        await world.application.auditing.export.begin(ACTOR)


async def test_a_sink_gets_each_record_once_and_in_order() -> None:
    """From its first look on; what it did not take, it is sent again."""
    world, sink = make_world(), Sink()
    keeper = keeper_of(world, sink=sink)
    await noted(world, 2)
    await keeper.send()
    await noted(world, 2)
    sink.broken = True
    with pytest.raises(AuditUnavailable):
        await keeper.send()
    sink.broken = False
    await keeper_of(world, sink=sink).send()
    await keeper.send()

    assert [3, 4] == sink.sent


async def test_of_two_processes_one_sends() -> None:
    """Who finds the lease taken leaves the work to its holder."""
    world, sink = make_world(), Sink()
    keeper = keeper_of(world, sink=sink)
    await keeper.send()
    await noted(world, 1)
    held = await world.stores.leases.acquire("audit sink", for_s=60)
    await keeper.send()

    assert held is not None
    assert [] == sink.sent


async def test_the_head_is_anchored_where_it_moved() -> None:
    """Signed; not again as long as nothing happened; and once more at the end."""
    world, heads = make_world(), Heads()
    keeper = keeper_of(world, heads=heads)
    await noted(world, 2)
    await keeper.anchor()
    await keeper.anchor()
    await noted(world, 1)
    await keeper.stop()

    assert [2, 3] == [each.seq for each in heads.lines]
    assert all(world.stores.chain.is_signed(each) and each.kind is Kind.HEAD for each in heads.lines)
    assert (await VerifyAudit(world.stores.chain, world.stores.connections, heads)()).ok


async def test_a_head_that_the_caller_kept() -> None:
    """Is held against the log as those of the file are."""
    world = make_world()
    await noted(world, 3)
    verify, head = world.application.auditing.verify, (await world.stores.chain.bounds()).head
    right, beyond, other = [await verify(anchor=each) for each in (head, (9, head[1]), (2, head[1]))]

    assert right.ok
    assert beyond.anchors.fault is not None
    assert other.anchors.fault is not None
    assert ["cut_off", "rewritten"] == [beyond.anchors.fault.what, other.anchors.fault.what]


@pytest.mark.parametrize(
    ("first", "last", "since", "entries", "head"),
    [
        pytest.param(None, 3, 1, 3, 3, id="to here"),
        pytest.param(4, None, 4, 3, 6, id="from here"),
        pytest.param(2, 4, 2, 3, 4, id="from here to there"),
        pytest.param(6, 6, 6, 1, 6, id="the newest alone"),
    ],
)
async def test_a_stretch_of_the_log(first: int | None, last: int | None, since: int, entries: int, head: int) -> None:
    """As many records as it has; that the whole log was right is not noted of it."""
    world = make_world()
    await noted(world, 6)
    verdict = await world.application.auditing.verify(first=first, last=last)

    assert verdict.ok
    assert (since, entries, head, False) == (verdict.since, verdict.entries, verdict.head[0], verdict.whole)
    assert await world.stores.chain.verified_at() is None


@pytest.mark.parametrize(("first", "last"), [(4, 3), (7, None), (None, 7)])
async def test_there_is_no_such_stretch(first: int | None, last: int | None) -> None:
    """One that ends before it begins, or lies beyond the newest record."""
    world = make_world()
    await noted(world, 6)

    with pytest.raises(ValidationFailed):
        await world.application.auditing.verify(first=first, last=last)


async def test_a_stretch_is_held_against_the_heads_within_it() -> None:
    """A head of another record in it is told, with both MACs; one beyond it is not looked at."""
    world = make_world()
    await noted(world, 6)
    verify, mac = world.application.auditing.verify, bytes(32)
    within, beyond = await verify(anchor=(3, mac), last=4), await verify(anchor=(5, mac), last=4)
    later, whole = await verify(anchor=(99, mac), last=4), await verify(anchor=(99, mac))
    entry = await world.stores.chain.entry(3)

    assert entry is not None
    assert within.anchors.fault is not None
    assert (mac.hex(), entry.mac.hex()) == (within.anchors.fault.expected, within.anchors.fault.found)
    assert (1, 0, 0, 1) == tuple(each.anchors.checked for each in (within, beyond, later, whole))
    assert beyond.ok
    assert later.ok  # of an end that was cut off, the whole log speaks
    assert "cut_off" == getattr(whole.anchors.fault, "what", "")


async def test_a_changed_record_does_not_give_its_new_mac_away() -> None:
    """Of the MAC that it should have, the beginning is told: in full it would serve who changed it."""
    world = make_world()
    await noted(world, 3)
    stored = (await world.stores.chain.entries(1, limit=1))[0]
    changed = replace(stored, record=replace(stored.record, actor="key:nobody"))
    world.stores.chain.tampered = lambda entries: [changed if each.seq == 2 else each for each in entries]
    fault = (await world.application.auditing.verify()).first_bad

    assert fault is not None
    assert ("changed", 8, stored.mac.hex()) == (fault.what, len(fault.expected), fault.found)


async def test_a_real_story_verifies() -> None:
    """Connecting, renewing, disconnecting: each generation that a row has is one that the log knows."""
    world = make_world()
    await publish(world)
    connected = await log_in(world, token(at=world.clock.now()))
    world.egress.will_reply(token(2, at=world.clock.now()))
    await world.application.renewals.renew(connected.connection.id, generation=connected.connection.generation)
    verdict = await world.application.auditing.verify()

    assert verdict.ok
    assert 1 == verdict.generations.checked


async def test_an_owner_is_erased() -> None:
    """Connections ended and nameless, links gone, the log without the name; the provider is told."""
    world = make_world()
    await publish(world)
    connected = await log_in(world, token(at=world.clock.now()))
    link = await world.application.connect_sessions.create(SessionRequest("acme", "owner-1"), ACTOR)
    world.egress.will_reply(Answer(200), Answer(200))
    erased = await world.application.erase_owner("owner-1", ACTOR)
    tombstone = await world.stores.connections.load(connected.connection.id)
    again = await world.application.erase_owner("owner-1", ACTOR)

    assert tombstone is not None
    assert (1, State.DISCONNECTED, "") == (erased.connections, tombstone.state, tombstone.name)
    assert SUBJECT.fullmatch(tombstone.owner)
    assert 1 == sum(erased.revocation.values())
    assert (0, {}) == (again.connections, dict(again.revocation))
    assert await world.stores.sessions.load(link.session.id) is None
    assert [] == [each for each in world.stores.database.records if each.owner == "owner-1"]
    assert (await world.application.auditing.verify()).ok


async def test_an_owner_that_can_not_be() -> None:
    """No text of that length names anybody."""
    with pytest.raises(ValidationFailed):
        await make_world().application.erase_owner("", ACTOR)
