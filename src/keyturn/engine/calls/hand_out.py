"""Handing tokens out: through which door, written down once, and what a refused one leads to.

Rule 1: what the audit log can't take is not handed out; it is written down once for each key, door and generation.
Rule 2: what is handed out was good at that moment: a pause, an end or a renewal that came in between is seen.
Rule 3: a caller that says that a token was refused is believed under the same rules as an API's own answer.
Rule 4: the registered application's secret is the operator's, and goes to no caller.

Source: the product, "Renew" and "Call"; the threat model, U1 and L1.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import Connector, OnSomeCalls, RequestParameters
from keyturn.core.errors import Finding, RenewalInProgress, TokenVendDisabled, ValidationFailed
from keyturn.core.templates import Template
from keyturn.engine.actor import Actor
from keyturn.engine.api_keys import Principal
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.calls.calls import YOUNG_S, Calls
from keyturn.engine.calls.routes import Route
from keyturn.ports.clock import Clock
from keyturn.ports.store import AuditLog

ACTION: Final = "connection.token_vended"
METHOD: Final = "token"  # in the place of a method, for refusals that callers tell of
TRIES_AT_MOST: Final = 10
KEPT: Final = 10_000
PAGE: Final = 100


class Door(StrEnum):
    """By which way a token leaves."""

    TOKEN = "token"  # noqa: S105
    FORWARD_AUTH = "forward_auth"


class HandOut:
    """Hands tokens out, over the routes that proxied calls use."""

    def __init__(self, calls: Calls, audit: AuditLog, clock: Clock) -> None:
        self._calls = calls
        self._audit = audit
        self._clock = clock
        self._writing = asyncio.Lock()
        self._written: OrderedDict[tuple[str, str, str, int], None] = OrderedDict()
        self._renewed: OrderedDict[str, int] = OrderedDict()  # connection → the generation that a refusal led to

    async def __call__(
        self,
        connection_id: str,
        principal: Principal,
        actor: Actor,
        *,
        door: Door,
        refused_generation: int | None = None,
    ) -> Route:
        """The route whose token may be handed out now.

        Args:
            connection_id: which.
            principal: whose key it is; it has been checked for the door's scope.
            actor: the same, with the request, for the audit log.
            door: where the token goes out.
            refused_generation: the API refused this generation's token; renews if it is still the current one.

        Raises:
            TokenVendDisabled: this connector's tokens do not go out by this door; `reason` says why.
            ValidationFailed: there never was such a generation.
            StoreUnavailable: it can't be written down, so nothing is handed out.
            What `Calls.route` raises.
        """
        project, connectors, owners = principal.project, principal.connectors, principal.owners
        for _ in range(TRIES_AT_MOST):
            route = await self._calls.route(connection_id, actor, project=project, connectors=connectors, owners=owners)
            refuse_hand_out(route.connector, door)
            if refused_generation is not None:
                route = await self._after_refusal(route, refused_generation, principal, actor)
                refused_generation = None
            await self._write_down(route, principal, actor, door)
            if self._calls.cached(connection_id, project=project, connectors=connectors, owners=owners) is route:
                self._calls.used(route, worked=False, called=False)
                return route
        raise RenewalInProgress(retry_after_s=1.0)

    async def _after_refusal(self, route: Route, refused: int, principal: Principal, actor: Actor) -> Route:
        connection = route.connection
        if refused > route.generation:  # another process may have handed it out
            self._calls.written(connection)
            route = await self._calls.route(
                connection.id,
                actor,
                project=principal.project,
                connectors=principal.connectors,
                owners=principal.owners,
            )
            if refused > route.generation:
                raise ValidationFailed(errors=[Finding("/refused_generation", "invalid", "There is none such yet.")])
        if refused < route.generation:
            return route
        if self._renewed.get(connection.id) == refused:
            del self._renewed[connection.id]
            if self._clock.now() - (route.connection.token_issued_at or 0.0) < YOUNG_S:
                self._calls.replay_refused(route, METHOD)
                return route
            self._calls.replay_accepted(route, METHOD)
        newer = await self._calls.after_stale(route, METHOD, actor)
        if newer is None:
            return route
        if newer.generation > refused:
            _remember(self._renewed, connection.id, newer.generation)
        return newer

    async def _write_down(self, route: Route, principal: Principal, actor: Actor, door: Door) -> None:
        connection = route.connection
        mark = (door.value, principal.id, connection.id, route.generation)
        if mark in self._written:
            return
        async with self._writing:
            if mark in self._written:
                return
            facts = {"door": door.value, "generation": route.generation}
            record = connection_record(connection, self._clock.now(), ACTION, actor, facts=facts)
            if not await self._stands_there(record, since=connection.token_issued_at or 0.0):
                await self._audit.append([record])
            _remember(self._written, mark, None)

    async def _stands_there(self, wanted: AuditRecord, *, since: float) -> bool:
        """Whether this was written down before: by a process that ended, or by another one."""
        cursor: str | None = None
        while True:
            page, cursor = await self._audit.list(
                connection=wanted.connection, cursor=cursor, limit=PAGE, project=wanted.project
            )
            for _, record in page:
                if record.at < since:
                    return False
                if (record.action, record.actor, dict(record.facts)) == (ACTION, wanted.actor, dict(wanted.facts)):
                    return True
            if cursor is None:
                return False


def refuse_hand_out(connector: Connector, door: Door) -> None:
    """Raise TokenVendDisabled where a connector's tokens may not go out by this door, or would be of no use there."""
    parameters = connector.request
    if any(each.uses("client_secret") for each in _templates(parameters)):
        raise TokenVendDisabled(
            "The connector puts the application's secret on calls, which is not handed out.",
            extensions={"reason": "client_secret"},
        )
    parts: tuple[RequestParameters | OnSomeCalls, ...] = (parameters, *parameters.only)
    in_query, in_body = any(each.query for each in parts), any(each.body for each in parts)
    if door is Door.FORWARD_AUTH and (in_query or in_body):
        raise TokenVendDisabled(
            "The connector puts values into queries or bodies, which forward-auth can't.",
            extensions={"reason": "query" if in_query else "body"},
        )


def _templates(parameters: RequestParameters) -> Iterator[Template]:
    parts: tuple[RequestParameters | OnSomeCalls, ...] = (parameters, *parameters.only)
    for part in parts:
        yield from part.headers.values()
        yield from part.query.values()
        yield from _inside(part.body)


def _inside(params: Any) -> Iterator[Template]:
    if isinstance(params, Template):
        yield params
    elif isinstance(params, Mapping):
        for each in params.values():
            yield from _inside(each)
    elif isinstance(params, list | tuple):
        for each in params:
            yield from _inside(each)


def _remember(where: OrderedDict[Any, Any], name: object, value: object) -> None:
    where[name] = value
    where.move_to_end(name)
    if len(where) > KEPT:
        where.popitem(last=False)
