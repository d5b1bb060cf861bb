"""What an operation is: a row that routing, scopes, documents and tests are all made from.

Rule 1: every call of the control plane is one row; there is no route beside the table.
Rule 2: a row's `problems` are the codes of its own; those that any call can have are added by `codes_of`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import Response

PUBLIC: Final = ""  # the scope of what needs no key
LIMITS: Final = ("connectors", "owners")  # what a key may be limited to


class Takes(Enum):
    """What body an operation takes."""

    NOTHING = "nothing"
    JSON = "json"
    CONNECTOR = "connector"  # YAML, or the JSON that YAML contains


@dataclass(frozen=True, slots=True)
class Operation:
    """One call.

    `answers`: status → model of the body (None: no body). `example`: of the body that it takes.
    `status_examples`: status → an answer's example, where it is another than `answer_example`.
    `secret`: the members of an answer that must not be stored for replay.
    `unlimited_by`: what a key must not be limited to for this (`connectors`, `owners`): it is about more than those.
    `signs_in`: somebody's credentials may go out, which is limited apart.
    """

    method: str
    path: str
    endpoint: Callable[..., Awaitable[Response]]
    scope: str
    answers: dict[int, type[BaseModel] | None]
    tag: str
    takes: Takes = Takes.NOTHING
    problems: tuple[str, ...] = ()
    example: Any = None
    answer_example: Any = None
    status_examples: Mapping[int, Any] = field(default_factory=dict)
    secret: tuple[str, ...] = ()
    headers: tuple[str, ...] = field(default=())
    unlimited_by: tuple[str, ...] = ()
    signs_in: bool = False

    @property
    def name(self) -> str:
        """The operation's id in the OpenAPI document."""
        return self.endpoint.__name__

    @property
    def replayable(self) -> bool:
        """Whether `Idempotency-Key` counts here."""
        return self.method == "POST"

    def codes(self) -> tuple[str, ...]:
        """Every problem code that it may answer with, in order."""
        found = [*self.problems, "internal_error", "store_unavailable"]
        if self.scope != PUBLIC:
            found += ["unauthenticated", "api_key_expired", "forbidden_scope", "validation_failed", "rate_limited"]
        if self.takes is not Takes.NOTHING:
            found += ["bad_request", "request_timeout", "payload_too_large", "unsupported_media_type"]
        if self.replayable:
            found += ["bad_request", "idempotency_in_progress", "idempotency_key_reused"]
        if "{" in self.path:
            found.append("not_found")
        return tuple(dict.fromkeys(found))
