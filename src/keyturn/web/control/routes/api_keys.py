"""API keys: made, listed, read, rolled, revoked.

Rule 1: a key never makes, sees, rolls or revokes one that reaches further than itself.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.engine.api_keys import Principal
from keyturn.engine.application import Application
from keyturn.ports.access.api_keys import ApiKey
from keyturn.web.control.caller import App, Caller, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.shapes.answers import ApiKeyList, ApiKeyRow, NewKeyAnswer
from keyturn.web.control.shapes.requests import NewApiKey, RollApiKey
from keyturn.web.control.shapes.showing import answer, api_key_members
from keyturn.web.control.shown_once import key_text

TAG: Final = "API keys"
OVERLAP_S: Final = 86_400


async def create_api_key(body: NewApiKey, app: App, caller: Calling) -> Response:
    """Make an API key.

    `key` is shown this once. `connectors` and `owners` limit what it sees and makes; without them it reaches as far as
    the key that makes it, and without `expires_at` it lives as long.
    """
    within = caller.principal
    errors = [
        Finding(f"/connectors/{n}", "not_allowed", "A key that is limited to connectors makes keys for these only.")
        for n, each in enumerate(body.connectors)
        if not within.sees(each)
    ]
    errors += [
        Finding(f"/owners/{n}", "not_allowed", "A key that is limited to owners makes keys for these only.")
        for n, each in enumerate(body.owners)
        if not within.sees_owner(each)
    ]
    expires_at = body.expires_at.timestamp() if body.expires_at else within.expires_at
    if expires_at is not None and within.expires_at is not None and expires_at > within.expires_at:
        errors.append(Finding("/expires_at", "not_allowed", "A key that ends makes none that outlives it."))
    if errors:
        raise ValidationFailed(errors=errors)
    key, text = await app.api_keys.create(
        body.name,
        body.scopes,
        caller.actor,
        connectors=body.connectors or within.connectors,
        owners=body.owners or within.owners,
        expires_at=expires_at,
    )
    return answer(NewKeyAnswer(**api_key_members(key), key=key_text(text)), 201)


async def list_api_keys(app: App, caller: Calling) -> Response:
    """List API keys."""
    rows = [ApiKeyRow(**api_key_members(each)) for each in await app.api_keys.list() if _within(caller.principal, each)]
    return answer(ApiKeyList(data=rows))


async def get_api_key(key_id: str, app: App, caller: Calling) -> Response:
    """Read an API key.

    `last_used_at` is written down once a minute at most.
    """
    return answer(ApiKeyRow(**api_key_members(await _found(app, caller, key_id))))


async def roll_api_key(key_id: str, app: App, caller: Calling, body: RollApiKey | None = None) -> Response:
    """Roll an API key.

    Makes a key with the same name, scopes and limits, and as long a life. The old one goes on for `overlap_s` seconds
    (a day, unless said otherwise), so that whoever holds it can change over; with 0 it ends at once.
    """
    await _found(app, caller, key_id)
    overlap_s = OVERLAP_S if body is None or body.overlap_s is None else body.overlap_s
    new, text = await app.api_keys.roll(key_id, caller.actor, overlap_s=overlap_s, ends_by=caller.principal.expires_at)
    if overlap_s == 0:
        app.calls.end_of_key(key_id)
    return answer(NewKeyAnswer(**api_key_members(new), key=key_text(text)), 201)


async def revoke_api_key(key_id: str, app: App, caller: Calling) -> Response:
    """Revoke an API key.

    It is refused from the moment of the answer; revoking twice is fine.
    """
    if caller.principal.limited:
        await _found(app, caller, key_id)
    await app.api_keys.revoke(key_id, caller.actor)
    app.calls.end_of_key(key_id)  # its streams are cut; its calls under way get their grace
    return Response(status_code=204)


async def _found(app: Application, caller: Caller, key_id: str) -> ApiKey:
    key = await app.api_keys.load(key_id)
    if not _within(caller.principal, key):
        raise NotFound("There is no such API key.")
    return key


def _within(principal: Principal, key: ApiKey) -> bool:
    """Whether the key reaches no further than the caller's own."""
    of_connectors = not principal.connectors or bool(key.connectors and key.connectors <= principal.connectors)
    return of_connectors and (not principal.owners or bool(key.owners and key.owners <= principal.owners))


_ONE: Final = "/v1/api-keys/{key_id}"
_EXAMPLE: Final = {"name": "billing", "scopes": ["read", "call"], "owners": ["user-42"]}
_ROW: Final[dict[str, Any]] = {
    "id": "key_5f0c6e2d",
    "name": "billing",
    "scopes": ["call", "read"],
    "connectors": [],
    "owners": ["user-42"],
    "created_at": "2030-01-31T12:00:00.000Z",
    "created_by": "key:key_1b9e0c77",
    "expires_at": None,
    "last_used_at": "2030-01-31T12:58:00.000Z",
}
OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/api-keys",
        create_api_key,
        "admin",
        {201: NewKeyAnswer},
        TAG,
        takes=Takes.JSON,
        example=_EXAMPLE,
        secret=("key",),
    ),
    Operation(
        "GET",
        "/v1/api-keys",
        list_api_keys,
        "admin",
        {200: ApiKeyList},
        TAG,
        answer_example={"data": [_ROW], "next_cursor": None},
    ),
    Operation("GET", _ONE, get_api_key, "admin", {200: ApiKeyRow}, TAG, answer_example=_ROW),
    Operation(
        "POST",
        f"{_ONE}/roll",
        roll_api_key,
        "admin",
        {201: NewKeyAnswer},
        TAG,
        takes=Takes.JSON,
        example={"overlap_s": 3600},
        secret=("key",),
    ),
    Operation("DELETE", _ONE, revoke_api_key, "admin", {204: None}, TAG),
)
