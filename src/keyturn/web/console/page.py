"""What a page of the console is: a row of a table, so that a test can walk all of them with every role.

Rule 1: a page names the permission that it needs; the frame checks it before the endpoint runs.
Rule 2: what changes something is a POST with the form's token, from a page of ours; a GET never changes anything.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.access.roles import Permission

if TYPE_CHECKING:
    from keyturn.web.console.rendering import Console
    from keyturn.web.console.visit import Visit

# What answers somebody who is signed in.
Endpoint = Callable[["Console", "Visit"], Awaitable[Response]]
# What answers anybody.
OpenEndpoint = Callable[["Console", Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Page:
    """A page or a form's target for people who are signed in and whose role has `needs`.

    `most_bytes`: how large a form may be. `secret`: names of inputs whose values are kept as Secret.
    """

    method: str
    path: str
    endpoint: Endpoint
    needs: Permission
    secret: tuple[str, ...] = ()
    most_bytes: int = 64 * 1024


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page for anybody: what leads to being signed in."""

    method: str
    path: str
    endpoint: OpenEndpoint
