"""One call through the proxy, from its head to the last byte of its answer.

Rule 1: who asks is settled first, then what for, then the message itself: 401, 403, then body and object.
Rule 2: nothing is sent before the path was judged; what was judged is what is sent.
Rule 3: a call is sent twice at most, and only where all of it is still here.
Rule 4: a call that ends early says so: by a problem before the answer's head, by a broken connection after it.
Rule 5: a caller that hangs up ends its call, never a renewal that others may wait for.
Rule 6: TRACE asks for the request as it was received, and would hand the caller the token (RFC 9110 section 9.3.8).

Source: the product, "Renew" and "Call"; invariants I3 and I5.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, MutableMapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, Final

import structlog

from keyturn.core.crashes import crash_facts
from keyturn.core.errors import (
    ConnectionPaused,
    KeyturnError,
    MethodNotAllowed,
    ProviderBadResponse,
    UrlNotAllowed,
)
from keyturn.core.requests.caller_headers import METHOD_OVERRIDES
from keyturn.core.urls.allowed_urls import Reason, Target, Verdict
from keyturn.engine.abuse.rate_limits import CONNECTION, PROXY, RateLimits
from keyturn.engine.actor import Actor
from keyturn.engine.api_keys import ApiKeys, Principal
from keyturn.engine.calls.calls import Calls
from keyturn.engine.calls.request_parameters import RenderedParameters
from keyturn.engine.calls.routes import Route
from keyturn.ports.egress import Upstream, UpstreamAnswer, UpstreamRequest
from keyturn.web.dataplane.answer_head import ending_of, handed_on
from keyturn.web.dataplane.call_counts import CALLER_GONE, CUT_OFF, NO_CONNECTOR, CallCounts
from keyturn.web.dataplane.interruption import InterruptibleCall, Why
from keyturn.web.dataplane.next_step import ReconnectLink, next_url
from keyturn.web.dataplane.request_body import CallerGone, Receive, RequestBody, merged_body
from keyturn.web.dataplane.request_head import read_head
from keyturn.web.dataplane.staleness import judge_stale
from keyturn.web.kit.admission.rate_headers import Standings, beside_the_apis, standing_headers
from keyturn.web.kit.problems import ProblemAnswer, Send, problem_answer
from keyturn.web.kit.refusals import Refusals

PREFIX: Final = b"/v1/proxy/"
ROUTE: Final = "/v1/proxy/{connection}/{path}"
SCOPE: Final = "call"
EXPECT: Final = (b"expect", b"100-continue")
CLOSE: Final = (b"connection", b"close")
# RFC 9110 section 9.2.2: sending one of these again does no more than sending it once.
IDEMPOTENT: Final = frozenset(("GET", "HEAD", "OPTIONS", "PUT", "DELETE"))
ECHOING: Final = "TRACE"
ALLOWED: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

log = structlog.get_logger("keyturn.proxy")


class CutOff(Exception):
    """The answer ended before its end; the server closes the connection, so that the caller sees it."""


@dataclass(frozen=True, slots=True)
class CallParts:
    """What calls need. `reconnect_link`: makes a link that repairs a connection, for keys that may."""

    api_keys: ApiKeys
    calls: Calls
    upstream: Upstream
    counts: CallCounts
    limits: RateLimits
    refusals: Refusals
    public_url: str
    reconnect_link: ReconnectLink | None = None


class ProxiedCall(InterruptibleCall):
    """One request, and all that is known of it. An `ActiveCall`."""

    __slots__ = (
        "_answer",
        "_answering",
        "_began_at",
        "_connection_id",
        "_head",
        "_parts",
        "_path",
        "_principal",
        "_provider_s",
        "_put_on",
        "_request_id",
        "_route",
        "_scope",
        "_send",
        "_standings",
    )

    def __init__(
        self, parts: CallParts, scope: MutableMapping[str, Any], receive: Receive, send: Send, request_id: bytes
    ) -> None:
        self._began_at, self._provider_s = perf_counter(), 0.0
        self._head = read_head(scope)
        super().__init__(receive, self._head.has_body)
        self._parts = parts
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._connection_id = self._path = ""
        self._principal: Principal | None = None
        self._route: Route | None = None
        self._put_on = RenderedParameters()
        self._answer: UpstreamAnswer | None = None  # as long as there may be something to close
        self._answering = False
        self._standings: Standings | None = None  # where there is a limit

    @property
    def project(self) -> str:
        """See `ActiveCall`."""
        return self._principal.project if self._principal is not None else "default"

    @property
    def key_id(self) -> str:
        """See `ActiveCall`."""
        return self._principal.id if self._principal is not None else ""

    async def run(self) -> None:
        """Answer the request; raises CutOff where the answer broke off."""
        try:
            await self._proxy(await self._admitted())
        except CallerGone:
            self._count(CALLER_GONE)
        except asyncio.CancelledError:
            why = self._resumed()
            if why is None:
                raise
            if why is Why.CALLER_GONE:
                self._count(CALLER_GONE)
            else:
                await self._refuse(await self._why_stopped())
        except KeyturnError as error:
            await self._refuse(error)
        except Exception as error:  # noqa: BLE001  (written down by its place; answered as ours)
            log.error("call_crashed", request_id=self._request_id.decode(), **crash_facts(error))
            await self._refuse(error)
        finally:
            self._unwatch()
            self._parts.calls.leave(self._connection_id, self)
            if self._answer is not None:
                await self._answer.close()

    async def _admitted(self) -> Principal:
        """Say who calls and that the message is sound; from here on the call is under way."""
        parts, head, key = self._parts, self._head, self._head.key
        principal = parts.api_keys.recall(key) if key else None
        if principal is None:
            principal = await parts.api_keys.authenticate(key)
        self._principal = principal
        principal.require(SCOPE)
        self._take(PROXY, principal.id)
        if self._scope["method"] == ECHOING:
            raise MethodNotAllowed(extensions={"allow": list(ALLOWED)})
        head.refuse_doubtful()
        rest: str = self._scope["raw_path"][len(PREFIX) :].decode("utf-8", "surrogateescape")
        self._connection_id, slash, path = rest.partition("/")
        self._path = slash + path
        parts.calls.enter(self._connection_id, self)
        self._watch_caller()
        return principal

    async def _proxy(self, principal: Principal) -> None:
        calls, connection_id = self._parts.calls, self._connection_id
        project, connectors, owners = principal.project, principal.connectors, principal.owners
        route = calls.cached(connection_id, project=project, connectors=connectors, owners=owners)
        if route is None:
            route = await calls.route(
                connection_id, self._actor(), project=project, connectors=connectors, owners=owners
            )
        self._route = route
        self._take(CONNECTION, connection_id)
        target = self._target(route)
        answer = await self._open(route, target, await self._outgoing_body() if self._has_body else None)
        stale, whole = await judge_stale(route.stale_when, answer)
        if stale:
            answer, stale, whole = await self._after_stale(route, answer, whole)
        calls.used(self._route, worked=not stale and answer.status < 400)
        await self._hand_on(answer, whole)

    # --- on its way out

    def _target(self, route: Route) -> Target:
        """Where the call goes, and what is put on it; raises UrlNotAllowed with the reason, never with the URL."""
        method, base = self._scope["method"], route.base_for(self._head.base_url)
        if route.allowed.by_method and any(name in METHOD_OVERRIDES for name, _ in self._head.sent):
            raise UrlNotAllowed(extensions={"reason": Reason.METHOD.value})
        self._put_on = route.parameters
        if route.put_on.by_call:
            bare = _allowed(base.join(self._path, method))
            self._put_on = route.put_on.of(method, bare.path)
        query = self._put_on.with_query(self._scope["query_string"].decode("utf-8", "surrogateescape"))
        return _allowed(base.join(f"{self._path}?{query}" if query else self._path, method))

    async def _outgoing_body(self) -> AsyncIterator[bytes] | bytes:
        """The body for this call: read where parameters are merged or the call may be repeated, else streamed."""
        body = self._body = self._body or RequestBody(self._receive, self._head.content_length)
        if self._put_on.body:
            return await merged_body(body, self._head, self._put_on)
        if not body.small or (self._head.expects_continue and not body.begun):
            return body
        return await body.held()

    async def _open(self, route: Route, target: Target, body: AsyncIterator[bytes] | bytes | None) -> UpstreamAnswer:
        head = self._head
        headers, length = self._put_on.with_headers(head.sent), head.content_length
        if isinstance(body, bytes):
            length = None
        elif body is not None and head.expects_continue:
            headers = [*headers, EXPECT]
        request = UpstreamRequest(
            self._scope["method"].encode("latin-1"),
            target.scheme,
            target.host,
            target.port,
            (target.path if target.query is None else f"{target.path}?{target.query}").encode("utf-8"),
            tuple(headers),
            length,
            body is not None,
            self._connection_id,
        )
        self._sent_at = self._loop.time()
        began = perf_counter()
        answer = self._answer = await self._parts.upstream.open(request, body, route.policy)
        self._provider_s += perf_counter() - began
        return answer

    async def _after_stale(
        self, route: Route, answer: UpstreamAnswer, whole: bytes | None
    ) -> tuple[UpstreamAnswer, bool, bytes | None]:
        """The API refused the token: renew, and send the call once more if that may be done.

        Returns the answer that counts, whether it is a refusal too, and its body where it was read.
        """
        calls, method, base_url = self._parts.calls, self._scope["method"], self._head.base_url or ""
        repeatable = (answer.status == 401 or method in IDEMPOTENT) and (self._body is None or self._body.small)
        sent_at, self._sent_at = self._sent_at, None
        try:
            newer = await calls.after_stale(route, method, self._actor(), base_url=base_url)
        except KeyturnError:
            if repeatable:
                raise
            newer = None
        self._sent_at = sent_at
        if newer is None or not repeatable:
            return answer, True, whole
        await answer.close()
        self._answer, self._route = None, newer
        target = self._target(newer)
        second = await self._open(newer, target, await self._replayed_body() if self._has_body else None)
        stale, whole = await judge_stale(newer.stale_when, second)
        if stale:
            calls.replay_refused(newer, method, base_url=base_url)
        else:
            calls.replay_accepted(newer, method, base_url=base_url)
        return second, stale, whole

    async def _replayed_body(self) -> AsyncIterator[bytes] | bytes:
        if self._body is not None and not self._body.finished:
            await self._body.held()  # the API answered without asking for it; the caller is told to send it now
        return await self._outgoing_body()

    # --- on its way back

    async def _hand_on(self, answer: UpstreamAnswer, whole: bytes | None) -> None:
        status = answer.status
        if not 200 <= status <= 599:
            raise ProviderBadResponse("The API answered with a status that is none.")
        send, headers = self._send, handed_on(status, answer.headers, self._request_id)
        if whole is None:
            whole = answer.whole
        if whole is None:
            self._ending = ending_of(headers)
        self._answering = True
        if self._standings is not None:
            headers = beside_the_apis(headers, self._standings)
        took_s = perf_counter() - self._began_at
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if whole is None:
            async for piece in answer.body():
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            whole = b""
        await send({"type": "http.response.body", "body": whole})
        self._over = True
        self._answer = None
        assert self._route is not None
        self._parts.counts.answered(self._route.connector.id, status, self._provider_s, took_s)

    async def _refuse(self, error: Exception) -> None:
        """Answer with a problem; where the answer had begun, cut it off."""
        if self._answering:
            self._count(CUT_OFF)
            raise CutOff from None
        self._over = True
        answer = await self._problem(error)
        principal, request_id = self._principal, self._request_id.decode("ascii")
        actor = principal.actor_name if principal is not None else ""
        self._parts.refusals.note(error, self._scope, route=ROUTE, request_id=request_id, actor=actor)
        self._parts.counts.answered_here(self._connector_id(), answer.status)
        if self._standings is not None:
            answer = ProblemAnswer(answer.status, (*answer.headers, *standing_headers(self._standings)), answer.body)
        if self._head.fault is not None:  # who knows where the next request begins
            answer = ProblemAnswer(answer.status, (*answer.headers, CLOSE), answer.body)
        await answer.send(self._send)

    def _take(self, policy: str, subject: str) -> None:
        """Count this call; RateLimited where it is one too many."""
        standing = self._parts.limits.take(policy, subject)
        if standing is not None:
            self._standings = self._standings if self._standings is not None else Standings()
            self._standings.add(standing)

    async def _problem(self, error: Exception) -> ProblemAnswer:
        parts = self._parts
        url = await next_url(error, self._connection_id, self._principal, parts.public_url, parts.reconnect_link)
        return problem_answer(error, request_id=self._request_id.decode("ascii"), next_url=url)

    async def _why_stopped(self) -> KeyturnError:
        """Ask again what stopped the call: its key or its connection says so now."""
        principal = self._principal
        if self._answering or principal is None:
            return ConnectionPaused()
        try:
            await self._parts.api_keys.authenticate(self._head.key)
            await self._parts.calls.route(
                self._connection_id,
                self._actor(),
                project=principal.project,
                connectors=principal.connectors,
                owners=principal.owners,
            )
        except KeyturnError as error:
            return error
        return ConnectionPaused()

    def _actor(self) -> Actor:
        name = self._principal.actor_name if self._principal is not None else ""
        return Actor(name, self._request_id.decode("ascii"))

    def _count(self, outcome: str) -> None:
        self._parts.counts.ended(self._connector_id(), outcome)

    def _connector_id(self) -> str:
        return self._route.connector.id if self._route is not None else NO_CONNECTOR


def _allowed(verdict: Verdict) -> Target:
    if verdict.target is None:
        raise UrlNotAllowed(extensions={"reason": verdict.reason.value})
    return verdict.target
