"""The one parser for every provider's answer to a login, a renewal or a challenge's next request.

Rule 1: challenges first, then failures, status, `success_when`, the OAuth error, `rejected_when`; a token last.
Rule 2: on 429 and 5xx only what names that status counts; else a provider's trouble would be the person's mistake.
Rule 3: what is not clearly a token, and not clearly a refusal, is malformed. Nothing here raises.

Sources: the token-response contract; the connector format, "Requests"; RFC 6749 §5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

from keyturn.core.answers.answer_body import UNREADABLE, Body, decode_body
from keyturn.core.answers.answer_values import extract, matches
from keyturn.core.answers.answered_hosts import answered_host
from keyturn.core.answers.json_query import fields_of, is_true
from keyturn.core.answers.lifetimes import expiry, says_no_end, usual_expiry, wait_s
from keyturn.core.answers.oauth_errors import Outcome, outcome_of, safe_word
from keyturn.core.connector import Challenge, Failure, FailureClass, Lifetime, ResponseMapping, When
from keyturn.core.messages import Answer
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet

__all__ = ["Outcome", "Reading", "read_answer", "says_no"]

_WHOLE_BODY: Final = "@"
_TOO_MANY_REQUESTS: Final = 429
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")
_BETWEEN_SCOPES: Final = re.compile(r"[ \t\r\n,]+")
_WAITS: Final = frozenset({Outcome.RATE_LIMITED, Outcome.TEMPORARILY_UNAVAILABLE})

# What a provider's own words mean for login and renewal. The class says more: whoever acts looks at it first.
_BY_CLASS: Final[Mapping[FailureClass, Outcome]] = MappingProxyType(
    {
        FailureClass.WRONG_PASSWORD: Outcome.REJECTED_CREDENTIALS,
        FailureClass.WRONG_CODE: Outcome.REJECTED_CREDENTIALS,
        FailureClass.PASSWORD_OR_CODE: Outcome.REJECTED_CREDENTIALS,
        FailureClass.LOCKED: Outcome.REJECTED_CREDENTIALS,
        FailureClass.PASSWORD_EXPIRED: Outcome.REJECTED_CREDENTIALS,
        FailureClass.MUST_ACT: Outcome.REJECTED_CREDENTIALS,
        FailureClass.GRANT_DISABLED: Outcome.UNSUPPORTED_GRANT,
        FailureClass.CLIENT_WRONG: Outcome.INVALID_CLIENT,
        FailureClass.SCOPE_DENIED: Outcome.INVALID_SCOPE,
        FailureClass.RATE_LIMITED: Outcome.RATE_LIMITED,
    }
)


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer said.

    `token_set`: with the outcome token only. `retry_after_s`: seconds from `received_at`, where the provider asks to
    wait. `failure`, `help`: the connector's failure that matched; look at it before the outcome. `challenge`: the
    connector's challenge that matched; a challenge without one can't be answered here. `oauth_error`: the code, if it
    is a short plain word. `body`: decoded, for `answer_values.extract`.
    """

    outcome: Outcome
    token_set: TokenSet | None = None
    retry_after_s: float | None = None
    failure: FailureClass | None = None
    help: str = ""
    challenge: Challenge | None = None
    oauth_error: str | None = None
    body: Body = field(default=UNREADABLE, repr=False)


def read_answer(
    answer: Answer,
    *,
    mapping: ResponseMapping,
    success_when: When | None = None,
    rejected_when: When | None = None,
    failures: Sequence[Failure] = (),
    challenges: Sequence[Challenge] = (),
    default_ttl_s: float | None = None,
    refresh_lifetime_s: float | None = None,
    live: Secret | None = None,
) -> Reading:
    """Say what an answer means.

    Args:
        answer: as it was received; `received_at` is the clock.
        mapping: where its values stand.
        success_when: unless it holds there is no token.
        rejected_when: an answer that would else be malformed means rejected credentials.
        failures: those of the request, then the connector's; the first match wins.
        challenges: tried in order, also on an answer that holds a token; the first match wins.
        default_ttl_s: seconds, where no lifetime could be read.
        refresh_lifetime_s: the same for the refresh token.
        live: the access token that was shown to have it go on living: it does where an answer that `success_when`
            describes holds no other.
    """
    if _is_success(answer.status) and not answer.complete:
        return Reading(Outcome.MALFORMED)  # it may have been a token: what happened is not known
    body = decode_body(answer, bare=mapping.access_token == _WHOLE_BODY, secrets=_secret_names(mapping))
    return (
        _described(answer, body, mapping, failures, challenges)
        or _by_status(answer, body, mapping)
        or _by_content(
            answer, body, mapping, success_when, rejected_when, _Assumed(default_ttl_s, refresh_lifetime_s, live)
        )
    )


def _described(
    answer: Answer, body: Body, mapping: ResponseMapping, failures: Sequence[Failure], challenges: Sequence[Challenge]
) -> Reading | None:
    """What the connector describes in the provider's own words."""
    for challenge in challenges:
        if _counts(challenge.when, answer, body):
            return Reading(Outcome.CHALLENGE, challenge=challenge, body=body)
    for failure in failures:
        if _counts(failure.when, answer, body):
            outcome = _BY_CLASS[failure.failure_class]
            wait = _retry_after(answer, body, mapping) if outcome in _WAITS else None
            return Reading(outcome, retry_after_s=wait, failure=failure.failure_class, help=failure.help, body=body)
    return None


def _counts(when: When, answer: Answer, body: Body) -> bool:
    named = answer.status in when.status
    return matches(when, answer, body) and (named or not _is_providers_trouble(answer.status))


def _by_status(answer: Answer, body: Body, mapping: ResponseMapping) -> Reading | None:
    if not _is_providers_trouble(answer.status):
        return None
    limited = answer.status == _TOO_MANY_REQUESTS
    outcome = Outcome.RATE_LIMITED if limited else Outcome.TEMPORARILY_UNAVAILABLE
    return Reading(outcome, retry_after_s=_retry_after(answer, body, mapping), body=body)


@dataclass(frozen=True, slots=True)
class _Assumed:
    """What holds where an answer doesn't say it; both lifetimes in seconds."""

    ttl_s: float | None = None
    refresh_lifetime_s: float | None = None
    live: Secret | None = field(default=None, repr=False)

    def without_live(self) -> _Assumed:
        """The same where an answer without a token is none."""
        return replace(self, live=None)


def _by_content(
    answer: Answer,
    body: Body,
    mapping: ResponseMapping,
    success_when: When | None,
    rejected_when: When | None,
    assumed: _Assumed,
) -> Reading:
    code = _error_code(answer, body, mapping)
    outcome = Outcome.MALFORMED
    if code is not None:
        outcome = outcome_of(code, _members(body)) if isinstance(code, str) else Outcome.MALFORMED
    elif _may_hold_token(answer, body, assumed) and (success_when is None or matches(success_when, answer, body)):
        token_set = _token_set(answer, body, mapping, assumed if success_when is not None else assumed.without_live())
        if token_set is not None:
            return Reading(Outcome.TOKEN, token_set, body=body)
    if outcome is Outcome.MALFORMED and rejected_when is not None and matches(rejected_when, answer, body):
        outcome = Outcome.REJECTED_CREDENTIALS
    wait = _retry_after(answer, body, mapping) if outcome in _WAITS else None
    return Reading(outcome, retry_after_s=wait, oauth_error=safe_word(code), body=body)


def _is_success(status: int) -> bool:
    return 200 <= status < 300


def _is_providers_trouble(status: int) -> bool:
    return status == _TOO_MANY_REQUESTS or 500 <= status < 600


def _members(body: Body) -> Mapping[str, Any]:
    return body.value if isinstance(body.value, dict) else {}


def _value(where: str | None, usual: str, answer: Answer, body: Body) -> Any:
    """What stands at the connector's place, or else at the usual top-level member; never both."""
    return _members(body).get(usual) if where is None else extract(where, answer, body)


def _error_code(answer: Answer, body: Body, mapping: ResponseMapping) -> object:
    """The OAuth error of a 2xx or 4xx, None where there is none; what is false as in JMESPath is none."""
    if not (_is_success(answer.status) or 400 <= answer.status < 500):
        return None
    code: object = _value(mapping.error, "error", answer, body)
    return code if is_true(code) else None


def says_no(answer: Answer, body: Body, mapping: ResponseMapping) -> bool:
    """Whether an answer holds an OAuth error, known or not, or says that it is not `ok`."""
    return _error_code(answer, body, mapping) is not None or _is_refused(body)


def _is_refused(body: Body) -> bool:
    members = _members(body)
    return members.get("ok") is False or members.get("success") is False


def _may_hold_token(answer: Answer, body: Body, assumed: _Assumed) -> bool:
    """Whether it is worth looking: one that only lets a token live on may be empty."""
    readable = body.readable or assumed.live is not None
    return _is_success(answer.status) and readable and not _is_refused(body)


def _token_set(
    answer: Answer,
    body: Body,
    mapping: ResponseMapping,
    assumed: _Assumed,
) -> TokenSet | None:
    """The token set, None where the access token or its type can't be used."""
    text = _access_token(answer, body, mapping)
    access_token = assumed.live if text is None else Secret(text)
    token_type = _value(mapping.token_type, "token_type", answer, body)
    if access_token is None or not _is_bearer(token_type):
        return None
    refresh_token = _value(mapping.refresh_token, "refresh_token", answer, body)
    now = answer.received_at
    kept = {name: extract(where, answer, body) for name, where in mapping.keep.items()}
    kept |= {name: answered_host(kept[name], allowed) for name, allowed in mapping.hosts.items()}
    return TokenSet(
        access_token=access_token,
        issued_at=now,
        refresh_token=Secret(refresh_token) if isinstance(refresh_token, str) and refresh_token else None,
        expires_at=_expires_at(answer, body, mapping, assumed.ttl_s),
        refresh_expires_at=_refresh_expires_at(answer, body, mapping, assumed.refresh_lifetime_s),
        scope=_scope(_value(mapping.scope, "scope", answer, body)),
        kept=MappingProxyType({name: value for name, value in kept.items() if value is not None}),
    )


def _expires_at(answer: Answer, body: Body, mapping: ResponseMapping, default_ttl_s: float | None) -> float | None:
    now = answer.received_at
    if mapping.expires is None:
        found = usual_expiry(_members(body), now=now)
    else:
        found = _instant(mapping.expires, answer, body)
    return now + default_ttl_s if found is None and default_ttl_s is not None else found


def _refresh_expires_at(answer: Answer, body: Body, mapping: ResponseMapping, lifetime_s: float | None) -> float | None:
    """When the refresh token ends; no usual name says that, so None without a place and a lifetime.

    None too where the answer says 0 or less: it does not end, as an offline token.
    """
    place = mapping.refresh_expires
    if place is not None and says_no_end(extract(place.source, answer, body)):
        return None
    found = None if place is None else _instant(place, answer, body)
    return answer.received_at + lifetime_s if found is None and lifetime_s is not None else found


def _instant(lifetime: Lifetime, answer: Answer, body: Body) -> float | None:
    return expiry(extract(lifetime.source, answer, body), lifetime.unit, now=answer.received_at)


def _access_token(answer: Answer, body: Body, mapping: ResponseMapping) -> str | None:
    found = _value(mapping.access_token, "access_token", answer, body)
    return found if isinstance(found, str) and _VISIBLE.fullmatch(found) else None


def _is_bearer(token_type: object) -> bool:
    return token_type is None or token_type == "" or (isinstance(token_type, str) and token_type.lower() == "bearer")


def _scope(value: object) -> tuple[str, ...] | None:
    """A set, in the order in which it came (RFC 6749 section 3.3)."""
    if isinstance(value, str):
        return tuple(dict.fromkeys(each for each in _BETWEEN_SCOPES.split(value) if each))
    if isinstance(value, list):
        return tuple(dict.fromkeys(each for each in value if isinstance(each, str)))
    return None


def _retry_after(answer: Answer, body: Body, mapping: ResponseMapping) -> float | None:
    """How long the provider asks to wait, in seconds: at the connector's place, or else in `Retry-After`."""
    now = answer.received_at
    if mapping.retry_after is not None:
        until = _instant(mapping.retry_after, answer, body)
        if until is not None:
            return max(0.0, until - now)
    return wait_s(answer.value("retry-after"), now=now)


def _secret_names(mapping: ResponseMapping) -> frozenset[str]:
    """Members that hold a secret, or lead to one: given twice with different values, nobody knows which is meant."""
    names = {"access_token", "refresh_token"}
    for where in (mapping.access_token, mapping.refresh_token):
        if where is not None and not where.startswith(("header:", "cookie:")):
            names |= fields_of(where)
    return frozenset(names)
