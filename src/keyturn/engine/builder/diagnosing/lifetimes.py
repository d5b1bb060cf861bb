"""Where a token's lifetime came from, and what to say of it: a trial that passes by a default would hide a wrong place.

Rule 1: a guess names a path of the answer that is there; it never names a value.
Rule 2: nothing here makes a trial fail: a lifetime is advice (RFC 6749 section 5.1).
"""

from __future__ import annotations

from typing import Final

from keyturn.core.answers.answer_body import Body
from keyturn.core.answers.answer_values import extract
from keyturn.core.answers.json_query import query
from keyturn.core.answers.lifetimes import read_number, usual_expiry
from keyturn.core.building.near_paths import nearest_lifetime
from keyturn.core.connector import ExpiryUnit, ProviderRequest
from keyturn.core.messages import Answer
from keyturn.core.token_set import TokenSet
from keyturn.engine.builder.trial_trace import Diagnosis, Suggestion

USUAL: Final = "expires_in"
_USUAL_NAMES: Final = (USUAL, "expires_at", "expires")  # in the order in which they count
_RARELY_SO_LONG_S: Final = 1_000_000  # eleven days, or a quarter of an hour in milliseconds

_UNITS: Final = {ExpiryUnit.SECONDS: "seconds", ExpiryUnit.MILLISECONDS: "milliseconds", ExpiryUnit.MINUTES: "minutes"}


def lifetime_place(spec: ProviderRequest, answer: Answer, body: Body) -> str:
    """The path that gave it; empty where the answer gave none."""
    where = spec.response.expires
    if where is not None:
        return where.source if extract(where.source, answer, body) is not None else ""
    members = body.value if isinstance(body.value, dict) else {}
    there = (name for name in _USUAL_NAMES if name in members)
    return next((each for each in there if usual_expiry({each: members[each]}, now=answer.received_at) is not None), "")


def of_lifetime(spec: ProviderRequest, pointer: str, token_set: TokenSet, answer: Answer, body: Body) -> Diagnosis:
    """What the author should look at; no words where there is nothing."""
    place, where = f"{pointer}/response/expires", spec.response.expires
    if found := lifetime_place(spec, answer, body):
        in_seconds = where.unit is ExpiryUnit.SECONDS if where else found == USUAL
        return _of_span(place, found, token_set) if in_seconds else ("", None)
    near = nearest_lifetime(where.source if where else USUAL, body.value)
    if where is None and near is None:
        return "", None
    words = f"The answer has no lifetime at {where.source if where else USUAL}"
    words += "." if token_set.expires_at is None else ": the one that step 2 gives for such an answer was taken."
    if near is None:
        return words, None
    unit = where.unit if where else ExpiryUnit.SECONDS
    number = read_number(query(near, body.value))
    if unit is ExpiryUnit.SECONDS and number is not None and _counts_milliseconds(number):
        unit = ExpiryUnit.MILLISECONDS
    words += f" {near} may be it, in {_UNITS[unit]}." if unit in _UNITS else f" {near} may be it."
    return words, Suggestion(f"Use {near}", place, {"from": near, "unit": unit.value})


def _of_span(place: str, source: str, token_set: TokenSet) -> Diagnosis:
    """A number of seconds that looks like one of milliseconds."""
    span = None if token_set.expires_at is None else token_set.expires_at - token_set.issued_at
    if span is None or not _counts_milliseconds(span):
        return "", None
    days = round(span / 86_400)
    words = f"By {source} the token lives {days} days. If the provider doesn't say so, it may count milliseconds."
    value = {"from": source, "unit": ExpiryUnit.MILLISECONDS.value}
    return words, Suggestion("Count milliseconds", place, value)


def _counts_milliseconds(number: float) -> bool:
    """Whether a number of seconds is more likely one of milliseconds."""
    return number >= _RARELY_SO_LONG_S and not round(number) % 1000
