"""What a page of the console is: a row of a table, so that a test can walk all of them with every role.

Rule 1: a page names the permission that it needs; the frame checks it before the endpoint runs.
Rule 2: what changes something is a POST with the form's token, from a page of ours; a GET never changes anything,
but for the answer of an OpenID provider, which comes as one and counts only for a try that a form of ours began.
Rule 3: what could give somebody more than they have, or can't be undone for all, asks for a fresh sign-in.
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

    `most_bytes`: how large a form may be. `secret`: names of inputs whose values are kept as Secret. `fresh`: the form
    asks for a sign-in of the last five minutes; where that is older, it is shown once more on the page that says so.
    """

    method: str
    path: str
    endpoint: Endpoint
    needs: Permission
    secret: tuple[str, ...] = ()
    most_bytes: int = 64 * 1024
    fresh: bool = False

    def __post_init__(self) -> None:
        if self.fresh and (self.secret or self.method != "POST"):
            raise ValueError("a form that is shown once more has no secret in it")


@dataclass(frozen=True, slots=True)
class OpenPage:
    """A page for anybody: what leads to being signed in."""

    method: str
    path: str
    endpoint: OpenEndpoint
