"""What the two doors that hand tokens out have in common: who asks, and how a refusal is said.

Rule 1: 401, then the method, then 403, then 429, then the message, then the object.
Rule 2: a token that was waited for is handed out only if the key is still good.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network
from typing import Any, ClassVar, Final

import structlog

from keyturn.core.crashes import crash_facts
from keyturn.core.errors import KeyturnError, MethodNotAllowed
from keyturn.engine.abuse.rate_limits import RateLimits
from keyturn.engine.actor import Actor
from keyturn.engine.api_keys import ApiKeys, Principal
from keyturn.engine.calls.hand_out import Door, HandOut
from keyturn.engine.calls.routes import Route
from keyturn.web.dataplane.call_counts import NO_CONNECTOR, CallCounts
from keyturn.web.dataplane.next_step import ReconnectLink, next_url
from keyturn.web.dataplane.request_body import CallerGone, Receive
from keyturn.web.dataplane.request_head import read_head
from keyturn.web.kit.admission.body_time import in_time
from keyturn.web.kit.admission.rate_headers import Standings, standing_headers
from keyturn.web.kit.headers import OF_DATA, Headers
from keyturn.web.kit.problems import ProblemAnswer, Send, problem_answer
from keyturn.web.kit.refusals import Refusals

CLOSE: Final = (b"connection", b"close")
SOURCE: Final = (b"keyturn-source", b"broker")

log = structlog.get_logger("keyturn.doors")


@dataclass(frozen=True, slots=True)
class DoorParts:
    """What the doors need. `trusted_proxies`: whose word on the original request is taken."""

    api_keys: ApiKeys
    hand_out: HandOut
    counts: CallCounts
    limits: RateLimits
    refusals: Refusals
    public_url: str
    reconnect_link: ReconnectLink | None = None
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()


class HandOutDoor(ABC):
    """One request at a door. Subclasses say which, and what a good answer is."""

    __slots__ = (
        "_connection_id",
        "_connector_id",
        "_head",
        "_parts",
        "_principal",
        "_receive",
        "_request_id",
        "_scope",
        "_send",
        "_standings",
    )

    door: ClassVar[Door]
    key_scope: ClassVar[str]
    policy: ClassVar[str]
    methods: ClassVar[tuple[str, ...]]
    route: ClassVar[str]

    def __init__(
        self, parts: DoorParts, scope: MutableMapping[str, Any], receive: Receive, send: Send, request_id: bytes
    ) -> None:
        self._parts = parts
        self._scope = scope
        self._receive = in_time(receive)
        self._send = send
        self._request_id = request_id
        self._head = read_head(scope)
        self._principal: Principal | None = None
        self._connection_id = ""
        self._connector_id = NO_CONNECTOR
        self._standings = Standings()

    async def run(self) -> None:
        """Answer the request."""
        try:
            principal = self._principal = await self._parts.api_keys.authenticate(self._head.key)
            if self._scope["method"] not in self.methods:
                raise MethodNotAllowed(extensions={"allow": list(self.methods)})
            principal.require(self.key_scope)
            self._standings.add(self._parts.limits.take(self.policy, principal.id))
            self._head.refuse_doubtful()
            status, headers, body = await self._answer(principal)
        except CallerGone:
            return
        except KeyturnError as error:
            await self._refuse(error)
            return
        except Exception as error:  # noqa: BLE001  (a door stays open whatever happened behind it)
            log.error("door_crashed", request_id=self._request_id.decode("ascii"), **crash_facts(error))
            await self._refuse(error)
            return
        self._parts.counts.answered_here(self._connector_id, status, self.door.value)
        more = [*OF_DATA, SOURCE, (b"keyturn-request-id", self._request_id), *standing_headers(self._standings)]
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})
        await self._send({"type": "http.response.body", "body": body})

    @abstractmethod
    async def _answer(self, principal: Principal) -> tuple[int, Headers, bytes]:
        """Status, headers and body of the answer, without what every answer carries."""

    def _say(self, answer: ProblemAnswer) -> ProblemAnswer:
        """The refusal as this door says it."""
        return answer

    async def _handed_out(self, principal: Principal, refused_generation: int | None = None) -> Route:
        parts = self._parts
        actor = Actor(principal.actor_name, self._request_id.decode("ascii"))
        route = await parts.hand_out(
            self._connection_id, principal, actor, door=self.door, refused_generation=refused_generation
        )
        self._connector_id = route.connector.id
        await parts.api_keys.authenticate(self._head.key)  # it may have been revoked while this waited
        return route

    async def _refuse(self, error: Exception) -> None:
        parts, request_id = self._parts, self._request_id.decode("ascii")
        actor = self._principal.actor_name if self._principal is not None else ""
        parts.refusals.note(error, self._scope, route=self.route, request_id=request_id, actor=actor)
        url = await next_url(error, self._connection_id, self._principal, parts.public_url, parts.reconnect_link)
        answer = self._say(problem_answer(error, request_id=request_id, next_url=url))
        if self._standings:
            answer = ProblemAnswer(answer.status, (*answer.headers, *standing_headers(self._standings)), answer.body)
        if self._head.fault is not None:  # who knows where the next request begins
            answer = ProblemAnswer(answer.status, (*answer.headers, CLOSE), answer.body)
        parts.counts.answered_here(self._connector_id, answer.status, self.door.value)
        await answer.send(self._send)
