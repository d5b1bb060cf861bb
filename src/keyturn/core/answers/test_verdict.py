"""Whether step 5's answer proves a token, and what of it feeds connection name and unique id.

Rule 1: a test passes only by what its connector expects; an answer that was cut short never does.
Source: the connector format, `test.expect`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from keyturn.core.answers.answer_body import BodyKind, decode_body
from keyturn.core.answers.answer_values import matches
from keyturn.core.connector import Expectation, When
from keyturn.core.messages import Answer

_BODILESS: Final = frozenset({204, 205, 304})


class TestCause(StrEnum):
    """Why a test did not pass."""

    __test__ = False  # not for pytest to collect

    STATUS = "status"  # another status than expected
    INCOMPLETE = "incomplete"  # the body was cut short or is too large
    EMPTY = "empty"  # no body where one has to be
    BODY = "body"  # the body does not satisfy the connector's expression


@dataclass(frozen=True, slots=True)
class TestVerdict:
    """How a test came out; `cause` is None exactly where it passed."""

    __test__ = False

    passed: bool
    status: int
    cause: TestCause | None = None


def judge_test(answer: Answer, expect: Expectation) -> TestVerdict:
    """Hold a test's answer against what the connector expects.

    No status means any 2xx; no body means one that is not empty, unless the connector names a status that never has
    one (204, 205, 304). A body is a JMESPath that must come out true.
    """
    cause = _fault(answer, expect)
    return TestVerdict(cause is None, answer.status, cause)


def test_values(answer: Answer) -> Any:
    """Return the decoded body as the value of `{{ test.* }}`: JSON or a form's members; None for anything else."""
    body = decode_body(answer)
    return body.value if body.kind in (BodyKind.JSON, BodyKind.FORM) else None


def _fault(answer: Answer, expect: Expectation) -> TestCause | None:
    if not (answer.status in expect.status if expect.status else 200 <= answer.status < 300):
        return TestCause.STATUS
    if not answer.complete:
        return TestCause.INCOMPLETE
    if expect.body is not None:
        return None if matches(When(body=expect.body), answer, decode_body(answer)) else TestCause.BODY
    bodiless = answer.status in expect.status & _BODILESS
    return None if answer.body.strip() or bodiless else TestCause.EMPTY
