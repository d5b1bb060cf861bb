"""Refusals in the log: who was turned away, where, and why; one line for each caller, then a count.

Rule 1: of a request that is not refused nothing is done here.
Rule 2: a flood of refusals is no flood of lines: of one caller (its key, else its address) an event and code has one
line at once, and one at the end of the minute with how many more came. Of each event no more than so many callers have
lines of their own; all others are counted together.
Rule 3: a line holds an id of a key, never the key; a path's template, never the path; a code of the register and a word
of a closed list, never a text that was sent. Addresses are those that requests are counted by.

Source: OWASP ASVS 5.0, 16.3.1 to 16.3.3; decision 0008.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import structlog
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from keyturn.core.errors import KeyturnError
from keyturn.web.kit.admission.addresses import Network, client_address
from keyturn.web.kit.metric import Kind, Metric

WINDOW_S: Final = 60.0
CALLERS: Final = 20  # of one event that have lines of their own in a window
KEY, SCOPE, OBJECT, LINK = "key_refused", "scope_refused", "object_refused", "link_refused"
SIGN_IN: Final = "sign_in_refused"
DESTINATION, FORM, INPUT, RATE = "destination_refused", "form_refused", "input_refused", "rate_refused"
HIDDEN: Final = "limits"  # why something is not there for this key, though it is there
FOREIGN_FORM, STALE_FORM = "foreign_form", "stale_form"
HEAD_TOO_LONG, HEAD_TOO_SLOW, MALFORMED = "head_too_long", "head_too_slow", "malformed_http"

# Event → its codes: of the register, or one of the words above where no problem document can be sent.
EVENTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        KEY: ("unauthenticated", "api_key_expired"),
        SCOPE: ("forbidden_scope", "forbidden_role"),
        OBJECT: ("not_found",),
        LINK: ("session_used", "session_expired", "challenge_used", "challenge_expired"),
        SIGN_IN: (
            "openid_state_mismatch", "openid_denied", "openid_not_invited", "openid_role_missing",
            "openid_second_factor_missing", "openid_answer_invalid", "sign_in_links_off", "sign_in_link_used",
            "sign_in_link_expired", "reauth_required",
        ),
        DESTINATION: ("url_not_allowed", "address_not_allowed", "return_url_not_allowed"),
        FORM: (FOREIGN_FORM, STALE_FORM),
        INPUT: (
            "bad_request", "validation_failed", "connector_invalid", "payload_too_large", "unsupported_media_type",
            "method_not_allowed", "request_timeout", "body_not_mergeable", HEAD_TOO_LONG, HEAD_TOO_SLOW, MALFORMED,
        ),
        RATE: ("rate_limited", "login_budget_spent", "login_spraying", "logins_stopped"),
    }
)  # fmt: skip
_EVENT_OF: Final = {code: event for event, codes in EVENTS.items() for code in codes}
REFUSED: Final = Metric(
    "keyturn_refused",
    Kind.COUNTER,
    "Requests that were refused for who sent them or what they asked, as the log has them.",
    (("event", "an event of the log, `…_refused`"), ("code", "a problem's code, or a word of the page of log events")),
)
NOBODY: Final[Mapping[str, str]] = MappingProxyType({})

log = structlog.get_logger("keyturn.refusals")


@dataclass(slots=True)
class _Seen:
    """Refusals of one caller since its line: how many, and what the line said."""

    said: Mapping[str, str]
    more: int = 0


@dataclass(slots=True)
class _Window:
    """What was refused since the first refusal of this window."""

    seen: dict[tuple[str, str, str, str], _Seen] = field(default_factory=dict)
    callers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    others: Counter[tuple[str, str]] = field(default_factory=Counter)


class Refusals(Collector):
    """Writes refusals down, and counts them for Prometheus; belongs to the event loop's thread."""

    def __init__(self, trusted_proxies: tuple[Network, ...] = (), *, window_s: float = WINDOW_S) -> None:
        """`trusted_proxies`: whose word on a client's address is believed. `window_s`: over how long is counted."""
        self._trusted = trusted_proxies
        self._window_s = window_s
        self._window = _Window()
        self._timer: asyncio.TimerHandle | None = None
        self._counts: Counter[tuple[str, str]] = Counter()

    def note(
        self,
        error: BaseException,
        scope: MutableMapping[str, Any],
        *,
        route: str,
        request_id: str,
        actor: str = "",
        by_link: bool = False,
    ) -> None:
        """Write a refusal down, where the error is one.

        Args:
            error: what the request is answered with; most are no refusals.
            scope: of the ASGI request, for its address and method.
            route: the path's template.
            request_id: as the answer has it.
            actor: who asked, as the audit log names it; empty where nobody knows.
            by_link: the path holds a link or a page's id, which is what was not found.
        """
        if not isinstance(error, KeyturnError):
            return
        code, why = error.code, error.logged.get("why", "")
        event = _EVENT_OF.get(code)
        if event is OBJECT and why != HIDDEN:
            event = LINK if by_link else None
        if event is None:
            return
        if code == "url_not_allowed":
            why = str(error.extensions.get("reason", ""))
        elif code == "forbidden_scope" and not why:
            why = str(error.extensions.get("required_scope", ""))
        elif code == "rate_limited":
            why = str(error.extensions.get("policy", ""))
        key = error.logged.get("key", "")
        self.note_as(
            event, code, scope, route=route, request_id=request_id, actor=actor or (key and f"key:{key}"), why=why
        )

    def note_as(
        self,
        event: str,
        code: str,
        scope: MutableMapping[str, Any],
        *,
        route: str = "none",
        request_id: str = "",
        actor: str = "",
        why: str = "",
    ) -> None:
        """Write down a refusal that is none of our errors; the arguments are those of `note`."""
        self._counts[event, code] += 1
        address = client_address(scope, self._trusted) or ""
        window, who = self._window, actor or address
        seen = window.seen.get((event, code, why, who))
        if seen is not None:
            seen.more += 1
            return
        self._begin()
        callers = window.callers[event]
        if who not in callers and len(callers) >= CALLERS:
            window.others[event, code] += 1
            return
        callers.add(who)
        method = scope.get("method", "")
        facts = {"code": code, "why": why, "route": route, "method": method, "actor": actor, "address": address}
        said = {name: value for name, value in facts.items() if value}
        window.seen[event, code, why, who] = _Seen(said)
        log.warning(event, **said, request_id=request_id, count=1)

    def tell(self) -> None:
        """Write down what was only counted, and begin anew; at the end of a window, and of the process."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        window, self._window = self._window, _Window()
        for (event, _, _, _), seen in window.seen.items():
            if seen.more:
                log.warning(event, **seen.said, count=seen.more, more_within_s=self._window_s)
        for (event, code), number in window.others.items():
            log.warning(event, code=code, callers="others", count=number, more_within_s=self._window_s)

    def collect(self) -> Iterator[Family]:
        """For Prometheus."""
        yield REFUSED.family([(labels, float(number)) for labels, number in self._counts.items()])

    def _begin(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._window_s, self.tell)
