"""API keys: made, listed, revoked.

Rule 1: a key never makes, sees or revokes one that reaches further than itself.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.engine.api_keys import Principal
from keyturn.ports.store import ApiKey
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.shapes.answers import ApiKeyList, ApiKeyRow, NewKeyAnswer
from keyturn.web.control.shapes.requests import NewApiKey
from keyturn.web.control.shapes.showing import answer, api_key_members
from keyturn.web.control.shown_once import key_text

TAG: Final = "API keys"


async def create_api_key(body: NewApiKey, app: App, caller: Calling) -> Response:
    """Make an API key.

    `key` is shown this once. Without `connectors` the key reaches as far as the one that makes it; without `expires_at`
    it lives as long.
    """
    within = caller.principal
    errors = [
        Finding(f"/connectors/{n}", "not_allowed", "A key that is limited to connectors makes keys for these only.")
        for n, each in enumerate(body.connectors)
        if not within.sees(each)
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
        expires_at=expires_at,
    )
    return answer(NewKeyAnswer(**api_key_members(key), key=key_text(text)), 201)


async def list_api_keys(app: App, caller: Calling) -> Response:
    """List API keys."""
    rows = [ApiKeyRow(**api_key_members(each)) for each in await app.api_keys.list() if _within(caller.principal, each)]
    return answer(ApiKeyList(data=rows))


async def revoke_api_key(key_id: str, app: App, caller: Calling) -> Response:
    """Revoke an API key.

    It is refused from the moment of the answer; revoking twice is fine.
    """
    if caller.principal.connectors and not any(
        each.id == key_id and _within(caller.principal, each) for each in await app.api_keys.list()
    ):
        raise NotFound("There is no such API key.")
    await app.api_keys.revoke(key_id, caller.actor)
    app.calls.end_of_key(key_id)  # its streams are cut; its calls under way get their grace
    return Response(status_code=204)


def _within(principal: Principal, key: ApiKey) -> bool:
    """Whether the key reaches no further than the caller's own."""
    return not principal.connectors or bool(key.connectors and key.connectors <= principal.connectors)


_EXAMPLE: Final = {"name": "billing", "scopes": ["read", "call"]}
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
    Operation("GET", "/v1/api-keys", list_api_keys, "admin", {200: ApiKeyList}, TAG),
    Operation("DELETE", "/v1/api-keys/{key_id}", revoke_api_key, "admin", {204: None}, TAG),
)
