"""Every code that an event carries has a sentence, and it is the one of its own cause."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, IntentKind, State
from keyturn.core.events.catalogue import EVENT_TYPES
from keyturn.core.events.health import Tally, tally_of
from keyturn.core.events.mapping import events_of
from keyturn.core.explain import cause_text, code_text, reason_in_words
from keyturn.core.problems import PROBLEMS, Cause
from keyturn.core.renewal.plan import SendOutcome, loss_cause
from keyturn.engine.mail import compose
from tests.house.sources import ROOT

CONNECTION = Connection("cxn_1", "acme", 1, "o", "Jo", "u", 0.0, 0.0, state=State.NEEDS_RECONNECT)
# What a text may only say of these causes: it would blame what was not refused.
BLAMES = {
    r"username|password": {
        Cause.CREDENTIALS_REJECTED, Cause.PASSWORD_EXPIRED, Cause.NO_ANSWER,
    },
    r"refresh token": {Cause.GRANT_LOST, Cause.OUTCOME_UNKNOWN},
    r"second step": {Cause.CHALLENGE_REQUIRED},
    r"scope": {Cause.SCOPE_NOT_GRANTED},
    r"answer was lost|no answer": {Cause.OUTCOME_UNKNOWN, Cause.NO_ANSWER},
}  # fmt: skip


@pytest.mark.parametrize("cause", Cause)
def test_each_cause_has_its_own_words(cause: Cause) -> None:
    """In a mail, in the console's list and at `problem explain`; no other cause has the same, none blames another's."""
    text = cause_text(cause.value)
    mail = compose.needs_reconnect("acme", [replace(CONNECTION, reason=cause.value)], "https://kt.example").text

    assert reason_in_words(cause.value) is not None
    assert [cause] == [each for each in Cause if cause_text(each.value) == text]
    assert f"{cause.value}: {text}" in mail
    for words, causes in BLAMES.items():
        assert bool(re.search(words, text)) <= (cause in causes), (words, text)


@pytest.mark.parametrize("outcome", SendOutcome)
@pytest.mark.parametrize("kind", IntentKind)
def test_each_end_of_a_renewal_is_told_by_its_cause(kind: IntentKind, outcome: SendOutcome) -> None:
    """The event carries the cause as its code, and nothing that was not sent is said to be refused."""
    cause = loss_cause(kind, outcome, None)
    record = AuditRecord(1.0, "connection.needs_reconnect", "scheduler", outcome=cause.value, connection="cxn_1")
    (told,) = events_of(record)

    assert ("connection.needs_reconnect", cause.value) == (told.type, told.code)
    assert code_text(told.code or "") is not None
    if kind is IntentKind.REFRESH:
        assert Cause.CREDENTIALS_REJECTED is not cause


@pytest.mark.parametrize("code", [*(each.value for each in Cause), *PROBLEMS])
def test_each_code_of_an_event_has_a_sentence(code: str) -> None:
    """Whatever the log names as an outcome, a reader finds words for it."""
    assert (code_text(code) or "").endswith(".")


def test_every_type_that_says_by_code_is_listed_so() -> None:
    """The catalogue names a code where the event carries one of a failure."""
    by_code = {each.name for each in EVENT_TYPES.values() if "`code`" in each.meaning}

    assert {
        "session.failed",
        "connection.renewal_failed",
        "connection.needs_reconnect",
        "connector.degraded",
    } == by_code


def test_the_page_of_webhooks_says_where_a_reason_is_explained() -> None:
    """A code of an event is a problem code or a reason."""
    page = (ROOT / "docs/how-to/webhooks.md").read_text(encoding="utf-8")

    assert "keyturn problem explain" in page
    assert "grant_lost" in page


def test_a_refused_scope_of_one_renewal_is_no_wrong_set_up() -> None:
    """It is counted as a failed send; the set-up is judged by logins, or by many."""
    record = AuditRecord(1.0, "refresh.answered", "scheduler", outcome="scope_insufficient", connector="acme")

    assert Tally(0, 1, 0, "scope_insufficient") == tally_of(replace(record, facts={"generation": 1}))
    assert Tally(0, 1, 1, "scope_insufficient") == tally_of(replace(record, action="login.answered"))
