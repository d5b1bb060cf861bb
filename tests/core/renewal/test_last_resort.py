"""A refresh token of unknown fate: in which order it is settled, and the one more time that an author may allow."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from keyturn.core.connection import Connection, IntentKind, State
from keyturn.core.connector import Connector, Rotation, Strategy
from keyturn.core.problems import Cause
from keyturn.core.renewal.plan import Plan, Step, last_resort_left, plan
from tests.core.renewal.test_renewal_plan import INTENTS, LEEWAY, LIVES, NOW, PASSWORDS, connection, connector, intent

UNKNOWN = intent(IntentKind.REFRESH, age=LEEWAY + 1)
ALONE = {"password_kept_at": None, "intent": UNKNOWN, "state": State.UNCERTAIN}
SENT = Plan(Step.REFRESH, last_resort=True)
HELD = Plan(Step.HOLD, Cause.OUTCOME_UNKNOWN)
LOST = Plan(Step.GIVE_UP, Cause.OUTCOME_UNKNOWN)


def with_last_resort(made: Connector, *, allowed: bool = True) -> Connector:
    """The connector, whose author has decided."""
    return replace(made, refresh=replace(made.refresh, last_resort=allowed))


@pytest.mark.parametrize(
    ("change", "asked", "wanted"),
    [
        pytest.param({"expires_at": NOW}, {"alone": True}, SENT, id="the token has ended"),
        pytest.param({"expires_at": NOW + 0.001}, {"alone": True}, HELD, id="a moment before its end"),
        pytest.param({"expires_at": NOW + 1}, {"alone": True, "stale": True}, SENT, id="before its end it was refused"),
        pytest.param(
            {"expires_at": NOW + 1, "state": State.ACTIVE},
            {"alone": True, "stale": True},
            HELD,
            id="it was refused, and that nobody knows is not told yet",
        ),
        pytest.param({"expires_at": NOW}, {"alone": False}, LOST, id="another connection has the account"),
        pytest.param({"expires_at": NOW + 1}, {"alone": False}, HELD, id="another has it, and the token lives"),
        pytest.param({"expires_at": None}, {"alone": True}, HELD, id="no known end, and nobody says that it is over"),
        pytest.param({"expires_at": None}, {"alone": True, "stale": True}, SENT, id="no known end, and it was refused"),
        pytest.param({"expires_at": None}, {"stale": True}, LOST, id="the same, not alone"),
        pytest.param(
            {"expires_at": NOW, "intent": replace(UNKNOWN, last_resort=True)}, {"alone": True}, LOST, id="once only"
        ),
        pytest.param(
            {"expires_at": NOW + 1, "intent": replace(UNKNOWN, last_resort=True)},
            {"alone": True, "stale": True},
            LOST,
            id="once only, and the token was refused",
        ),
        pytest.param(
            {"expires_at": NOW, "password_kept_at": 1.0}, {"alone": True}, Plan(Step.LOGIN), id="a kept password first"
        ),
        pytest.param({"expires_at": NOW, "refreshable": False}, {"alone": True}, LOST, id="no refresh token any more"),
        pytest.param(
            {"expires_at": NOW, "intent": replace(UNKNOWN, generation=0)},
            {"alone": True},
            Plan(Step.REFRESH),
            id="of an older generation: nothing is unknown",
        ),
        pytest.param(
            {"expires_at": NOW, "intent": intent(IntentKind.LOGIN, tries=2), "password_kept_at": 1.0},
            {"alone": True},
            Plan(Step.GIVE_UP, Cause.NO_ANSWER),
            id="a login of unknown fate is none",
        ),
    ],
)
def test_once_more_where_nothing_else_is_left(change: dict[str, object], asked: dict[str, bool], wanted: Plan) -> None:
    """After the token's end, alone with the account, and never again."""
    one, made = connection(**{**ALONE, **change}), with_last_resort(connector())

    assert wanted == plan(one, made, now=NOW, **asked)


@pytest.mark.parametrize(
    ("way", "wanted"),
    [
        pytest.param({"rotation": Rotation.STABLE}, Plan(Step.REFRESH), id="stable"),
        pytest.param({"leeway_s": LEEWAY + 1}, Plan(Step.REFRESH), id="within the leeway"),
        pytest.param({"leeway_s": LEEWAY}, SENT, id="after the leeway"),
    ],
)
def test_what_is_harmless_comes_first(way: dict[str, object], wanted: Plan) -> None:
    """It is no last resort, so that the one time is not used up by it."""
    made = with_last_resort(connector(**way))  # type: ignore[arg-type]

    assert wanted == plan(connection(**ALONE, expires_at=NOW), made, now=NOW, alone=True)


WAYS = [
    (strategy, rotation, leeway)
    for strategy in Strategy
    for rotation, leeway in ((Rotation.ROTATING, 0.0), (Rotation.ROTATING, LEEWAY), (Rotation.STABLE, 0.0))
]


def every_connection() -> list[Connection]:
    """Every intent, password, age of the token, and whether there is a refresh token."""
    intents = [*INTENTS, *(replace(each, last_resort=True) for each in INTENTS if each is not None)]
    return [
        connection(state=State.UNCERTAIN, intent=each, refreshable=refreshable, expires_at=ends, **password)
        for each, password, refreshable, ends in itertools.product(intents, PASSWORDS, (True, False), LIVES)
    ]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("stale", [True, False])
def test_it_changes_nothing_but_a_loss(way: tuple[Strategy, Rotation, float], stale: bool) -> None:
    """Where the plan without it would send something, hold, or lose what no refresh token can save, it is the same."""
    made = connector(*way)
    for one in every_connection():
        without = plan(one, made, now=NOW, stale=stale, alone=True)
        with_it = plan(one, with_last_resort(made), now=NOW, stale=stale, alone=True)
        left = last_resort_left(one, with_last_resort(made), NOW)

        if without.step is Step.GIVE_UP and left:
            ended = stale or (one.expires_at is not None and one.expires_at <= NOW)
            assert (SENT if ended else HELD) == with_it, one
        else:
            assert without == with_it, one


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_without_the_authors_word_nothing_is_sent_twice(way: tuple[Strategy, Rotation, float]) -> None:
    """The default never marks a send as the last resort, whatever is asked."""
    for one, stale, alone in itertools.product(every_connection(), (True, False), (True, False)):
        assert not plan(one, connector(*way), now=NOW, stale=stale, alone=alone).last_resort


@pytest.mark.parametrize("alone", [True, False])
def test_a_refused_token_is_not_held(alone: bool) -> None:
    """Where nothing may be sent and the API refuses the token, waiting for its end would help nobody."""
    one = connection(**ALONE, expires_at=NOW + 60)

    assert LOST == plan(one, connector(), now=NOW, stale=True, alone=alone)
    assert HELD == plan(one, connector(), now=NOW, alone=alone)


def test_the_reason_is_the_one_that_was_found() -> None:
    """An answer that was no token is not told as one that was lost; what was said before of another thing is not."""
    read = connection(**ALONE, reason="provider_answer_unknown", expires_at=NOW)
    older = replace(read, state=State.NEEDS_RECONNECT)

    assert Plan(Step.GIVE_UP, Cause.ANSWER_UNKNOWN) == plan(read, connector(), now=NOW)
    assert LOST == plan(older, connector(), now=NOW)
