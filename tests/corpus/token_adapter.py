"""The door through which the token-response corpus judges the parser: no rule of its own.

A case's `profile` is a connector's mapping in the corpus's shorthand; a condition is a JMESPath, or `status:401,403`.
"""

from __future__ import annotations

import base64
from typing import Any

from keyturn.core.connector import ExpiryUnit, Lifetime, ResponseMapping, When
from keyturn.core.messages import Answer
from keyturn.core.token_response import Outcome, Reading, read_answer

_PLACES = ("access_token", "refresh_token", "token_type", "scope", "error")


def parse_token_response(case: dict[str, Any]) -> dict[str, Any]:
    """Read a response that was already received."""
    body = base64.b64decode(case["body_b64"]) if "body_b64" in case else case.get("body", "").encode()
    headers = tuple(
        (name, text)
        for name, texts in case.get("headers", {}).items()
        for text in ([texts] if isinstance(texts, str) else texts)
    )
    return read(Answer(case["status"], headers, body, case["received_at"]), case)


def read(answer: Answer, case: dict[str, Any]) -> dict[str, Any]:
    """Read an answer by the case's profile, and say it in the corpus's words."""
    profile = case.get("profile") or {}
    reading = read_answer(
        answer,
        mapping=_mapping(profile),
        success_when=_when(profile.get("success_when")),
        rejected_when=_when(profile.get("rejected_when")),
        default_ttl_s=profile.get("default_ttl"),
    )
    return _said(reading)


def unavailable() -> dict[str, Any]:
    """The result where no answer came."""
    return _said(Reading(Outcome.TEMPORARILY_UNAVAILABLE))


def _mapping(profile: dict[str, Any]) -> ResponseMapping:
    expires = profile.get("expires")
    places: dict[str, Any] = {place: profile.get(place) for place in _PLACES}
    return ResponseMapping(
        **places,
        expires=None if expires is None else Lifetime(expires["from"], ExpiryUnit(expires.get("unit", "s"))),
    )


def _when(condition: str | None) -> When | None:
    if condition is None:
        return None
    if condition.startswith("status:"):
        return When(status=frozenset(int(code) for code in condition.removeprefix("status:").split(",")))
    return When(body=condition)


def _said(reading: Reading) -> dict[str, Any]:
    tokens = reading.token_set
    found: dict[str, Any] = dict.fromkeys(("access_token", "token_type", "refresh_token", "expires_at", "scope"))
    if tokens is not None:
        found = {
            "access_token": tokens.access_token.reveal(),
            "token_type": tokens.token_type,
            "refresh_token": None if tokens.refresh_token is None else tokens.refresh_token.reveal(),
            "expires_at": tokens.expires_at,
            "scope": None if tokens.scope is None else list(tokens.scope),
        }
    return {"outcome": reading.outcome.value, **found, "retry_after": reading.retry_after_s}
