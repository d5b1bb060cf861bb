"""A connection's state, explained."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from keyturn.core.advice.texts import Retirement
from keyturn.core.connection import Connection, Intent, IntentKind, State, TestRecord
from keyturn.core.connector import Connector
from keyturn.core.explain import Alarm, expires_soon, explain, retirement_hint
from keyturn.core.problems import PROBLEMS, Cause, Who
from tests.core.connector_files import SMALLEST, changed, read

NOW = 1_700_000_000.0
HOUR = 3600.0
DAY = 24 * HOUR
SMALL = read(SMALLEST)
STABLE = read(changed(("refresh", {"rotation": "stable"})))
PLAIN = Connection(
    id="cxn_1",
    connector="smallest",
    connector_version=1,
    owner="o",
    name="n",
    unique_id="u",
    created_at=NOW - DAY,
    updated_at=NOW - DAY,
    token_issued_at=NOW - HOUR,
    expires_at=NOW + HOUR,
    renews_at=NOW + 3000,
    refreshable=True,
)
FAILED = TestRecord(NOW, False, 500, "connection_test_failed")
SENT = Intent(IntentKind.REFRESH, 1, "att_1", NOW - 5)
ALARM = Alarm("connector_client_rejected", NOW - DAY, NOW + 60)
ENDED = {"disconnected_at": NOW - HOUR, "expires_at": None, "renews_at": None, "refreshable": False}


def because(cause: Cause) -> dict[str, object]:
    """A connection that needs its person, for this reason, whose token has ended."""
    return {"state": State.NEEDS_RECONNECT, "reason": cause.value, "expires_at": NOW - 1, "renews_at": None}


@pytest.mark.parametrize(
    ("changes", "connector", "alarm", "state", "code", "who", "at"),
    [
        pytest.param({}, SMALL, None, "active", None, Who.NOBODY, NOW + 3000, id="works and renews itself"),
        pytest.param(
            {"renews_at": NOW - 1}, SMALL, None, "active", None, Who.NOBODY, NOW, id="a renewal that is due is due now"
        ),
        pytest.param(
            {"renews_at": None}, SMALL, None, "active", None, Who.NOBODY, None, id="renewed by the call that needs it"
        ),
        pytest.param(
            {"expires_at": None, "renews_at": None}, SMALL, None, "active", None, Who.NOBODY, None, id="no end given"
        ),
        pytest.param(
            {"created_at": NOW - 31 * DAY}, SMALL, None, "active", None, Who.NOBODY, None, id="idle for a month"
        ),
        pytest.param(
            {"created_at": NOW - 31 * DAY, "last_used_at": NOW - DAY},
            SMALL, None, "active", None, Who.NOBODY, NOW + 3000, id="used yesterday",
        ),
        pytest.param(
            {"refreshable": False, "expires_at": NOW + 72 * HOUR},
            SMALL, None, "active", "expires_soon", Who.END_USER, NOW + 72 * HOUR, id="ends in 72 hours for good",
        ),
        pytest.param(
            {"refreshable": False, "expires_at": NOW + 72 * HOUR + 1},
            SMALL, None, "active", None, Who.NOBODY, NOW + 72 * HOUR + 1, id="ends a second later for good",
        ),
        pytest.param(
            {"refreshable": False, "expires_at": NOW},
            SMALL, None, "active", "token_ended", Who.END_USER, None, id="has ended for good, not yet noticed",
        ),
        pytest.param(
            {}, None, None, "active", "expires_soon", Who.END_USER, NOW + HOUR, id="its version is gone",
        ),
        pytest.param(
            {}, SMALL, ALARM, "active", "connector_client_rejected", Who.OPERATOR, NOW + 60, id="the connector's alarm"
        ),
        pytest.param(
            {"last_error": "provider_timeout"},
            SMALL, ALARM, "active", "connector_client_rejected", Who.OPERATOR, NOW + 60, id="alarm before failure",
        ),
        pytest.param(
            {"intent": SENT}, SMALL, None, "active", "renewal_in_progress", Who.NOBODY, None, id="being renewed"
        ),
        pytest.param(
            {"intent": SENT, "generation": 2}, SMALL, None, "active", None, Who.NOBODY, NOW + 3000, id="an older intent"
        ),
        pytest.param(
            {"last_error": "provider_unreachable"},
            SMALL, None, "active", "provider_unreachable", Who.NOBODY, NOW + 3000, id="the last renewal failed",
        ),
        pytest.param(
            {"last_error": "provider_tls_failed"},
            SMALL, None, "active", "provider_tls_failed", Who.OPERATOR, NOW + 3000, id="failed, the operator mends",
        ),
        pytest.param(
            {"last_test": FAILED}, SMALL, None, "active", "connection_test_failed", Who.AUTHOR, None, id="bad test"
        ),
        pytest.param(
            {"last_test": replace(FAILED, status=None, cause="provider_unreachable")},
            SMALL, None, "active", "provider_unreachable", Who.NOBODY, None, id="nobody answered the test",
        ),
        pytest.param(
            {"last_test": replace(FAILED, cause="status")},
            SMALL, None, "active", "connection_test_failed", Who.AUTHOR, None, id="the test's answer is another",
        ),
        pytest.param(
            {"last_test": replace(FAILED, passed=True)},
            SMALL, None, "active", None, Who.NOBODY, NOW + 3000, id="passed its test",
        ),
        pytest.param(
            {"paused": True}, SMALL, ALARM, "paused", "connection_paused", Who.OPERATOR, None, id="paused outweighs all"
        ),
        pytest.param(
            {"paused": True, "unconfirmed": True},
            SMALL, None, "paused", "connection_paused", Who.OPERATOR, None, id="paused before unconfirmed",
        ),
        pytest.param(
            {"unconfirmed": True}, SMALL, None, "unconfirmed", "connection_unconfirmed", Who.CALLER, None, id="planted"
        ),
        pytest.param(
            {"last_error": "session_limit_reached"},
            SMALL, None, "active", "session_limit_reached", Who.END_USER, NOW + 3000, id="no room for its session",
        ),
        pytest.param(
            {"state": State.NEEDS_RECONNECT, "reason": "session_ended", "expires_at": NOW},
            SMALL, None, "needs_reconnect", "session_ended", Who.END_USER, None, id="its session was ended for a login",
        ),
        pytest.param(
            {"state": State.UNCERTAIN, "intent": SENT},
            SMALL, None, "uncertain", "renewal_outcome_unknown", Who.END_USER, NOW + HOUR, id="answer lost, rotating",
        ),
        pytest.param(
            {"state": State.UNCERTAIN, "intent": SENT},
            STABLE, None, "uncertain", "renewal_outcome_unknown", Who.NOBODY, NOW + 3000, id="answer lost, stable",
        ),
        pytest.param(
            {**ENDED, "state": State.DISCONNECTING},
            SMALL, None, "disconnecting", "connection_disconnected", Who.NOBODY, NOW + 23 * HOUR, id="disconnecting",
        ),
        pytest.param(
            {**ENDED, "state": State.DISCONNECTED, "paused": True},
            None, ALARM, "disconnected", "connection_disconnected", Who.END_USER, NOW - HOUR + 30 * DAY, id="tombstone",
        ),
        *(
            pytest.param(because(each), SMALL, ALARM, "needs_reconnect", each.value, Who.END_USER, None, id=each)
            for each in Cause
        ),
        pytest.param(
            {**because(Cause.GRANT_LOST), "expires_at": NOW + 1},
            SMALL, None, "needs_reconnect", "grant_lost", Who.END_USER, NOW + 1, id="lost while the token lives",
        ),
        pytest.param(
            {**because(Cause.GRANT_LOST), "expires_at": None},
            SMALL, None, "needs_reconnect", "grant_lost", Who.END_USER, None, id="lost, and the token has no known end",
        ),
        pytest.param(
            {**because(Cause.GRANT_LOST), "reason": None},
            SMALL, None, "needs_reconnect", None, Who.END_USER, None, id="lost for no stated reason",
        ),
    ],
)  # fmt: skip
def test_explain(
    changes: dict[str, object],
    connector: Connector | None,
    alarm: Alarm | None,
    state: str,
    code: str | None,
    who: Who,
    at: float | None,
) -> None:
    """Each state and cause says its code, whose move it is, and when something happens next."""
    found = explain(replace(PLAIN, **changes), connector, NOW, alarm)  # type: ignore[arg-type]

    assert (state, code, who, at) == (found.state, found.code, found.who, found.next_step.at)
    assert found.text.endswith(".")
    assert found.next_step.text.endswith(".")


def test_every_cause_has_words_of_its_own() -> None:
    """No two reasons for which the person is needed read alike, and none falls back on the general sentence."""
    unknown = explain(replace(PLAIN, **because(Cause.GRANT_LOST) | {"reason": "unheard_of"}), SMALL, NOW, None)  # type: ignore[arg-type]
    texts = [explain(replace(PLAIN, **because(cause)), SMALL, NOW, None).text for cause in Cause]  # type: ignore[arg-type]

    assert len(Cause) == len(set(texts) - {unknown.text})


@pytest.mark.parametrize("flag", ["paused", "unconfirmed"])
def test_a_held_connection_says_what_waits_behind(flag: str) -> None:
    """Resuming or confirming helps nothing where the person is needed anyway, and the text says so."""
    lost = replace(PLAIN, **because(Cause.ACCOUNT_LOCKED) | {flag: True})  # type: ignore[arg-type]
    well = replace(PLAIN, **{flag: True})  # type: ignore[arg-type]

    assert "locked the account" in explain(lost, SMALL, NOW, None).text
    assert "locked the account" not in explain(well, SMALL, NOW, None).text


@pytest.mark.parametrize("result", ["done", "given_up", "not_supported", "nothing_to_revoke"])
def test_a_tombstone_says_what_the_provider_was_told(result: str) -> None:
    """Each end of a revocation has a sentence of its own."""

    def text(of: str) -> str:
        return explain(replace(PLAIN, state=State.DISCONNECTED, revocation={"result": of}), None, NOW, None).text

    assert text("unheard_of") != text(result)


def test_a_code_that_is_not_registered_does_not_fail() -> None:
    """A code of a later release, read after a step back, is shown as it is."""
    found = explain(replace(PLAIN, last_error="of_a_later_release"), SMALL, NOW, None)

    assert "of_a_later_release" == found.code
    assert PROBLEMS["provider_unavailable"].title in found.text


@pytest.mark.parametrize(
    ("state", "soon"),
    [
        pytest.param(State.ACTIVE, True, id="active"),
        pytest.param(State.UNCERTAIN, False, id="uncertain"),
        pytest.param(State.NEEDS_RECONNECT, False, id="the person is needed already"),
        pytest.param(State.DISCONNECTED, False, id="ended"),
    ],
)
def test_expires_soon_is_said_of_active_connections(state: State, soon: bool) -> None:
    """Only what works now can be about to stop."""
    assert soon == expires_soon(replace(PLAIN, refreshable=False, state=state), SMALL, NOW)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        pytest.param(91.0, None, id="more than 90 days ahead"),
        pytest.param(90.0, "The provider ends this way of connecting on 2027-01-31.", id="90 days ahead"),
        pytest.param(-1.0, "The provider said that it would end this way of connecting on 2027-01-31.", id="past"),
    ],
)
def test_a_retirement_is_said_ahead(days: float, expected: str | None) -> None:
    """Behind what the connection is otherwise, and of none that has ended."""
    day = date(2027, 1, 31)
    now = datetime(2027, 1, 31, tzinfo=UTC).timestamp() - days * DAY
    connector = replace(SMALL, retires=Retirement(day))
    found = explain(PLAIN, connector, now, None).text

    assert expected == retirement_hint(connector, now)
    assert found == explain(PLAIN, SMALL, now, None).text + ("" if expected is None else f" {expected}")
    assert retirement_hint(SMALL, now) is None


def test_what_a_time_is() -> None:
    """A time that is not the next step's own says what happens then."""
    lost = replace(PLAIN, state=State.NEEDS_RECONNECT, reason="grant_lost")
    tombstone = replace(PLAIN, state=State.DISCONNECTED, disconnected_at=NOW)
    found = [explain(each, SMALL, NOW, None).next_step for each in (PLAIN, lost, tombstone)]

    assert ["", "the token ends", "this entry is taken away"] == [each.at_is for each in found]
    assert None not in [each.at for each in found]


def test_what_is_being_renewed_does_not_end() -> None:
    """A refresh token that rotates is under way for a moment: nothing ends because of that."""
    assert not expires_soon(replace(PLAIN, intent=SENT), SMALL, NOW)
    assert expires_soon(replace(PLAIN, intent=SENT, refreshable=False), SMALL, NOW)
