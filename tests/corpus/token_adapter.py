"""The door through which the token-response corpus judges the parser: no rule of its own.

A case's `profile` is a connector's mapping in the corpus's shorthand; a condition is a JMESPath, or `status:401,403`.
"""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from typing import Any

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.core.answers.token_response import Outcome, Reading, read_answer
from keyturn.core.connector import ExpiryUnit, Lifetime, ProviderRequest, ResponseMapping, When
from keyturn.core.errors import ProviderError
from keyturn.core.messages import Answer
from keyturn.core.requests.provider_request import build_request
from keyturn.core.secret import Secret
from keyturn.core.templates import Template
from keyturn.ports.egress import EgressPolicy
from tests.fakes.clock import FakeClock

_LOOPBACK = EgressAllowances((ip_network("127.0.0.0/8"),), insecure_http=True)
_LOGIN = {"grant_type": "password", "username": "{{ username }}", "password": "{{ password }}"}
_PLACES = ("access_token", "refresh_token", "token_type", "scope", "error")


def parse_token_response(case: dict[str, Any]) -> dict[str, Any]:
    """Read a response that was already received."""
    if case.get("body_b64") is not None:
        body = base64.b64decode(case["body_b64"])
    else:
        body = (case.get("body") or "").encode("utf-8", "surrogatepass")  # what is no text must not end the judging
    headers = tuple(
        (name, text)
        for name, texts in (case.get("headers") or {}).items()
        for text in ([texts] if isinstance(texts, str) else texts)
    )
    return _said(_read(Answer(case["status"], headers, body, case["received_at"]), case))


def fetch_token_response(url: str, case: dict[str, Any]) -> dict[str, Any]:
    """Post a token request with the product's own client, once, and read what comes back."""
    request = build_request(
        ProviderRequest(Template.parse(url), params={name: Template.parse(text) for name, text in _LOGIN.items()}),
        {"username": "ana", "password": Secret("correct horse")},
        client_id=None,
        client_secret=None,
    )
    policy = EgressPolicy(private_network=True, insecure_http=True, timeout_s=case.get("deadline_s", 5.0))

    async def exchange() -> Answer:
        egress = HttpEgress(SystemResolver(), _LOOPBACK, FakeClock(case["received_at"]))
        return await egress.send(request, policy)

    try:
        with ThreadPoolExecutor(1) as apart:  # the caller may have an event loop of its own
            answer = apart.submit(asyncio.run, exchange()).result()
    except ProviderError:  # not sent, or no status line came back
        return _said(Reading(Outcome.TEMPORARILY_UNAVAILABLE))
    return _said(_read(answer, case))


def _read(answer: Answer, case: dict[str, Any]) -> Reading:
    profile = case.get("profile") or {}
    return read_answer(
        answer,
        mapping=_mapping(profile),
        success_when=_when(profile.get("success_when")),
        rejected_when=_when(profile.get("rejected_when")),
        default_ttl_s=profile.get("default_ttl"),
    )


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
