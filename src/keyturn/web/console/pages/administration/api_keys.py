"""API keys: made and shown once, listed, rolled, revoked.

Rule 1: a key stands on no page but the one that answers the form which made it.
Rule 2: an administrator reaches everything, so that a key made here may reach everything too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.core.secret import Secret
from keyturn.engine.api_keys import SCOPES
from keyturn.ports.access.api_keys import ApiKey
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.shown_once import new_secret_text
from keyturn.web.console.visit import Visit
from keyturn.web.console.who import who_did

DAY_S: Final = 86_400.0
FOREVER: Final = "forever"
LIVES: Final = {"30": "30 days", "90": "90 days", "365": "a year", FOREVER: "until it is revoked"}
OVERLAPS: Final = {"0": "at once", "3600": "in an hour", "86400": "in a day", "604800": "in a week"}
WHAT: Final = {
    "read": "look at connectors, connections and jobs",
    "call": "send requests through connections",
    "token": "be handed access tokens",
    "connect": "make connect links",
    "login": "send somebody's credentials to connect an account",
    "admin": "everything",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form."""

    name: str = ""
    scopes: tuple[str, ...] = ("read", "call")
    connectors: str = ""
    owners: str = ""
    lives: str = "90"

    @classmethod
    def of(cls, visit: Visit) -> Typed:
        """Read it off what was sent."""
        form = visit.form
        scopes = tuple(each for each in SCOPES if form.text(f"scope:{each}"))
        return cls(form.text("name"), scopes, form.text("connectors"), form.text("owners"), form.text("lives"))


async def show_api_keys(console: Console, visit: Visit) -> Response:
    """All that are not revoked, and the form for another."""
    return await _list(console, visit, Typed())


async def post_api_key(console: Console, visit: Visit) -> Response:
    """Make one and show it, this once."""
    typed = Typed.of(visit)
    try:
        connectors = await _connectors(console, _lines(typed.connectors))
        key, text = await console.application.api_keys.create(
            typed.name, typed.scopes, visit.actor, connectors=connectors, owners=_lines(typed.owners),
            expires_at=_end(console, typed.lives),
        )  # fmt: skip
    except ValidationFailed as error:
        return await _list(console, visit, typed, errors=error.errors)
    return await _one(console, visit, key, text)


async def show_api_key(console: Console, visit: Visit) -> Response:
    """One of them, and what can be done with it."""
    return await _one(console, visit, await console.application.api_keys.load(visit.path("key")))


async def post_roll(console: Console, visit: Visit) -> Response:
    """Make the one that takes its place and show that, this once."""
    application, key_id = console.application, visit.path("key")
    overlap = visit.form.text("overlap")
    if overlap not in OVERLAPS:
        raise ValidationFailed(errors=[Finding("/overlap", "invalid", "Choose when the old key ends.")])
    await application.api_keys.load(key_id)
    key, text = await application.api_keys.roll(key_id, visit.actor, overlap_s=float(overlap))
    if overlap == "0":
        application.calls.end_of_key(key_id)
    return await _one(console, visit, key, text, takes_place_of=key_id)


async def show_revoke(console: Console, visit: Visit) -> Response:
    """Ask first."""
    key = await console.application.api_keys.load(visit.path("key"))
    return console.page(visit, "administration/api_key_revoke.html", each=key)


async def post_revoke(console: Console, visit: Visit) -> Response:
    """Revoke it; its streams are cut."""
    await console.application.api_keys.revoke(visit.path("key"), visit.actor)
    console.application.calls.end_of_key(visit.path("key"))
    return console.back("/api-keys", said="revoked")


async def _list(console: Console, visit: Visit, typed: Typed, errors: Sequence[Finding] = ()) -> Response:
    told = [replace(each, pointer="/" + each.pointer.split("/")[1]) for each in errors]
    return console.page(
        visit, "administration/api_keys.html", status=422 if errors else 200, what=WHAT, lives=LIVES, typed=typed,
        rows=await console.application.api_keys.list(), scopes=SCOPES, errors=told, now=console.now(),
    )  # fmt: skip


async def _one(
    console: Console, visit: Visit, key: ApiKey, text: Secret | None = None, takes_place_of: str = ""
) -> Response:
    return console.page(
        visit, "administration/api_key.html", each=key, overlaps=OVERLAPS, now=console.now(),
        text=None if text is None else new_secret_text(text), takes_place_of=takes_place_of,
        names=await who_did(console, visit, (key.created_by,)),
    )  # fmt: skip


async def _connectors(console: Console, ids: Sequence[str]) -> Sequence[str]:
    known = {each.id for each in await console.application.connectors.list()}
    if set(ids) - known:
        message = "One of these is no connector's id. One id a line, as the list of connectors shows them."
        raise ValidationFailed(errors=[Finding("/connectors", "not_found", message)])
    return ids


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _end(console: Console, lives: str) -> float | None:
    if lives not in LIVES:
        raise ValidationFailed(errors=[Finding("/lives", "invalid", "Choose how long it lives.")])
    return None if lives == FOREVER else console.now() + float(lives) * DAY_S


_ADMIN: Final = Permission.ADMINISTER
_ONE: Final = "/api-keys/{key}"
PAGES: Final = (
    Page("GET", "/api-keys", show_api_keys, _ADMIN),
    Page("POST", "/api-keys", post_api_key, _ADMIN, fresh=True),
    Page("GET", _ONE, show_api_key, _ADMIN),
    Page("POST", f"{_ONE}/roll", post_roll, _ADMIN, fresh=True),
    Page("GET", f"{_ONE}/revoke", show_revoke, _ADMIN),
    Page("POST", f"{_ONE}/revoke", post_revoke, _ADMIN),
)
