"""The proxy's client: pooled connections, bodies streamed both ways, nothing done twice.

Rule 1: a call is sent again only if its kept-alive connection ended before a byte of an answer, it is idempotent, and
none of its body was taken from the caller (RFC 9110 section 9.2.2, RFC 9112 section 9.3.1); once, on a new connection.
Rule 2: limits count the API's silence, not the caller's: a caller may send and read as slowly as it likes.
Rule 3: a call that nobody waits for closes its connection.
Rule 4: no task, no lock and no timer for a call without a streamed body; one watch looks after all connections.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from keyturn.adapters.egress.dialling import DEFAULT_PORTS, Dialler, EgressAllowances, read_host
from keyturn.adapters.egress.tunnel import EgressProxy
from keyturn.adapters.egress.upstream_answer import StreamedAnswer
from keyturn.adapters.egress.upstream_connection import UpstreamConnection
from keyturn.adapters.egress.upstream_pool import HostPool
from keyturn.adapters.egress.upstream_request import IDEMPOTENT, request_head
from keyturn.core.errors import BadRequest, ProviderTimeout, ProviderUnavailable
from keyturn.ports.egress import EgressPolicy, Resolver, UpstreamAnswer, UpstreamRequest

PoolKey = tuple[str, str, int, bool, bool, str]
CONTINUE_WITHIN_S: Final = 1.0  # a server that doesn't know Expect says nothing (RFC 9110 section 10.1.1)


@dataclass(frozen=True, slots=True)
class UpstreamLimits:
    """Seconds, and connections. `connect_s` also bounds the wait for a free connection.

    Who uses `connections_each` of a host gets another only while more than `kept_free` are free.
    """

    connect_s: float = 5.0
    tls_s: float = 5.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    keep_alive_s: float = 15.0
    connections_per_host: int = 256
    connections_each: int = 16
    kept_free: int = 64


class PooledUpstream:
    """Sends proxied calls over kept-alive connections to checked addresses. An `Upstream`; lives in one event loop."""

    def __init__(
        self,
        resolver: Resolver,
        operator: EgressAllowances,
        ssl_context: ssl.SSLContext | None = None,
        limits: UpstreamLimits | None = None,
        proxy: EgressProxy | None = None,
    ) -> None:
        self._limits = limits or UpstreamLimits()
        self._dialler = Dialler(
            resolver, operator, ssl_context, connect_s=self._limits.connect_s, tls_s=self._limits.tls_s, proxy=proxy
        )
        self._pools: dict[PoolKey, HostPool] = {}
        self._watch: asyncio.TimerHandle | None = None
        self._closing = False
        self._emptied = asyncio.Event()

    async def open(
        self, request: UpstreamRequest, body: AsyncIterator[bytes] | bytes | None, policy: EgressPolicy
    ) -> UpstreamAnswer:
        """As `Upstream.open` promises."""
        if self._closing:
            raise ProviderUnavailable("shutting down")
        pool = self._pool(request, policy)
        streamed = None if body is None or isinstance(body, bytes) else body
        held = body if isinstance(body, bytes) else None
        head = request_head(request, pool.host_line, held, streamed is not None)
        repeatable = request.method in IDEMPOTENT
        who = request.connection_id
        connection = pool.idle_one(who)
        while True:
            if connection is None:
                connection = await pool.another(who)
            answer = StreamedAnswer(asyncio.get_running_loop(), request.method == b"HEAD")
            connection.begin(answer, head, streamed is None)
            if streamed is not None:
                _send_body(connection, answer, streamed, request)
            try:
                await answer.head()
            except BaseException:
                answer.abandon()
                stale = connection.exchanges > 1 and answer.broken_by_peer and not answer.heard
                if not (stale and repeatable) or answer.consumed:
                    raise
                connection, repeatable = None, False
                pool = self._pool(request, policy)  # the old one is gone where that connection was its last
            else:
                return answer

    async def close(self, grace_s: float = 0.0) -> None:
        """As `Upstream.close` promises."""
        self._closing = True
        for pool in self._pools.values():
            pool.closing = True
            pool.drop_idle()
        if self._pools:
            self._emptied.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._emptied.wait()
        for connection in self._connections():
            connection.fail(ProviderUnavailable("shutting down"))
        if self._watch is not None:
            self._watch.cancel()
        await asyncio.sleep(0)  # so that the transports hear of it

    def _pool(self, request: UpstreamRequest, policy: EgressPolicy) -> HostPool:
        identity = "" if policy.tls is None else policy.tls.name
        key = (request.scheme, request.host, request.port, policy.private_network, policy.insecure_http, identity)
        return self._pools.get(key) or self._new_pool(key, policy)

    def _new_pool(self, key: PoolKey, policy: EgressPolicy) -> HostPool:
        scheme, host, port, *_ = key
        name = read_host(host)
        suffix = "" if port == DEFAULT_PORTS.get(scheme) else f":{port}"

        async def dial(pool: HostPool) -> UpstreamConnection:
            _, made = await self._dialler.dial(lambda: UpstreamConnection(pool), scheme, host, port, policy, policy.tls)
            self._watch_over()
            return made

        pool = HostPool(
            dial,
            lambda: self._forget(key),
            limit=self._limits.connections_per_host,
            share=self._limits.connections_each,
            kept_free=self._limits.kept_free,
            wait_s=self._limits.connect_s,
            host_line=f"host: {name}{suffix}\r\n".encode("ascii"),
        )
        self._pools[key] = pool
        return pool

    def _forget(self, key: PoolKey) -> None:
        self._pools.pop(key, None)
        if not self._pools:
            self._emptied.set()

    # --- the watch

    def _connections(self) -> list[UpstreamConnection]:
        return [connection for pool in self._pools.values() for connection in pool.connections]

    def _watch_over(self) -> None:
        if self._watch is None:
            limits = self._limits
            tick = min(1.0, limits.first_byte_s / 4, limits.idle_s / 4, limits.keep_alive_s / 4)
            self._watch = asyncio.get_running_loop().call_later(tick, self._look)

    def _look(self) -> None:
        """Once a second: end what has been silent for too long. Silence is counted from the look that first saw it."""
        self._watch = None
        limits = self._limits
        now = asyncio.get_running_loop().time()
        for connection in self._connections():
            if connection.stirred:
                connection.stirred = False
                connection.quiet_since = now
            elif not connection.idle and connection.waits_for_the_api:
                limit = limits.idle_s if connection.in_body else limits.first_byte_s
                if now - connection.quiet_since >= limit:
                    connection.fail(ProviderTimeout("no answer within the time limit"))
            elif not connection.idle:
                connection.quiet_since = now
        for pool in tuple(self._pools.values()):
            pool.drop_idle(now - limits.keep_alive_s)
        if self._pools:
            self._watch_over()


def _send_body(
    connection: UpstreamConnection, answer: StreamedAnswer, body: AsyncIterator[bytes], request: UpstreamRequest
) -> None:
    if any(name == b"expect" for name, _ in request.headers):
        answer.go_ahead = asyncio.Event()
    pump = asyncio.get_running_loop().create_task(_pump(connection, answer, body, request.content_length))
    answer.pump = pump


async def _pump(
    connection: UpstreamConnection, answer: StreamedAnswer, body: AsyncIterator[bytes], length: int | None
) -> None:
    """Hand the body on as fast as the API takes it. Whatever goes wrong ends the exchange, never this task."""
    try:
        if answer.go_ahead is not None and not await _may_go_on(answer):
            return
        answer.consumed = True
        sent = 0
        async for piece in body:
            sent += len(piece)
            if length is not None and sent > length:
                raise BadRequest("a body longer than stated")
            if not piece:
                continue
            framed = piece if length is not None else b"%x\r\n%b\r\n" % (len(piece), piece)
            if not connection.write(answer, framed):
                return
            if sent == length:
                connection.end_request(answer)
            if connection.writing_paused:
                await connection.drained()
        if length is None:
            connection.write(answer, b"0\r\n\r\n")
        elif sent < length:
            raise BadRequest("a body shorter than stated")
        connection.end_request(answer)
    except asyncio.CancelledError:
        pass  # by the exchange's end; nobody else knows this task
    except Exception as error:  # noqa: BLE001  the caller's own: its call raises it
        answer.fail(error)
        if answer.source is not None:
            answer.source.abort()
        answer.wake()


async def _may_go_on(answer: StreamedAnswer) -> bool:
    """Wait for 100 (Continue), or long enough; False where the final answer came instead."""
    assert answer.go_ahead is not None
    with suppress(TimeoutError):
        async with asyncio.timeout(CONTINUE_WITHIN_S):
            await answer.go_ahead.wait()
    return not answer.head_over and answer.error is None
