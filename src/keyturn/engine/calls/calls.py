"""Calls through a connection: which token goes along, and what a refused one leads to.

Rule 1: on the warm path nothing is read, opened or locked: a route is there or it is made.
Rule 2: a route is dropped at the moment a write of its connection commits; a call that waits for a token sees it.
Rule 3: a stale answer causes at most one renewal and one replay; what that does not cure is about rights.

Source: the product, "Renew" and "Call"; invariants I3, I7 and L1 of the threat model.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

import structlog

from keyturn.core.connection import Connection, State
from keyturn.core.errors import (
    KeyturnError,
    NeedsReconnect,
    NotFound,
    RenewalInProgress,
    RenewalNotPossible,
    StoreUnavailable,
)
from keyturn.core.renewal.plan import last_resort_left
from keyturn.core.renewal.retry import quiet_s
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.engine.actor import SCHEDULER, Actor
from keyturn.engine.calls.routes import Route, make_route
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.renew import Renewals, refuse_unusable
from keyturn.engine.renewal.unstored import Unstored
from keyturn.engine.template_values import connection_values
from keyturn.engine.test_connection import TestCalls
from keyturn.ports.clock import Clock
from keyturn.ports.store import ConnectionStore, RevisionConflict, Use

ROUTES_KEPT: Final = 10_000
YOUNG_S: Final = 60.0  # a generation that never worked causes no renewal before this
ENDING_GRACE_S: Final = 10.0
QUIET_KEPT: Final = 10_000
NOTED_EVERY_S: Final = 1.0
WAIT_FOR_A_ROUTE_S: Final = 10.0  # a connection that is written all the time is being renewed

log = structlog.get_logger("keyturn.calls")


class ActiveCall(Protocol):
    """A call that is under way at an API."""

    @property
    def project(self) -> str:
        """The namespace of its connection."""
        ...

    @property
    def key_id(self) -> str:
        """The API key that it was made with."""
        ...

    def end_within(self, seconds: float) -> None:
        """End it: an ordinary call by this deadline, a stream or tunnel at once."""
        ...


@dataclass(slots=True)
class _Quiet:
    refusals: int
    until: float  # monotonic


@dataclass(slots=True, eq=False)
class _Making:
    """A route that is being made; `outdated` where its connection was written meanwhile."""

    task: asyncio.Task[Route]
    outdated: bool = False


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
        unstored: Unstored | None = None,
    ) -> None:
        self._unstored = unstored or Unstored()
        self._connections = connections
        self._published = published
        self._renewals = renewals
        self._tests = tests
        self._suffixes = suffixes
        self._clock = clock
        self._started_at = clock.now()
        self._routes: OrderedDict[str, Route] = OrderedDict()
        self._making: dict[tuple[str, str], _Making] = {}
        self._proving: dict[tuple[str, int], asyncio.Task[bool]] = {}
        self._quiet: OrderedDict[tuple[str, str, str], _Quiet] = OrderedDict()
        self._active: dict[str, set[ActiveCall]] = {}
        self._uses: dict[str, Use] = {}
        self._counted: dict[str, list[int]] = {}  # connection → calls since the last note, and those that failed

    def cached(
        self,
        connection_id: str,
        *,
        project: str = "default",
        connectors: frozenset[str] = frozenset(),
        owners: frozenset[str] = frozenset(),
    ) -> Route | None:
        """The route, if it is ready, its token has not ended, and a key with these limits may see it."""
        route = self._routes.get(connection_id)
        if route is None or route.ended(self._clock.now()):
            return None
        connection = route.connection
        if connection.project != project or (connectors and connection.connector not in connectors):
            return None
        if owners and connection.owner not in owners:
            return None
        return route

    async def route(
        self,
        connection_id: str,
        actor: Actor = SCHEDULER,
        *,
        project: str = "default",
        connectors: frozenset[str] = frozenset(),
        owners: frozenset[str] = frozenset(),
    ) -> Route:
        """A route whose token has not ended; renews if it has.

        Args:
            connection_id: which.
            actor: who calls, for the audit log.
            project: the caller's namespace.
            connectors, owners: those that the caller's key is limited to; none: all.

        Raises:
            NotFound, ConnectionDisconnected, ConnectionPaused, ConnectionUnconfirmed.
            NeedsReconnect: the token has ended and only the person can get another.
            RenewalInProgress, ProviderError, OperatorError: as the renewal.
        """
        if (route := self.cached(connection_id, project=project, connectors=connectors, owners=owners)) is not None:
            return route
        if connectors or owners:  # before anything is said or done about it: to this key it may not exist
            connection = await self._connections.shown(connection_id, project=project)
            hidden = connection is not None and (
                (connectors and connection.connector not in connectors) or (owners and connection.owner not in owners)
            )
            if connection is None or hidden:
                raise NotFound("There is no such connection.", logged={"why": "limits"} if hidden else None)
        route = await self._make(connection_id, project)
        if not route.ended(self._clock.now()):
            return route
        return await self._renewed(route, actor)

    async def after_stale(self, route: Route, method: str, actor: Actor, *, base_url: str = "") -> Route | None:
        """Say with which route a call that the API refused is sent once more; None: hand the refusal on.

        `base_url`: the one that was called, where it was not the route's own. Raises as `route`, where the renewal
        fails.
        """
        connection_id, now = route.connection.id, self._clock.now()
        newer = self._routes.get(connection_id)
        if newer is not None and newer.generation > route.generation:
            return newer
        if self._is_quiet(_quiet_key(route, method, base_url)):
            return None
        issued_at = route.connection.token_issued_at or 0.0
        if not route.worked and 0 <= now - issued_at < YOUNG_S:  # below: the clock was set back
            return await self._renewed_elsewhere(route)
        last = not route.renewable and route.connection.state is State.ACTIVE
        if (last or self._ends_in_last_resort(route)) and not await self._really_ended(route):
            self.replay_refused(route, method, base_url=base_url)
            return None
        try:
            return await self._renewed(route, actor, stale=True)
        except RenewalNotPossible:
            return None
        except NeedsReconnect:
            if route.connection.expires_at is None and (last or await self._really_ended(route)):
                await self._note_end(route)
            raise

    def replay_refused(self, route: Route, method: str, *, base_url: str = "") -> None:
        """The API refused the renewed token too: it is about rights, so be quiet for 1, 2, 4 … 15 min.

        Calls that were refused side by side count once.
        """
        key = _quiet_key(route, method, base_url)
        if self._is_quiet(key):
            return
        refusals = self._quiet[key].refusals + 1 if key in self._quiet else 1
        self._quiet[key] = _Quiet(refusals, self._clock.monotonic() + quiet_s(refusals))
        if len(self._quiet) > QUIET_KEPT:
            self._quiet.popitem(last=False)

    def replay_accepted(self, route: Route, method: str, *, base_url: str = "") -> None:
        """The renewal was the cure: the next refusal is judged afresh."""
        self._quiet.pop(_quiet_key(route, method, base_url), None)

    def used(self, route: Route, *, worked: bool, called: bool = True) -> None:
        """An API has answered; `worked`: it took the token. Written down once a second at most.

        `called`: False where a token was handed out, and nobody here knows what became of it.
        """
        now = self._clock.now()
        if called:
            counted = self._counted.get(route.connection.id)
            if counted is None:
                counted = self._counted[route.connection.id] = [0, 0]
            counted[0] += 1
            if not worked:
                counted[1] += 1
        if (route.worked or not worked) and 0.0 <= now - route.noted_at < NOTED_EVERY_S:
            return
        route.noted_at = now
        connection_id = route.connection.id
        earlier = self._uses.get(connection_id)
        generation = route.generation if worked else earlier.worked_generation if earlier is not None else None
        if worked:
            route.worked = True
        self._uses[connection_id] = Use(now, generation)

    def enter(self, connection_id: str, call: ActiveCall) -> None:
        """A call is under way; it is told if the connection is paused or ended."""
        calls = self._active.get(connection_id)
        if calls is None:
            self._active[connection_id] = {call}
        else:
            calls.add(call)

    def leave(self, connection_id: str, call: ActiveCall) -> None:
        """The call is over."""
        calls = self._active.get(connection_id)
        if calls is not None:
            calls.discard(call)
            if not calls:
                del self._active[connection_id]

    def under_way(self) -> int:
        """How many calls there are between `enter` and `leave`."""
        return sum(len(calls) for calls in self._active.values())

    def written(self, connection: Connection) -> None:
        """A write of this connection has committed: drop its route, and end its calls if it may no longer be used."""
        route = self._routes.pop(connection.id, None)
        if route is not None:
            route.outdated = True
        making = self._making.pop((connection.id, connection.project), None)
        if making is not None:
            making.outdated = True
        if connection.ended or connection.paused:
            self._end(connection.id)

    def knows(self, connection_id: str, project: str) -> bool:
        """Whether a write of this connection would change anything here: a route, one in the making, or a call."""
        making = (connection_id, project) in self._making
        return making or connection_id in self._routes or connection_id in self._active

    def forget_all(self) -> None:
        """Drop every route: something was written that may touch any of them."""
        for route in self._routes.values():
            route.outdated = True
        self._routes.clear()
        for making in self._making.values():
            making.outdated = True
        self._making.clear()

    async def end_stopped(self) -> None:
        """Look again at each connection that is being called: another process may have paused or ended it.

        Raises:
            StoreUnavailable: nothing is known; nothing was ended.
        """
        for connection_id, calls in tuple(self._active.items()):
            project = next((call.project for call in calls), None)
            if project is None:
                continue
            connection = await self._connections.shown(connection_id, project=project)
            if connection is None or connection.ended or connection.paused or connection.state is State.UNREADABLE:
                self._end(connection_id)

    async def end_all(self, grace_s: float) -> None:
        """Give what is under way at APIs so many seconds, also what begins meanwhile; then end it. For a stop."""
        while self._active:
            there = [(name, call) for name, calls in self._active.items() for call in calls]
            await self._clock.sleep(grace_s)
            for name, call in there:
                if call in self._active.get(name, ()):
                    call.end_within(0.0)
            grace_s = max(1.0, grace_s / 4)

    def end_of_key(self, key_id: str) -> None:
        """An API key was revoked: end what it has under way."""
        for call in [call for calls in self._active.values() for call in calls if call.key_id == key_id]:
            call.end_within(ENDING_GRACE_S)

    def _end(self, connection_id: str) -> None:
        for call in tuple(self._active.get(connection_id, ())):
            call.end_within(ENDING_GRACE_S)

    async def flush_uses(self) -> None:
        """Write when connections were last used; what can't be written now is written later."""
        (uses, self._uses), (counted, self._counted) = (self._uses, {}), (self._counted, {})
        now = self._clock.now()
        for connection_id, (calls, failed) in counted.items():
            uses[connection_id] = replace(uses.get(connection_id) or Use(now), calls=calls, failed=failed)
        if not uses:
            return
        try:
            await self._connections.note_uses(uses)
        except StoreUnavailable:
            self._uses = {**uses, **self._uses}
            for connection_id, (calls, failed) in counted.items():
                since = self._counted.get(connection_id, [0, 0])
                self._counted[connection_id] = [calls + since[0], failed + since[1]]

    async def _renewed(self, route: Route, actor: Actor, *, stale: bool = False) -> Route:
        connection = route.connection
        renewed = await self._renewals.renew(
            connection.id, generation=connection.generation, actor=actor, stale=stale, project=connection.project
        )
        kept = self._routes.get(connection.id)
        if kept is not None and kept.generation >= renewed.generation:
            return kept  # made by another of those who waited
        return await self._make(connection.id, connection.project, newest=renewed.generation)

    async def _renewed_elsewhere(self, route: Route) -> Route | None:
        """The route of a newer generation that another process has made, and not told of yet; None: there is none."""
        connection = await self._connections.load(route.connection.id, project=route.connection.project)
        if connection is None or connection.generation <= route.generation:
            return None
        return await self._make(connection.id, connection.project, newest=connection.generation)

    async def _make(self, connection_id: str, project: str, *, newest: int = 0) -> Route:
        """Make the route, once however many callers wait; again where it was outdated before it was there.

        `newest`: a generation that is known to be stored. Where another process stored it, an older one may be on its
        way into memory here.
        """
        key = (connection_id, project)
        deadline = self._clock.monotonic() + WAIT_FOR_A_ROUTE_S
        while True:
            making = self._making.get(key)
            if making is None or making.task.done():
                making = self._making[key] = _Making(asyncio.create_task(self._open(connection_id, project)))
                making.task.add_done_callback(partial(self._made, key, making))
            route = await asyncio.shield(making.task)
            if route.generation < newest:
                self._outdate(connection_id, route)
            if not (making.outdated or route.outdated):
                return route
            if self._clock.monotonic() >= deadline:
                raise RenewalInProgress(retry_after_s=1.0)

    def _outdate(self, connection_id: str, route: Route) -> None:
        """Drop this route, and no other that may have taken its place."""
        route.outdated = True
        if self._routes.get(connection_id) is route:
            del self._routes[connection_id]

    def _made(self, key: tuple[str, str], making: _Making, task: asyncio.Task[Route]) -> None:
        if self._making.get(key) is making:
            del self._making[key]
        if task.cancelled() or task.exception() is not None or making.outdated:
            return
        self._routes[key[0]] = task.result()
        if len(self._routes) > ROUTES_KEPT:
            self._routes.popitem(last=False)

    async def _open(self, connection_id: str, project: str) -> Route:
        opened = await self._unstored.open(self._connections, connection_id, project)
        if opened is None:
            raise NotFound("There is no such connection.")
        connection, secrets = opened
        refuse_unusable(connection)
        if connection.state is State.NEEDS_RECONNECT and connection.token_over(self._clock.now()):
            raise NeedsReconnect(extensions={"reason": connection.reason})
        connector = await self._published.version(connection.connector, connection.connector_version, project=project)
        client = await self._published.client(connector, project=project)
        return make_route(connection, secrets, connector, client, self._suffixes, worked=self._has_worked(connection))

    def _has_worked(self, connection: Connection) -> bool:
        """Whether this generation's token was accepted once; assumed of one that was there before this process."""
        use = self._uses.get(connection.id)
        newest = max(connection.worked_generation or 0, (use.worked_generation or 0) if use else 0)
        return newest >= connection.generation or (connection.token_issued_at or 0.0) < self._started_at

    def _ends_in_last_resort(self, route: Route) -> bool:
        """Whether its refresh token would be sent once more now: that is not done for a refusal about rights."""
        uncertain = route.connection.state is State.UNCERTAIN
        return uncertain and last_resort_left(route.connection, route.connector, self._clock.now())

    async def _really_ended(self, route: Route) -> bool:
        """Ask the test call, once for all that wait: a refusal may be about rights, and this token is the last."""
        key = (route.connection.id, route.generation)
        task = self._proving.get(key)
        if task is None:
            task = self._proving[key] = asyncio.create_task(self._prove_ended(route))
            task.add_done_callback(lambda _: self._proving.pop(key, None))
        return await asyncio.shield(task)

    async def _prove_ended(self, route: Route) -> bool:
        connection = route.connection
        try:
            opened = await self._connections.open(connection.id, project=connection.project)
            if opened is None or opened[0].generation != route.generation:
                return False
            current, secrets = opened
            client = await self._published.client(route.connector, project=connection.project)
            proof = await self._tests.prove(route.connector, connection_values(current, secrets, client), client)
        except KeyturnError as error:
            log.warning("stale_check_failed", connection=connection.id, code=error.code)
            return False
        return not proof.passed and proof.status is not None and proof.status in (route.stale_when.status or {401})

    async def _note_end(self, route: Route) -> None:
        """The token had no known end, was refused, and nothing brings another: this is its end, for everybody."""
        before, now = route.connection, self._clock.now()
        with suppress(StoreUnavailable):  # then the API refuses it once more, and it is written down then
            while True:
                current = await self._connections.load(before.id, project=before.project)
                if current is None or current.ended or current.generation != before.generation:
                    return
                if current.state is not State.NEEDS_RECONNECT or current.expires_at is not None:
                    return
                with suppress(RevisionConflict):
                    await self._connections.save(replace(current, expires_at=now, updated_at=now))
                    return

    def _is_quiet(self, key: tuple[str, str, str]) -> bool:
        quiet = self._quiet.get(key)
        return quiet is not None and self._clock.monotonic() < quiet.until


def _quiet_key(route: Route, method: str, base_url: str) -> tuple[str, str, str]:
    return route.connection.id, method, base_url or route.base_url
