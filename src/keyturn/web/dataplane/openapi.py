"""The data plane's calls as `paths` of an OpenAPI document (3.1); the control plane serves it with its own.

Rule 1: the proxy is not in it: it takes every method and path, and its answers are the API's.
Rule 2: scopes and codes stand beside each call, as with those of the control plane.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from keyturn.core.problems import PROBLEMS
from keyturn.web.dataplane.forward_auth import FORWARDED, ORIGINAL, ForwardAuth
from keyturn.web.dataplane.token_endpoint import MEMBER, TokenEndpoint
from keyturn.web.kit.problems import MEDIA_TYPE

TAG: Final = "other doors"
_TEXT: Final = {"type": "string"}
_TEXTS: Final = {"type": "object", "additionalProperties": _TEXT}
_REQUEST_ID: Final = {"Keyturn-Request-Id": {"schema": _TEXT}}
_EVERY: Final = (
    "unauthenticated", "api_key_expired", "forbidden_scope", "rate_limited", "bad_request",
    "validation_failed",
)  # fmt: skip
# What can keep a token from being there: the connection's state, its renewal, the parts of this instance.
_NO_TOKEN: Final = (
    "not_found", "connection_disconnected", "connection_paused", "connection_unconfirmed",
    "connection_needs_reconnect", "renewal_in_progress", "renewal_not_possible", "login_budget_spent",
    "logins_stopped", "quiet_hours",
    "provider_rate_limited", "provider_unreachable", "provider_tls_failed", "provider_timeout",
    "provider_unavailable", "provider_bad_response", "connector_client_missing", "connector_client_rejected",
    "provider_grant_disabled", "scope_insufficient", "connector_value_absent", "address_not_allowed",
    "url_not_allowed", "token_vend_disabled", "store_unavailable", "key_unavailable", "internal_error",
)  # fmt: skip
TOKEN_CODES: Final = (*_EVERY, "request_timeout", "payload_too_large", "unsupported_media_type", *_NO_TOKEN)
FORWARD_AUTH_CODES: Final = (*_EVERY, *_NO_TOKEN)


def _problems(by_status: Mapping[int, Iterable[str]]) -> dict[str, Any]:
    return {
        str(status): {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code].title}" for code in codes),
            "x-codes": list(codes),
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, codes in sorted(by_status.items())
    }


def _by_status(codes: Iterable[str], *, only: frozenset[int] = frozenset(), else_: int = 0) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for code in codes:
        status = PROBLEMS[code].status
        found.setdefault(status if not only or status in only else else_, []).append(code)
    return found


_RULE: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["url", "deny"],
    "properties": {
        "url": _TEXT,
        "methods": {"type": "array", "items": _TEXT, "description": "All where absent; GET stands for HEAD as well."},
        "deny": {"type": "boolean"},
    },
}
_TOKEN_ANSWER: Final[dict[str, Any]] = {
    "type": "object",
    "required": ["access_token", "token_type", "expires_at", "generation", "apply", "allowed_urls"],
    "properties": {
        "access_token": _TEXT,
        "token_type": _TEXT,
        "expires_at": {"type": ["string", "null"], "format": "date-time"},
        "generation": {"type": "integer", "description": "For `refused_generation`."},
        "apply": {
            "type": "object",
            "description": "What to put on each call; a client's own value wins over all but those in `locked`.",
            "required": ["headers", "query", "body", "locked"],
            "properties": {
                "headers": _TEXTS,
                "query": _TEXTS,
                "body": {"type": "object"},
                "locked": {"type": "array", "items": _TEXT, "description": "Names, in lower case."},
                "only": {
                    "type": "array",
                    "description": "What goes on some calls only, over the above; none of `methods` or `paths`: all.",
                    "items": {
                        "type": "object",
                        "required": ["methods", "paths", "headers", "query", "body"],
                        "properties": {
                            "methods": {"type": "array", "items": _TEXT},
                            "paths": {"type": "array", "items": _TEXT, "description": "`*` is any one segment."},
                            "headers": _TEXTS,
                            "query": _TEXTS,
                            "body": {"type": "object"},
                        },
                    },
                },
            },
        },
        "allowed_urls": {
            "type": "array",
            "items": {"anyOf": [_TEXT, _RULE]},
            "description": (
                "The only places that may be sent the token: scheme://host[:port][/path-prefix]; as an object where it"
                " is about some methods only, or denies. What denies wins."
            ),
        },
    },
}
_TOKEN: Final[dict[str, Any]] = {
    "operationId": "hand_out_token",
    "tags": [TAG],
    "summary": "Hand out a connection's access token",
    "description": (
        "For callers that may hold a token. One that has ended is renewed first. The answer is `no-store` and is never"
        " kept for replay. It is written to the audit log once for each key and generation. If the API refused the"
        " token, say its generation: it is renewed if it is still the current one."
    ),
    "security": [{"bearer": []}, {"key": []}],
    "x-required-scope": TokenEndpoint.key_scope,
    "parameters": [{"name": "connection_id", "in": "path", "required": True, "schema": _TEXT}],
    "requestBody": {
        "required": False,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {MEMBER: {"type": ["integer", "null"], "minimum": 1}},
                },
                "example": {MEMBER: 3},
            }
        },
    },
    "responses": {
        "200": {
            "description": "The token, and what goes along with it.",
            "headers": _REQUEST_ID,
            "content": {
                "application/json": {
                    "schema": _TOKEN_ANSWER,
                    "example": {
                        "access_token": "2YotnFZFEjr1zCsicMWpAA",
                        "token_type": "Bearer",
                        "expires_at": "2026-01-01T12:00:00Z",
                        "generation": 3,
                        "apply": {
                            "headers": {"Authorization": "Bearer 2YotnFZFEjr1zCsicMWpAA"},
                            "query": {},
                            "body": {},
                            "locked": ["authorization"],
                        },
                        "allowed_urls": ["https://api.acme.example"],
                    },
                }
            },
        },
        **_problems(_by_status(TOKEN_CODES)),
    },
}


def _header(name: bytes, words: str) -> dict[str, Any]:
    spelled = "-".join(part.capitalize() for part in name.decode("ascii").split("-")).replace("-Uri", "-URI")
    return {"name": spelled, "in": "header", "required": False, "description": words, "schema": _TEXT}


_FORWARD_AUTH: Final[dict[str, Any]] = {
    "operationId": "forward_auth",
    "tags": [TAG],
    "summary": "Say which headers another proxy has to add to a request",
    "description": (
        "Every answer is 204, 401 or 403; `Keyturn-Code` has the reason. The URI is joined to the connector's base URL"
        " and has to lie within the allowed URLs. A connector that puts values into queries or bodies is refused."
    ),
    "security": [{"bearer": []}, {"key": []}],
    "x-required-scope": ForwardAuth.key_scope,
    "parameters": [
        {"name": "connection", "in": "query", "required": True, "schema": _TEXT},
        *(_header(name, "Of the request that is asked about.") for name in ORIGINAL),
        *(_header(name, "The same, from trusted proxies only.") for name in FORWARDED),
    ],
    "responses": {
        "204": {"description": "The headers to add are those of this answer.", "headers": _REQUEST_ID},
        **_problems(_by_status(FORWARD_AUTH_CODES, only=frozenset({401}), else_=403)),
    },
}

OPENAPI_PATHS: Final[Mapping[str, Any]] = {
    "/v1/connections/{connection_id}/token": {"post": _TOKEN},
    "/v1/forward-auth": {"get": _FORWARD_AUTH},
}
