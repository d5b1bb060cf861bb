"""The page on renewal gives the numbers that the code has."""

from __future__ import annotations

import re

import pytest

from keyturn.adapters.store.database import engine
from keyturn.bootstrap.runtimes import CALLS_GET_S
from keyturn.core.renewal import isolation, plan, retry, window
from keyturn.engine import scheduler
from keyturn.engine.provider_gate import asking
from keyturn.engine.renewal import keep, probe, renew
from keyturn.ports import renewals
from keyturn.ports.egress import EgressPolicy
from tests.docs.pages import page

WORDS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "eight": 8}
# What stands in the place of `#` is a number, in digits or as a word.
SENTENCES = [
    ("waits up to # s for a place at the provider", renew.WAIT_FOR_ANOTHER_S),
    ("A lease counts for # s from its claim", renewals.LEASE_S),
    ("a request takes # s at most", EgressPolicy().timeout_s),
    ("writes every # s that it does", renewals.BEAT_EVERY_S),
    ("that is good for # s", renewals.ALIVE_FOR_S),
    ("… # s until it succeeds", retry.WRITE_CAP_S),
    ("the first of # s at most", retry.FIRST_S),
    ("| # tries, then", plan.REFRESH_TRIES_UNCLASSIFIED),
    ("one more try after # s, then", plan.LOGIN_SECOND_TRY_AFTER_S),
    ("a call is refused for # s at most", retry.ON_DEMAND_AGAIN_S),
    ("A host has # for refreshes", asking.PLACES),
    ("and # for revocations", asking.REVOCATION_PLACES),
    ("once # connections were told so", isolation.WITNESSES),
    ("after # failures in a row", isolation.FAILURES_IN_A_ROW),
    ("failures in a row, of # connections at least", isolation.FAILURES_OF),
    ("| # seconds; then one tries", isolation.TRIED_AGAIN_AFTER_S),
    ("a refresh has waited for # s", isolation.HANGS_AFTER_S),
    ("every # s one probe is sent", isolation.PROBED_EVERY_S),
    ("Any whole answer within # s", probe.PROBE_TIMEOUT_S),
    ("by the clock are at least # s apart", window.APART_S),
    ("but # s at least and", window.LEAD_MIN_S),
    ("nobody used for # days", window.IDLE_AFTER_S / 86_400),
    ("up to # at once, and up to", scheduler.AT_ONCE),
    ("and up to # of one connector", scheduler.AT_ONCE_PER_CONNECTOR),
    ("as soon as # have ended", scheduler.AGAIN_WITH),
    ("Calls under way at APIs get # s", CALLS_GET_S),
    ("a locked database has not taken within # s", keep.SPILLS_AFTER_S),
    ("keeps locked is waited for # s at a time", engine.HURRIED_TIMEOUT_S),
    ("at a time, not # s as else", engine.BUSY_TIMEOUT_S),
    ("awaited, up to its time limit of # s", EgressPolicy().timeout_s),
]


@pytest.mark.parametrize(("sentence", "number"), SENTENCES)
def test_a_number_is_the_codes(sentence: str, number: float) -> None:
    """Wherever the sentence stands, and it stands there."""
    text = " ".join(page("docs/explanation/renewal.md").text.split())
    found = re.findall(re.escape(sentence).replace(r"\#", "([0-9]+|[a-z]+)"), text)

    assert found
    assert {number} == {float(WORDS.get(each, each)) for each in found}
