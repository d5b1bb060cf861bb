"""Who calls, as every operation is handed it.

Rule 1: the key is checked before anything else of a request is looked at; a body of a stranger is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request

from keyturn.core.connection import Connection
from keyturn.core.errors import ForbiddenScope, NotFound, Unauthenticated
from keyturn.engine.actor import Actor
from keyturn.engine.api_keys import Principal
from keyturn.engine.application import Application

SCOPE_KEY: Final = "keyturn.caller"
_SCHEME: Final = b"bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    """An API key's holder, and the request that is being made."""

    principal: Principal
    request_id: str

    @property
    def actor(self) -> Actor:
        """As the audit log names it."""
        return Actor(self.principal.actor_name, self.request_id)

    def must_see(self, connector: str) -> None:
        """Raise NotFound where the key is limited to other connectors."""
        if not self.principal.sees(connector):
            raise NotFound("There is no such connector.")

    def must_see_all(self) -> None:
        """Raise ForbiddenScope where the key is limited to some connectors: this is about all of them."""
        if self.principal.connectors:
            raise ForbiddenScope("The key is limited to connectors.", extensions={"required_scope": "admin"})

    async def connection(self, application: Application, connection_id: str) -> Connection:
        """The connection, if there is one that this key may know of; NotFound."""
        found = await application.connections.load(connection_id, project=self.principal.project)
        if found is None or not self.principal.sees(found.connector):
            raise NotFound("There is no such connection.")
        return found


def key_of(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The API key that a request carries: `Authorization: Bearer` or `Keyturn-Key`.

    Raises:
        Unauthenticated: one of the headers twice; which of the two counts would be anybody's guess.
    """
    sent = [value for name, value in headers if name == b"authorization"]
    own = [value for name, value in headers if name == b"keyturn-key"]
    if len(sent) > 1 or len(own) > 1:
        raise Unauthenticated
    if sent and sent[0][: len(_SCHEME)].lower() == _SCHEME:
        return sent[0][len(_SCHEME) :].strip().decode("latin-1")
    return own[0].strip().decode("latin-1") if own else None


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
