"""Places for connections are neither lost nor doubled, whoever gives up when."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.adapters.egress.upstream_connection import UpstreamConnection
from keyturn.adapters.egress.upstream_pool import HostPool
from keyturn.core.errors import ProviderUnreachable
from tests.adapters.egress.raw_server import RawServer, Talk, raw_server


async def quiet(talk: Talk) -> None:
    """A server that says nothing."""
    await talk.gone()


class Pool:
    """A pool of one place, and how it dials."""

    def __init__(self, server: RawServer) -> None:
        self._port = server.port
        self.fails = False
        self.emptied = 0
        self.pool = HostPool(self._dial, self._on_empty, limit=1, share=16, kept_free=64, wait_s=5.0, host_line=b"")

    def _on_empty(self) -> None:
        self.emptied += 1

    async def _dial(self, pool: HostPool) -> UpstreamConnection:
        await asyncio.sleep(0)
        if self.fails:
            raise ProviderUnreachable
        loop = asyncio.get_running_loop()
        _, made = await loop.create_connection(lambda: UpstreamConnection(pool), "127.0.0.1", self._port)
        return made


async def test_a_connection_given_to_who_gave_up_goes_back() -> None:
    """Given and cancelled in the same moment."""
    async with raw_server(quiet) as server:
        one = Pool(server)
        connection = await one.pool.another("cxn_1")
        waiting = asyncio.create_task(one.pool.another("cxn_1"))
        await asyncio.sleep(0)
        one.pool.freed(connection)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        found = one.pool.idle_one("cxn_1")
        connection.abort()

    assert waiting.cancelled()
    assert connection is found


async def test_a_place_given_to_who_gave_up_goes_to_the_next() -> None:
    """The connection ended, and the first who waited for its place left in the same moment."""
    async with raw_server(quiet) as server, asyncio.timeout(5):
        one = Pool(server)
        connection = await one.pool.another("cxn_1")
        first, second = (asyncio.create_task(one.pool.another("cxn_1")) for _ in range(2))
        await asyncio.sleep(0)
        connection.abort()
        one.pool.lost(connection)
        first.cancel()
        found = await second
        found.abort()

    assert first.cancelled()
    assert (2, True) == (server.connections, found is not connection)


async def test_a_connection_that_ended_on_its_way_is_replaced() -> None:
    """Who waited gets a new one."""
    async with raw_server(quiet) as server, asyncio.timeout(5):
        one = Pool(server)
        connection = await one.pool.another("cxn_1")
        waiting = asyncio.create_task(one.pool.another("cxn_1"))
        await asyncio.sleep(0)
        one.pool.freed(connection)
        connection.abort()
        found = await waiting
        found.abort()

    assert found is not connection
    assert 2 == server.connections


async def test_a_failed_dial_gives_its_place_up() -> None:
    """To who waits; with the last of them the pool is empty, and says so once."""
    async with raw_server(quiet) as server, asyncio.timeout(5):
        one = Pool(server)
        one.fails = True
        both = [asyncio.create_task(one.pool.another("cxn_1")) for _ in range(2)]
        found = await asyncio.gather(*both, return_exceptions=True)

        with pytest.raises(ProviderUnreachable):
            await one.pool.another("cxn_1")

    assert [ProviderUnreachable] * 2 == [type(error) for error in found]
    assert 2 == one.emptied
