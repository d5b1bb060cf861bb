"""Shares of a host's connections: a connection whose API hangs leaves the others of that host room, and waits last."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Final

import pytest

from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.adapters.egress.upstream import PooledUpstream, UpstreamLimits
from keyturn.adapters.egress.upstream_connection import UpstreamConnection
from keyturn.adapters.egress.upstream_pool import HostPool
from keyturn.core.errors import ProviderUnavailable
from tests.adapters.egress.raw_server import Talk, raw_server, whole
from tests.contracts.upstream_contract import POLICY, call

LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"),), insecure_http=True)
SHARE: Final = 16
LEFT_FREE: Final = 64
LIMIT: Final = 256


async def by_target(talk: Talk) -> None:
    """An API that answers all but what asks for /hangs."""
    while True:
        head = await talk.request()
        if b"/hangs" in head:
            await talk.gone()
            return
        await talk.send(whole(b"answered"))


@pytest.fixture
async def upstream() -> AsyncIterator[PooledUpstream]:
    """May reach loopback; who gets no connection hears so after three seconds."""
    made = PooledUpstream(SystemResolver(), LOOPBACK, limits=UpstreamLimits(connect_s=3.0))
    yield made
    await made.close()


async def ask(upstream: PooledUpstream, port: int, who: str, target: bytes = b"/v1/me") -> bytes:
    """One call of this connection."""
    answer = await upstream.open(call(port, target=target, connection_id=who), None, POLICY)
    try:
        return b"".join([piece async for piece in answer.body()])
    finally:
        await answer.close()


async def busy(upstream: PooledUpstream) -> int:
    """How many connections carry an exchange, once that has settled."""
    seen: list[int] = []
    while len(seen) < 5 or len(set(seen[-5:])) > 1:
        seen.append(sum(1 for pool in upstream._pools.values() for each in pool.connections if not each.idle))
        await asyncio.sleep(0.05)
    return seen[-1]


@contextmanager
def hanging(upstream: PooledUpstream, port: int, who: str, number: int) -> Iterator[list[asyncio.Task[bytes]]]:
    """So many calls of this connection that the API never answers."""
    tasks = [asyncio.create_task(ask(upstream, port, who, b"/hangs")) for _ in range(number)]
    try:
        yield tasks
    finally:
        for each in tasks:
            each.cancel()


async def test_callers_of_one_connection_take_no_more_than_leaves_others_room(upstream: PooledUpstream) -> None:
    """I10: 500 hang on one connection; another account of that host is answered at once, and then all is given back."""
    loop = asyncio.get_running_loop()
    async with raw_server(by_target) as server:
        with hanging(upstream, server.port, "cxn_hog", 500) as tasks:
            taken = await busy(upstream)
            began = loop.time()
            answered = [await ask(upstream, server.port, f"cxn_{n}") for n in range(20)]
            took_s = loop.time() - began
            refused = await asyncio.gather(*tasks[LIMIT:], return_exceptions=True)
        await asyncio.gather(*tasks, return_exceptions=True)
        left = await busy(upstream)
        again = await asyncio.gather(*(ask(upstream, server.port, "cxn_hog") for _ in range(100)))

    assert LIMIT - LEFT_FREE == taken
    assert [b"answered"] * 20 == answered
    assert took_s < 0.5
    assert {ProviderUnavailable} == {type(each) for each in refused}
    assert 0 == left
    assert [b"answered"] * 100 == list(again)
    assert all(not pool.held for pool in upstream._pools.values())


async def test_a_connection_has_its_share_whatever_the_others_take(upstream: PooledUpstream) -> None:
    """The neighbour: after one took all that it may, four others still get 16 each, and the fifth waits."""
    async with raw_server(by_target) as server:
        with hanging(upstream, server.port, "cxn_hog", 300):
            first = await busy(upstream)
            with (
                hanging(upstream, server.port, "cxn_a", 20),
                hanging(upstream, server.port, "cxn_b", 20),
                hanging(upstream, server.port, "cxn_c", SHARE),
                hanging(upstream, server.port, "cxn_d", SHARE - 1),
            ):
                then = await busy(upstream)
                last = await ask(upstream, server.port, "cxn_e")

    assert (LIMIT - LEFT_FREE, LIMIT - 1, b"answered") == (first, then, last)


async def test_hosts_have_nothing_to_do_with_each_other(upstream: PooledUpstream) -> None:
    """What a connection takes of one host counts at no other."""
    async with raw_server(by_target) as one, raw_server(by_target) as other:
        with hanging(upstream, one.port, "cxn_1", 300), hanging(upstream, other.port, "cxn_1", 300):
            taken = await busy(upstream)

    assert 2 * (LIMIT - LEFT_FREE) == taken


async def quiet(talk: Talk) -> None:
    """A server that says nothing."""
    await talk.gone()


class Pool:
    """A pool of four, of which one connection may have two while more than one is free."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.order: list[str] = []
        self.pool = HostPool(
            self._dial, lambda: None, limit=4, share=2, kept_free=1, wait_s=5.0, host_line=b""
        )  # fmt: skip

    async def _dial(self, pool: HostPool) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: UpstreamConnection(pool), "127.0.0.1", self._port)
        return made

    async def take(self, who: str) -> UpstreamConnection:
        """One for this connection, and note that it came."""
        found = self.pool.idle_one(who) or await self.pool.another(who)
        self.order.append(who)
        return found

    async def waiting(self, *names: str) -> list[asyncio.Task[UpstreamConnection]]:
        """Tasks that wait, in this order."""
        tasks = []
        for who in names:
            tasks.append(asyncio.create_task(self.take(who)))
            await asyncio.sleep(0)
        return tasks

    async def settled(self) -> None:
        """Everybody who can go on has."""
        for _ in range(20):
            await asyncio.sleep(0.005)


async def test_the_line_is_served_connection_by_connection() -> None:
    """Not by who asks most: each that waits gets one before any gets a second."""
    async with raw_server(quiet) as server, asyncio.timeout(5):
        one = Pool(server.port)
        held = [await one.take(who) for who in ("h1", "h2", "h3", "h4")]
        tasks = await one.waiting("a", "a", "a", "b", "c", "b")
        for each in held:
            one.pool.freed(each)
            await one.settled()
        first = one.order[4:]
        for task in tasks[0], tasks[3]:
            one.pool.freed(await task)
            await one.settled()
        second = one.order[8:]
        for each in tuple(one.pool.connections):
            each.abort()
        for task in tasks:
            task.cancel()

    assert ["a", "b", "c", "a"] == first
    assert ["b", "a"] == second


async def test_one_that_has_its_share_is_passed_over() -> None:
    """It came first and waits on, while another that came later is served."""
    async with raw_server(quiet) as server, asyncio.timeout(5):
        one = Pool(server.port)
        held = [await one.take(who) for who in ("hog", "hog", "hog", "x")]
        tasks = await one.waiting("hog", "late")
        one.pool.freed(held[3])
        await one.settled()
        passed_over = [task.done() for task in tasks]
        one.pool.freed(held[0])
        await one.settled()
        still = tasks[0].done()
        one.pool.freed(held[1])
        await one.settled()
        then = tasks[0].done()
        for each in tuple(one.pool.connections):
            each.abort()
        await asyncio.gather(*tasks)

    assert [False, True] == passed_over
    assert (False, True) == (still, then)


@pytest.mark.parametrize("gives_up", ["before", "after"])
async def test_who_gives_up_is_neither_counted_nor_served(gives_up: str) -> None:
    """Cancelled while it waits, or in the moment in which it is given one: the next gets it, and no count is left."""
    async with raw_server(quiet) as server, asyncio.timeout(5):
        one = Pool(server.port)
        held = [await one.take(who) for who in ("h", "h", "h", "x")]
        tasks = await one.waiting("a", "b")
        if gives_up == "after":
            one.pool.freed(held[3])
        tasks[0].cancel()
        await asyncio.gather(tasks[0], return_exceptions=True)
        if gives_up == "before":
            one.pool.freed(held[3])
        given = await tasks[1]
        counted = dict(one.pool.held)
        for each in tuple(one.pool.connections):
            each.abort()
        await one.settled()

    assert given is held[3]
    assert ({"h": 3, "b": 1}, {}) == (counted, dict(one.pool.held))


async def test_a_failed_dial_is_not_counted() -> None:
    """A host that can't be reached leaves nobody with less."""
    fails = True
    async with raw_server(quiet) as server, asyncio.timeout(5):
        one = Pool(server.port)

        async def dial(pool: HostPool) -> UpstreamConnection:
            if fails:
                raise ProviderUnavailable
            return await one._dial(pool)

        one.pool = HostPool(dial, lambda: None, limit=4, share=2, kept_free=1, wait_s=5.0, host_line=b"")
        for _ in range(9):
            with pytest.raises(ProviderUnavailable):
                await one.take("a")
        empty = dict(one.pool.held)
        fails = False
        taken = [await one.take("a") for _ in range(3)]
        for each in taken:
            each.abort()
        await one.settled()

    assert ({}, {}) == (empty, dict(one.pool.held))
