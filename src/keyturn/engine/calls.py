"""Calls through a connection: which token goes along, and what a refused one leads to.

Rule 1: on the warm path nothing is read, opened or locked: a route is there or it is made.
Rule 2: a route is dropped at the moment a write of its connection commits; a call that waits for a token sees it.
Rule 3: a stale answer causes at most one renewal and one replay; what that does not cure is about rights.

Source: the product, "Renew" and "Call"; invariants I3, I7 and L1 of the threat model.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from keyturn.core.connection import Connection, State
from keyturn.core.errors import KeyturnError, NeedsReconnect, NotFound, RenewalNotPossible, StoreUnavailable
from keyturn.core.public_suffixes import PublicSuffixes
from keyturn.core.retry import quiet_s
from keyturn.engine.actor import SCHEDULER, Actor
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renew import Renewals, refuse_unusable
from keyturn.engine.routes import Route, make_route
from keyturn.engine.template_values import connection_values
from keyturn.engine.test_connection import TestCalls
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionStore, Use

ROUTES_KEPT: Final = 10_000
YOUNG_S: Final = 60.0  # a generation that never worked causes no renewal before this
ENDING_GRACE_S: Final = 10.0
QUIET_KEPT: Final = 10_000

log = structlog.get_logger("keyturn.calls")


class ActiveCall(Protocol):
    """A call that is under way at an API."""

    def end_within(self, seconds: float) -> None:
        """End it: an ordinary call by this deadline, a stream or tunnel at once."""
        ...


@dataclass(slots=True)
class _Quiet:
    refusals: int
    until: float  # monotonic


class Calls:
    """Routes by connection, and the rules for stale answers."""

    def __init__(
        self,
        connections: ConnectionStore,
        published: PublishedConnectors,
        renewals: Renewals,
        tests: TestCalls,
        suffixes: PublicSuffixes,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._published = published
        self._renewals = renewals
        self._tests = tests
        self._suffixes = suffixes
        self._clock = clock
        self._started_at = clock.now()
        self._routes: OrderedDict[str, Route] = OrderedDict()
        self._quiet: OrderedDict[tuple[str, str, str], _Quiet] = OrderedDict()
        self._active: dict[str, set[ActiveCall]] = {}
        self._uses: dict[str, Use] = {}
        self._writes = 0

    def cached(self, connection_id: str) -> Route | None:
        """The route, if it is ready and its token has not ended."""
        route = self._routes.get(connection_id)
        if route is None or route.ended(self._clock.now()):
            return None
        return route

    async def route(self, connection_id: str, actor: Actor = SCHEDULER, *, project: str = "default") -> Route:
        """A route whose token has not ended; renews if it has.

        Raises:
            NotFound, ConnectionDisconnected, ConnectionPaused, ConnectionUnconfirmed.
            NeedsReconnect: the token has ended and only the person can get another.
            RenewalInProgress, ProviderError, OperatorError: as the renewal.
        """
        if (route := self.cached(connection_id)) is not None:
            return route
        route = await self._make(connection_id, project)
        if not route.ended(self._clock.now()):
            return route
        await self._renew(route, actor)
        return await self._make(connection_id, project)

    async def after_stale(self, route: Route, method: str, actor: Actor) -> Route | None:
        """Say with which route a call that the API refused is sent once more; None: hand the refusal on.

        Raises as `route`, where the renewal fails.
        """
        connection_id, now = route.connection.id, self._clock.now()
        newer = self._routes.get(connection_id)
        if newer is not None and newer.generation > route.generation:
            return newer
        if self._is_quiet(route, method):
            return None
        issued_at = route.connection.token_issued_at or 0.0
        if not route.worked and now - issued_at < YOUNG_S:
            return None
        if not route.renewable and route.connection.state is State.ACTIVE and not await self._really_ended(route):
            self.replay_refused(route, method)
            return None
        try:
            await self._renew(route, actor, stale=True)
        except RenewalNotPossible:
            return None
        return await self._make(connection_id, route.connection.project)

    def replay_refused(self, route: Route, method: str) -> None:
        """The API refused the renewed token too: it is about rights, so be quiet for 1, 2, 4 … 15 min."""
        key = _quiet_key(route, method)
        refusals = self._quiet[key].refusals + 1 if key in self._quiet else 1
        self._quiet[key] = _Quiet(refusals, self._clock.monotonic() + quiet_s(refusals))
        if len(self._quiet) > QUIET_KEPT:
            self._quiet.popitem(last=False)

    def accepted(self, route: Route, method: str) -> None:
        """The API took the token."""
        connection_id = route.connection.id
        if not route.worked:
            route.worked = True
        if self._quiet:
            self._quiet.pop(_quiet_key(route, method), None)
        self._uses[connection_id] = Use(self._clock.now(), route.generation)

    def enter(self, connection_id: str, call: ActiveCall) -> None:
        """A call is under way; it is told if the connection is paused or ended."""
        self._active.setdefault(connection_id, set()).add(call)

    def leave(self, connection_id: str, call: ActiveCall) -> None:
        """The call is over."""
        calls = self._active.get(connection_id)
        if calls is not None:
            calls.discard(call)
            if not calls:
                del self._active[connection_id]

    def written(self, connection: Connection) -> None:
        """A write of this connection has committed: drop its route, and end its calls if it may no longer be used."""
        self._writes += 1
        self._routes.pop(connection.id, None)
        if connection.ended or connection.paused:
            for call in tuple(self._active.get(connection.id, ())):
                call.end_within(ENDING_GRACE_S)

    def forget_all(self) -> None:
        """Drop every route: something was written that may touch any of them."""
        self._writes += 1
        self._routes.clear()

    async def flush_uses(self) -> None:
        """Write when connections were last used; what can't be written now is written later."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._connections.note_uses(uses)
        except StoreUnavailable:
            self._uses = {**uses, **self._uses}

    async def _renew(self, route: Route, actor: Actor, *, stale: bool = False) -> None:
        connection = route.connection
        await self._renewals.renew(
            connection.id, generation=connection.generation, actor=actor, stale=stale, project=connection.project
        )

    async def _make(self, connection_id: str, project: str) -> Route:
        writes = self._writes
        opened = await self._connections.open(connection_id, project=project)
        if opened is None:
            raise NotFound("There is no such connection.")
        connection, secrets = opened
        refuse_unusable(connection)
        if connection.state is State.NEEDS_RECONNECT and _over(connection, self._clock.now()):
            raise NeedsReconnect(extensions={"reason": connection.reason})
        connector = await self._published.version(connection.connector, connection.connector_version, project=project)
        client = await self._published.client(connector, project=project)
        route = make_route(connection, secrets, connector, client, self._suffixes, worked=self._has_worked(connection))
        if writes != self._writes:
            return route  # something was written meanwhile: good for this call, but not to be kept
        self._routes[connection_id] = route
        if len(self._routes) > ROUTES_KEPT:
            self._routes.popitem(last=False)
        return route

    def _has_worked(self, connection: Connection) -> bool:
        """Whether this generation's token was accepted once; assumed of one that was there before this process."""
        use = self._uses.get(connection.id)
        newest = max(connection.worked_generation or 0, (use.worked_generation or 0) if use else 0)
        return newest >= connection.generation or (connection.token_issued_at or 0.0) < self._started_at

    async def _really_ended(self, route: Route) -> bool:
        """Ask the test call: a token that can't be renewed is not given up for a refusal that may be about rights."""
        connection = route.connection
        opened = await self._connections.open(connection.id, project=connection.project)
        if opened is None or opened[0].generation != route.generation:
            return False
        current, secrets = opened
        client = await self._published.client(route.connector, project=connection.project)
        try:
            proof = await self._tests.prove(route.connector, connection_values(current, secrets, client), client)
        except KeyturnError as error:
            log.warning("stale_check_failed", connection=connection.id, code=error.code)
            return False
        return not proof.passed and proof.status is not None and proof.status in (route.stale_when.status or {401})

    def _is_quiet(self, route: Route, method: str) -> bool:
        quiet = self._quiet.get(_quiet_key(route, method))
        return quiet is not None and self._clock.monotonic() < quiet.until


def _quiet_key(route: Route, method: str) -> tuple[str, str, str]:
    return route.connection.id, method, route.base_url


def _over(connection: Connection, now: float) -> bool:
    return connection.expires_at is None or now >= connection.expires_at
