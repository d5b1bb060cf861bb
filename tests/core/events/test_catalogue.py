"""The catalogue of events, what follows from records, and how a message is signed."""

from __future__ import annotations

import re

import pytest

from keyturn.core.audit_record import AuditRecord
from keyturn.core.events.catalogue import EVENT_TYPES, GROUPS, known, wants
from keyturn.core.events.health import Tally, tally_of
from keyturn.core.events.mapping import RECOVERED, SOURCES, events_of
from keyturn.core.events.signing import headers, key_in, secret_text, signature
from tests.house.sources import ROOT

# The example of the Standard Webhooks specification.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_vector_of_the_specification() -> None:
    """The signature that the specification shows."""
    assert SIGNED == signature(key_in(SECRET), *MESSAGE)
    assert secret_text(key_in(SECRET)) == SECRET


def test_each_live_secret_signs() -> None:
    """With a blank between."""
    made = dict(headers([key_in(SECRET), bytes(24)], *MESSAGE))

    assert [SIGNED, signature(bytes(24), *MESSAGE)] == made["webhook-signature"].split(" ")
    assert (MESSAGE[0], "1614265330") == (made["webhook-id"], made["webhook-timestamp"])


@pytest.mark.parametrize("bad", ["", "whsec_", SECRET[6:], "whsec_AAAA", "whsec_" + "A" * 92, "whsec_ä", "whsec_!"])
def test_no_secret(bad: str) -> None:
    """Another prefix, no base64, too short, too long."""
    with pytest.raises(ValueError, match="not a webhook secret"):
        key_in(bad)


def test_each_type_has_a_source_and_a_group() -> None:
    """No type is promised that nothing leads to, and none is told that is not promised."""
    assert set(EVENT_TYPES) == SOURCES | {RECOVERED}
    assert set(GROUPS) == {each.group for each in EVENT_TYPES.values()}


def test_the_reference_lists_each_type() -> None:
    """With its default and meaning."""
    page = (ROOT / "docs/reference/webhooks.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z._]+)` \| (on|off) \| (.+) \|$", page, re.MULTILINE)

    assert [(e.name, "on" if e.usual else "off", e.meaning) for e in EVENT_TYPES.values()] == rows


@pytest.mark.parametrize(
    ("choices", "name", "expected"),
    [
        pytest.param((), "connection.created", True, id="no choice, on by default"),
        pytest.param((), "connection.renewed", False, id="no choice, off by default"),
        pytest.param(("connection.*",), "connection.paused", True, id="all of a noun"),
        pytest.param(("connection.*",), "connection.renewed", False, id="all of a noun, off by default"),
        pytest.param(("connection.renewed",), "connection.renewed", True, id="by its name"),
        pytest.param(("connection.renewed",), "connection.created", False, id="another name"),
        pytest.param(("connector.*",), "connection.created", False, id="another noun that begins alike"),
        pytest.param((), "connection.unheard_of", False, id="no type"),
    ],
)
def test_wants(choices: tuple[str, ...], name: str, expected: bool) -> None:
    """What somebody who chose these gets."""
    assert expected == wants(choices, name)


@pytest.mark.parametrize("choice", ["*", "", "connection", "conn.*", "connection.unheard_of", "webhook.test"])
def test_what_cannot_be_chosen(choice: str) -> None:
    """Neither a type nor a noun."""
    assert not known(choice)


def _record(action: str, actor: str = "scheduler", outcome: str = "ok", **facts: object) -> AuditRecord:
    connection = None if action.startswith(("session", "key")) else "cxn_1"
    return AuditRecord(0.0, action, actor, outcome, "acme", connection, "owner-1", facts=facts)


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        pytest.param(_record("session.claimed", session="ses_1"), [("session.opened", "ses_1", None)], id="opened"),
        pytest.param(
            _record("login.answered", "session:ses_1", "provider_credentials_rejected"),
            [("session.failed", "ses_1", "provider_credentials_rejected")],
            id="a try at a page",
        ),
        pytest.param(_record("login.answered", "key:1", "provider_timeout"), [], id="a try over REST"),
        pytest.param(
            _record("login.answered", "key:1", "provider_timeout", generation=2),
            [("connection.renewal_failed", "cxn_1", "provider_timeout")],
            id="a renewal by the kept password",
        ),
        pytest.param(_record("refresh.answered", outcome="not_sent"), [], id="nothing was sent"),
        pytest.param(_record("refresh.answered", outcome="unknown"), [], id="nothing is known"),
        pytest.param(
            _record("connection.uncertain", outcome="renewal_outcome_unknown", after="crash"),
            [("connection.renewal_failed", "cxn_1", "renewal_outcome_unknown")],
            id="found after a crash",
        ),
        pytest.param(_record("connection.uncertain", outcome="renewal_outcome_unknown"), [], id="a lost answer: told"),
        pytest.param(
            _record("connection.needs_reconnect", outcome="grant_lost"),
            [("connection.needs_reconnect", "cxn_1", "grant_lost")],
            id="needs the person",
        ),
        pytest.param(_record("connection.tested"), [], id="a test that passed"),
        pytest.param(_record("job.finished", job="job_1"), [], id="a job that recurs"),
        pytest.param(_record("job.finished", "key:1", job="job_1"), [("job.finished", "job_1", None)], id="asked for"),
        pytest.param(_record("key.rotated", "key:1", key="key_2"), [("key.rotated", "key_2", None)], id="rotated"),
        pytest.param(_record("connection.unheard_of"), [], id="what nobody is told"),
    ],
)
def test_what_follows_from_a_record(record: AuditRecord, expected: list[tuple[str, str, str | None]]) -> None:
    """By its action, and a rule beside it."""
    assert expected == [(each.type, each.object, each.code) for each in events_of(record)]


@pytest.mark.parametrize(
    ("tally", "degraded", "well"),
    [
        pytest.param(Tally(), False, False, id="nothing was sent"),
        pytest.param(Tally(0, 4), False, False, id="too few to judge by"),
        pytest.param(Tally(0, 5), True, False, id="all of them failed"),
        pytest.param(Tally(3, 3), True, False, id="half of them failed"),
        pytest.param(Tally(4, 3), False, False, id="less than half: neither bad nor well"),
        pytest.param(Tally(8, 2), False, True, id="a fifth"),
        pytest.param(Tally(0, 1, 1), True, False, id="a wrong set-up from the first time on"),
        pytest.param(Tally(1, 1, 1), False, False, id="a wrong set-up, but something works"),
    ],
)
def test_when_a_connector_is_degraded(tally: Tally, degraded: bool, well: bool) -> None:
    """By the share that failed."""
    assert (degraded, well) == (tally.degraded, tally.well)


@pytest.mark.parametrize(
    ("action", "outcome", "expected"),
    [
        pytest.param("refresh.answered", "provider_timeout", Tally(0, 1, 0, "provider_timeout"), id="the provider"),
        pytest.param("login.answered", "scope_insufficient", Tally(0, 1, 1, "scope_insufficient"), id="the set-up"),
        pytest.param("login.answered", "provider_credentials_rejected", None, id="the person"),
        pytest.param("refresh.answered", "grant_lost", None, id="a dead refresh token is of one account"),
        pytest.param("login.answered", "challenge_required", None, id="so is a further step"),
        pytest.param("connection.renewed", "ok", Tally(1), id="worked"),
        pytest.param("connection.tested", "ok", None, id="no send to the token host"),
    ],
)
def test_what_counts(action: str, outcome: str, expected: Tally | None) -> None:
    """Sends, and what the provider made of them."""
    assert expected == tally_of(_record(action, outcome=outcome))
