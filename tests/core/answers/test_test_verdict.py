"""Whether a test call proves a token."""

from __future__ import annotations

import pytest

from keyturn.core.answers import test_verdict
from keyturn.core.answers.test_verdict import TestCause, TestVerdict, judge_test
from keyturn.core.connector import Expectation
from keyturn.core.messages import Answer

CREATED = Expectation(status=frozenset({201}))
NO_CONTENT = Expectation(status=frozenset({204}))


@pytest.mark.parametrize(
    ("answer", "expect", "cause"),
    [
        pytest.param(Answer(200, (), b"x"), Expectation(), None, id="any 2xx with a body"),
        pytest.param(Answer(299, (), b"x"), Expectation(), None, id="the last 2xx"),
        pytest.param(Answer(300, (), b"x"), Expectation(), TestCause.STATUS, id="one more"),
        pytest.param(Answer(199, (), b"x"), Expectation(), TestCause.STATUS, id="one less"),
        pytest.param(Answer(401, (), b"x"), Expectation(), TestCause.STATUS, id="refused"),
        pytest.param(Answer(200, (), b""), Expectation(), TestCause.EMPTY, id="no body"),
        pytest.param(Answer(200, (), b" \n"), Expectation(), TestCause.EMPTY, id="blanks"),
        pytest.param(Answer(201, (), b"x"), CREATED, None, id="the status"),
        pytest.param(Answer(200, (), b"x"), CREATED, TestCause.STATUS, id="another 2xx"),
        pytest.param(Answer(204, (), b""), NO_CONTENT, None, id="a status that never has a body"),
        pytest.param(Answer(204, (), b""), Expectation(), TestCause.EMPTY, id="the same, not named"),
        pytest.param(Answer(200, (), b'{"id": 0}'), Expectation(body="id"), None, id="body, zero is true"),
        pytest.param(Answer(200, (), b'{"id": ""}'), Expectation(body="id"), TestCause.BODY, id="body, empty"),
        pytest.param(Answer(200, (), b"<html>"), Expectation(body="!error"), TestCause.BODY, id="no page is a proof"),
        pytest.param(Answer(200, (), b"{}", complete=False), Expectation(), TestCause.INCOMPLETE, id="cut short"),
        pytest.param(Answer(401, (), b"", complete=False), Expectation(), TestCause.STATUS, id="refused and cut"),
    ],
)
def test_judge_test(answer: Answer, expect: Expectation, cause: TestCause | None) -> None:
    """A test passes by what its connector expects, and else says why not."""
    assert TestVerdict(cause is None, answer.status, cause) == judge_test(answer, expect)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b'{"id": 7}', {"id": 7}, id="object"),
        pytest.param(b'[{"id": 7}]', [{"id": 7}], id="list"),
        pytest.param(b"id=7", {"id": "7"}, id="form"),
        pytest.param(b"hello", None, id="text"),
        pytest.param(b"<id/>", None, id="markup"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_values_of_a_test(body: bytes, expected: object) -> None:
    """Templates see the decoded body."""
    assert expected == test_verdict.test_values(Answer(200, (), body))
