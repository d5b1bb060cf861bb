"""Second factors: what each login costs the person, and challenges that can't work as they are written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from keyturn.core.challenges.steps import LONGEST_S, names_in, seed_field
from keyturn.core.connector import Challenge, Connector, FieldType, PasswordKeep, Strategy, When
from keyturn.core.lint.findings import LintFinding, found
from keyturn.core.lint.subject import Subject
from keyturn.core.reading.document import child_pointer

_CODE_WORD: Final = re.compile(r"(?:^|[^a-z])(?:otp|totp|code|pin|passcode)s?(?:$|[^a-z])", re.IGNORECASE)
_COULD_HOLD_CODE: Final = frozenset({FieldType.TEXT, FieldType.NUMBER, FieldType.SECRET})


def lint_challenges(subject: Subject) -> Iterator[LintFinding]:
    """Look at codes, seeds and challenges."""
    connector = subject.connector
    yield from _logins(connector)
    yield from _seed(connector)
    roots = {re.split(r"[.\[]", path, maxsplit=1)[0] for _, each in subject.templates() for path in each.names()}
    for place, challenge in enumerate(connector.challenges):
        pointer = f"/challenges/{place}"
        yield from _asks(challenge, pointer)
        yield from _next_request(connector, challenge, pointer)
        yield from _waits(challenge, pointer)
        if any(covers(earlier.when, challenge.when) for earlier in connector.challenges[:place]):
            yield found("K212", f"{pointer}/when")
        for name in challenge.capture:
            if name not in roots:
                yield found("K215", child_pointer(f"{pointer}/capture", name))


def covers(one: When, other: When) -> bool:
    """Whether every answer that the other condition means is certainly one that this condition means."""
    status = not one.status or (bool(other.status) and other.status <= one.status)
    return status and one.body in (None, other.body) and one.header.items() <= other.header.items()


def _logins(connector: Connector) -> Iterator[LintFinding]:
    codes = [index for index, each in enumerate(connector.fields) if each.type is FieldType.OTP]
    if connector.interactive:
        yield found("K211", "/login")
        if not codes and not connector.challenges:
            yield found("K210", "/login")
    repeats = (
        connector.password.keep is not PasswordKeep.NEVER and connector.refresh.strategy is not Strategy.REFRESH_ONLY
    )
    if repeats and seed_field(connector) is None:
        for index in codes:
            yield found("K111", f"/fields/{index}")


def _seed(connector: Connector) -> Iterator[LintFinding]:
    for index, each in enumerate(connector.fields):
        if each.type is FieldType.TOTP_SEED:
            yield found("K109" if _repeats(connector) else "K110", f"/fields/{index}")


def _repeats(connector: Connector) -> bool:
    """Whether a renewal may log in by the kept password."""
    kept = connector.password.keep is not PasswordKeep.NEVER
    return kept and connector.refresh.strategy is not Strategy.REFRESH_ONLY


def _asks(challenge: Challenge, pointer: str) -> Iterator[LintFinding]:
    for index, each in enumerate(challenge.ask):
        says_code = _CODE_WORD.search(each.key) or _CODE_WORD.search(each.label)
        if each.type in _COULD_HOLD_CODE and says_code:
            yield found("K213", f"{pointer}/ask/{index}")


def _next_request(connector: Connector, challenge: Challenge, pointer: str) -> Iterator[LintFinding]:
    then = challenge.then
    if then is None:
        if connector.links.app_password is None:
            yield found("K217", pointer)
        return
    if not challenge.ask and challenge.poll is None and _sends_the_same(connector, challenge):
        yield found("K214", f"{pointer}/then")
    if challenge.answers_challenge and len(connector.challenges) == 1:
        yield found("K218", f"{pointer}/then/answers")
    if challenge.poll is not None and "password" in names_in(then):
        yield found("K220", f"{pointer}/then/poll")


def _sends_the_same(connector: Connector, challenge: Challenge) -> bool:
    token, then = connector.token, challenge.then
    return then is not None and (token.url, token.method, token.headers, token.params) == (
        then.url,
        then.method,
        then.headers,
        then.params,
    )


def _waits(challenge: Challenge, pointer: str) -> Iterator[LintFinding]:
    declared = challenge.lifetime if isinstance(challenge.lifetime, float) else None
    if declared is not None and declared > LONGEST_S:
        yield found("K216", f"{pointer}/lifetime")
    if declared is not None and challenge.poll is not None and challenge.poll.for_s > declared:
        yield found("K219", f"{pointer}/then/poll/for")
