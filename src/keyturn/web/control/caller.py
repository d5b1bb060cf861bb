"""Who calls, as every operation is handed it.

Rule 1: the key is checked before anything else of a request is looked at; a body of a stranger is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from keyturn.core.connection import Connection
from keyturn.core.errors import ForbiddenScope, NotFound
from keyturn.engine.actor import Actor
from keyturn.engine.api_keys import Principal
from keyturn.engine.application import Application
from keyturn.web.kit.admission.credentials import key_among
from keyturn.web.kit.admission.rate_headers import Standings
from keyturn.web.kit.refusals import HIDDEN

SCOPE_KEY: Final = "keyturn.caller"
BEYOND_LIMITS: Final = {"why": HIDDEN}  # told to the log alone: to the key it is not there


@dataclass(frozen=True, slots=True)
class Caller:
    """An API key's holder, the request that is being made, and how it stands with the limits."""

    principal: Principal
    request_id: str
    standings: Standings = field(default_factory=Standings)

    @property
    def actor_name(self) -> str:
        """The same without the request; empty where the path needs no key."""
        return self.principal.actor_name if self.principal.id else ""

    @property
    def actor(self) -> Actor:
        """As the audit log names it."""
        return Actor(self.principal.actor_name, self.request_id)

    def for_person(self, client_address: str | None) -> Actor:
        """The same, where the caller said at which address the person is."""
        return Actor(self.principal.actor_name, self.request_id, client_address=client_address)

    def sees(self, connector: str, owner: str) -> bool:
        """Whether the key may know of what is this owner's at this connector."""
        return self.principal.sees(connector) and self.principal.sees_owner(owner)

    def must_see(self, connector: str) -> None:
        """Raise NotFound where the key is limited to other connectors."""
        if not self.principal.sees(connector):
            raise NotFound("There is no such connector.", logged=BEYOND_LIMITS)

    def must_see_owner(self, owner: str) -> None:
        """Raise NotFound where the key is limited to other owners."""
        if not self.principal.sees_owner(owner):
            raise NotFound("There is no such owner.", logged=BEYOND_LIMITS)

    def must_be_unlimited_by(self, limits: tuple[str, ...]) -> None:
        """Raise ForbiddenScope where the key is limited by one of these: this is about more than it may know of."""
        for limit in limits:
            if getattr(self.principal, limit):
                raise ForbiddenScope(
                    f"The key is limited to {limit}.", extensions={"required_scope": "admin"}, logged=BEYOND_LIMITS
                )

    async def connection(self, application: Application, connection_id: str) -> Connection:
        """The connection, if there is one that this key may know of; NotFound."""
        found = await application.connections.shown(connection_id, project=self.principal.project)
        if found is None:
            raise NotFound("There is no such connection.")
        if not self.sees(found.connector, found.owner):
            raise NotFound("There is no such connection.", logged=BEYOND_LIMITS)
        return found


def key_of(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The API key that a request carries."""
    own = [value for name, value in headers if name == b"keyturn-key"]
    return key_among(own, [value for name, value in headers if name == b"authorization"])


async def application_of(request: Request) -> Application:
    """The use cases."""
    application: Application = request.app.state.application
    return application


async def caller_of(request: Request) -> Caller:
    """Who calls; the door has checked it."""
    return caller_in(request.scope)


def caller_in(scope: Mapping[str, Any]) -> Caller:
    """Who calls, of an ASGI scope that passed the door."""
    caller: Caller = scope[SCOPE_KEY]
    return caller


App = Annotated[Application, Depends(application_of)]
Calling = Annotated[Caller, Depends(caller_of)]
