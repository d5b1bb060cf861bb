"""From a challenge's answer to the next request: what to ask, what to take along, and how long there is.

Rule 1: what the provider listed is data: a choice's value is sent back as it came, its label is shown as plain text.
Rule 2: a question that can't be asked is an answer that the connector doesn't describe, never an empty list to choose
from.
Rule 3: what is captured may open the account, so each text is a Secret; nothing here says which one was missing.
Rule 4: how long a login may go on is one rule for the person's, the author's trial and a renewal's.

Source: the connector format, "Challenges".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Final

from keyturn.core.answers.answer_body import Body
from keyturn.core.answers.answer_values import extract
from keyturn.core.answers.json_query import query
from keyturn.core.answers.lifetimes import expiry
from keyturn.core.connector import Before, Challenge, Connector, Field, FieldType, Lifetime, ProviderRequest
from keyturn.core.errors import MfaUnsupported
from keyturn.core.messages import Answer
from keyturn.core.requests.request_encoding import request_templates
from keyturn.core.secret import Secret

MOST_ROUNDS: Final = 10  # of one login; a provider that answers each code with a further question is not followed
MOST_WRONG_CODES: Final = 3  # of one login
MOST_RESENDS: Final = 5  # of one login: each may cost somebody a text message
LONGEST_S: Final = 600.0
MAX_CHOICES: Final = 50
MAX_VALUE_CHARS: Final = 1_000
MAX_LABEL_CHARS: Final = 100
_UNSEEN: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]+")


class CannotAsk(ValueError):
    """The answer doesn't list what the person should choose from; the engine treats it as malformed."""


def asked(challenge: Challenge, answer_body: Body) -> tuple[Field, ...]:
    """Say what the person is asked, with the choices that the provider listed.

    Raises:
        CannotAsk: `choices_from` leads to nothing that can be chosen from.
    """
    return tuple(_with_choices(each, answer_body) for each in challenge.ask)


def captured(step: Challenge | Before, answer: Answer, body: Body) -> dict[str, object]:
    """Take out of the answer to a challenge, or to a request before the login, what the next request needs.

    Returns:
        Name → value: numbers and booleans as they are, each text a Secret, however deep; what isn't there is left out.
    """
    found = {name: extract(where, answer, body) for name, where in step.capture.items()}
    return {name: _secret(value) for name, value in found.items() if value is not None}


def lifetime_s(challenge: Challenge, answer: Answer, body: Body) -> float:
    """Say how many seconds from `answer.received_at` the challenge can be answered: ten minutes at most.

    A lifetime that can't be read is as if absent; one that is over already gives 0.
    """
    declared = challenge.lifetime
    if isinstance(declared, Lifetime):
        now = answer.received_at
        ends = expiry(extract(declared.source, answer, body), declared.unit, now=now)
        declared = None if ends is None else ends - now
    return LONGEST_S if declared is None else min(max(0.0, declared), LONGEST_S)


def then_of(connector: Connector, challenge: Challenge) -> ProviderRequest:
    """The request that carries the answers.

    Raises:
        MfaUnsupported: the connector only recognises this challenge and has no next request for it.
    """
    if challenge.then is None:
        link = connector.links.app_password
        raise MfaUnsupported(extensions={} if link is None else {"help": f"Make an app password at {link}."})
    return challenge.then


def needs_password(connector: Connector, place: int) -> bool:
    """Whether a request that can follow after the challenge at `place` of the list names the password.

    Any challenge may follow the answer to a challenge's request, so with one that has a next request all count.
    """
    challenge = connector.challenges[place]
    following = connector.challenges if challenge.then is not None else (challenge,)
    return any("password" in names_in(request) for request in _requests(following))


def names_in(request: ProviderRequest) -> frozenset[str]:
    """Every path that a request's templates read."""
    return frozenset(path for each in request_templates(request) for path in each.names())


def seed_field(connector: Connector) -> Field | None:
    """The field of step 1 that takes a TOTP seed; there is one at most."""
    return next((each for each in connector.fields if each.type is FieldType.TOTP_SEED), None)


def asked_of_seed(ask: Iterable[Field]) -> str | None:
    """The key of the question that a kept seed answers by itself: the only one, and a code; None for any other."""
    match tuple(ask):
        case (Field(type=FieldType.OTP) as only,):
            return only.key
    return None


def asks_code(ask: Iterable[Field]) -> bool:
    """Whether a code is asked for: asked the same again after an answer, the code in it was wrong."""
    return any(each.type is FieldType.OTP for each in ask)


def asks_nothing(challenge: Challenge) -> bool:
    """Whether the next request goes out by itself; with `poll` again and again."""
    return challenge.then is not None and not challenge.ask


def _with_choices(question: Field, body: Body) -> Field:
    if question.choices_from is None:
        return question
    found = query(question.choices_from, body.value) if body.readable else None
    choices = dict(_choices(found))
    if not choices:
        raise CannotAsk
    default = question.default if question.default in choices else None
    return replace(question, choices=MappingProxyType(choices), default=default)


def _choices(found: object) -> Iterator[tuple[str, str]]:
    """Value → label of each entry that has a value; more than a page can show are cut off."""
    entries: list[Any] = found[:MAX_CHOICES] if isinstance(found, list) else []
    for each in entries:
        value = each.get("value") if isinstance(each, Mapping) else each
        text = _scalar(value)
        if text is not None:
            label = _scalar(each.get("label")) if isinstance(each, Mapping) else None
            yield text, _shown(label or "") or _shown(text) or text


def _scalar(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value) if isinstance(value, str) or abs(value) < 2**63 else ""
    return text if 0 < len(text) <= MAX_VALUE_CHARS and not _UNSEEN.search(text) else None


def _shown(text: str) -> str:
    return text.strip()[:MAX_LABEL_CHARS]


def _secret(value: Any) -> object:
    match value:
        case str():
            return Secret(value)
        case list():
            return [_secret(each) for each in value]
        case dict():
            return {name: _secret(each) for name, each in value.items()}
        case _:
            return value


def _requests(challenges: Iterable[Challenge]) -> Iterator[ProviderRequest]:
    for each in challenges:
        yield from (one for one in (each.then, each.resend) if one is not None)
