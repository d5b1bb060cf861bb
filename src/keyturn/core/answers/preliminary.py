"""What an answer means that is to hold no token: that of a request which runs before a login's token request.

Rule 1: challenges and failures come first, as with every answer of a login; then the provider's trouble.
Rule 2: `success_when` decides alone where it stands: some providers hand out a nonce with a 401. Without it any 2xx
went well that says no OAuth error and is not `ok: false`.
Rule 3: what did not go well is read like a token answer that holds no token: never as a wrong password by itself.

Source: the connector format, "Requests" and `token.before`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from keyturn.core.answers.answer_body import Body
from keyturn.core.answers.answer_values import matches
from keyturn.core.answers.token_response import Outcome, Reading, read_answer, says_no
from keyturn.core.connector import Challenge, Failure, ResponseMapping, When
from keyturn.core.messages import Answer


@dataclass(frozen=True, slots=True)
class Preliminary:
    """What it said. `otherwise`: what it means where it did not go well, or lacks a value that was to be in it."""

    went_well: bool
    otherwise: Reading
    body: Body


def read_preliminary(
    answer: Answer,
    *,
    mapping: ResponseMapping,
    success_when: When | None = None,
    rejected_when: When | None = None,
    failures: Sequence[Failure] = (),
    challenges: Sequence[Challenge] = (),
) -> Preliminary:
    """Say what an answer means.

    Args:
        answer: as it was received.
        mapping: where its error and its wish to wait stand.
        success_when: what only an answer that went well looks like.
        rejected_when: what a refused password looks like.
        failures: those of the request, then the connector's; the first match wins.
        challenges: tried in order; the first match wins.
    """
    read = read_answer(answer, mapping=mapping, rejected_when=rejected_when, failures=failures, challenges=challenges)
    described = read.failure is not None or read.challenge is not None
    if described or read.outcome in (Outcome.RATE_LIMITED, Outcome.TEMPORARILY_UNAVAILABLE):
        return Preliminary(False, read, read.body)
    if success_when is not None:
        well = matches(success_when, answer, read.body)
    else:
        well = 200 <= answer.status < 300 and not says_no(answer, read.body, mapping)
        well = well and read.outcome is not Outcome.REJECTED_CREDENTIALS  # as `rejected_when` says
    well = well and answer.complete
    if well or read.outcome is Outcome.TOKEN:
        read = replace(read, outcome=Outcome.MALFORMED, token_set=None)
    return Preliminary(well, read, read.body)
