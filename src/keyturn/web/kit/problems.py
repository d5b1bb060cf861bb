"""Errors as answers: `application/problem+json` (RFC 9457), the same on every door.

Rule 1: words, status and next step come from the register; an error adds what it knows, never what it was sent.
Rule 2: an error that is not of our tree is `internal_error`, and nothing of it is shown.
Rule 3: an error's `extensions` add members and replace none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from keyturn.core.errors import KeyturnError
from keyturn.core.problems import PROBLEMS
from keyturn.web.kit.headers import OF_DATA

MEDIA_TYPE: Final = "application/problem+json"
INTERNAL_ERROR: Final = KeyturnError.code

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ProblemAnswer:
    """An error, ready to be sent. Header names are lower case; the body may hold a link for the person."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes = field(repr=False)

    async def send(self, send: Send) -> None:
        """Send it as the answer of an ASGI application."""
        await send({"type": "http.response.start", "status": self.status, "headers": list(self.headers)})
        await send({"type": "http.response.body", "body": self.body})


def problem_document(
    error: BaseException, *, request_id: str, next_url: str | None = None, next_text: str | None = None
) -> dict[str, Any]:
    """Say an error as the members of its problem document.

    Args:
        error: one of our tree; any other is shown as `internal_error`.
        request_id: of the request that failed.
        next_url: where the next step is done, if there is such a place.
        next_text: the next step in words that fit better than the register's.
    """
    known = error if isinstance(error, KeyturnError) else KeyturnError()
    problem = PROBLEMS.get(known.code, PROBLEMS[INTERNAL_ERROR])
    found: dict[str, Any] = {
        "type": f"/problems/{problem.code}",
        "title": problem.title,
        "status": problem.status,
        "detail": known.detail or problem.title,
        "code": problem.code,
        "request_id": request_id,
        "retryable": problem.retryable,
        "retry_after": _whole_seconds(known.retry_after_s),
        "next_action": {
            "who": problem.who.value,
            "text": next_text or problem.action_here(known.retry_after_s),
            "url": next_url,
        },
    }
    if known.errors:
        found["errors"] = [finding.as_json() for finding in known.errors]
    return {**known.extensions, **found}


def problem_answer(
    error: BaseException, *, request_id: str, next_url: str | None = None, next_text: str | None = None
) -> ProblemAnswer:
    """Say an error as a whole answer; the arguments are those of `problem_document`."""
    document = problem_document(error, request_id=request_id, next_url=next_url, next_text=next_text)
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    code, status = document["code"], document["status"]
    headers = [
        (b"content-type", MEDIA_TYPE.encode()),
        (b"content-length", str(len(body)).encode()),
        *OF_DATA,
        (b"keyturn-source", b"broker"),
        (b"keyturn-code", code.encode()),
        (b"keyturn-request-id", request_id.encode()),
    ]
    if document["retry_after"] is not None:
        headers.append((b"retry-after", str(document["retry_after"]).encode()))
    if status == 401:
        headers.append((b"www-authenticate", _challenge(code)))
    if status == 408:  # what is left of the body is not waited for
        headers.append((b"connection", b"close"))
    if status == 405 and (allowed := document.get("allow")):
        headers.append((b"allow", ", ".join(allowed).encode()))
    return ProblemAnswer(status, tuple(headers), body)


def _whole_seconds(seconds: float | None) -> int | None:
    """`Retry-After` takes whole seconds; never less than the error asks for, and no nought, which asks for a storm."""
    return None if seconds is None else max(1, math.ceil(seconds))


def _challenge(code: str) -> bytes:
    """RFC 6750 section 3: the scheme that is wanted, and an error only where a key was sent."""
    return b'Bearer realm="keyturn"' + (b', error="invalid_token"' if code == "api_key_expired" else b"")
