"""What a renewal may do next, and what follows from each outcome: the whole table as data."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from keyturn.core.answers.token_response import Outcome, Reading
from keyturn.core.connection import Connection, Intent, IntentKind, State
from keyturn.core.connector import (
    Connector,
    FailureClass,
    Field,
    Keep,
    ProviderRequest,
    Refresh,
    RequestParameters,
    Rotation,
    Strategy,
    TestCall,
)
from keyturn.core.problems import Cause
from keyturn.core.renewal.plan import (
    FOLLOWS,
    Follow,
    Plan,
    SendOutcome,
    Step,
    classify,
    loss_cause,
    password_usable,
    plan,
    refresh_usable,
    renewable,
)
from keyturn.core.templates import Template

NOW = 10_000.0
LEEWAY = 20.0
URL = Template.parse("https://auth.acme.example/token")
TOKEN = ProviderRequest(URL, params={"username": Template.parse("{{ username }}")})


def connector(
    strategy: Strategy = Strategy.REFRESH_THEN_PASSWORD,
    rotation: Rotation = Rotation.ROTATING,
    leeway_s: float = 0.0,
    *,
    honoured: bool = True,
    token: ProviderRequest = TOKEN,
    fields: tuple[Field, ...] = (),
) -> Connector:
    """A connector that renews in this way."""
    return Connector(
        id="acme",
        title="Acme",
        trust=None,
        token=token,
        test=TestCall(ProviderRequest(URL)),
        allowed_urls=(),
        unique_id=URL,
        connection_name=URL,
        request=RequestParameters(URL),
        refresh=Refresh(ProviderRequest(URL), strategy, rotation, leeway_s, honoured),
        fields=fields,
    )


def connection(**change: object) -> Connection:
    """A connection with both a refresh token and a kept password, whose token lives."""
    whole = Connection(
        "c", "acme", 1, "o", "n", "u", 0.0, 0.0, expires_at=NOW + 60, refreshable=True, password_kept_at=0.0
    )
    return replace(whole, **change)  # type: ignore[arg-type]


def intent(
    kind: IntentKind, *, tries: int = 1, age: float = 5.0, generation: int = 1, last_resort: bool = False
) -> Intent:
    """An intent of nobody who still runs."""
    return Intent(kind, generation, "att", NOW - age, tries, last_resort)


def expected(made: Connector, one: Connection) -> tuple[Step, Cause | None]:
    """The rule, said a second time in other words: what may be sent, in which order."""
    may_refresh = made.refresh.strategy is not Strategy.PASSWORD_ONLY and one.refreshable and made.refresh.honoured
    has_password = one.password_kept_at is not None and not one.password_rejected
    may_log_in = made.refresh.strategy is not Strategy.REFRESH_ONLY and has_password
    known = one.intent is None or one.intent.generation != one.generation
    cause = Cause.CREDENTIALS_REJECTED if one.password_rejected else Cause.TOKEN_ENDED
    if not known and one.intent is not None:
        if one.intent.kind is IntentKind.LOGIN:
            if one.password_kept_at is None:  # it was the person's, in the midst of which a process died
                return (Step.REFRESH, None) if may_refresh else (Step.GIVE_UP, Cause.SESSION_ENDED)
            again = may_log_in and one.intent.tries < 2
            return (Step.LOGIN, None) if again else (Step.GIVE_UP, Cause.NO_ANSWER)
        age = NOW - one.intent.sent_at
        in_leeway = made.refresh.leeway_s != 0 and 0 <= age <= made.refresh.leeway_s
        may_refresh = may_refresh and (made.refresh.rotation is Rotation.STABLE or in_leeway)
        cause = Cause.OUTCOME_UNKNOWN
        read = one.state is State.UNCERTAIN and one.reason == "provider_answer_unknown"
        cause = Cause.ANSWER_UNKNOWN if read else cause
    if may_refresh:
        return Step.REFRESH, None
    if may_log_in:
        return Step.LOGIN, None
    ended = one.expires_at is not None and one.expires_at <= NOW
    return (Step.GIVE_UP if ended else Step.HOLD), cause


INTENTS = [
    None,
    intent(IntentKind.REFRESH),
    intent(IntentKind.REFRESH, age=LEEWAY),
    intent(IntentKind.REFRESH, age=LEEWAY + 0.001),
    intent(IntentKind.REFRESH, age=0.0),
    intent(IntentKind.REFRESH, age=-0.001),
    intent(IntentKind.REFRESH, generation=0),
    intent(IntentKind.LOGIN),
    intent(IntentKind.LOGIN, tries=2),
    intent(IntentKind.LOGIN, generation=0, tries=2),
]
PASSWORDS: list[dict[str, object]] = [{}, {"password_kept_at": None}, {"password_rejected": True}]
LIVES = [NOW + 60, NOW, NOW - 1, None]
WAYS = [
    (strategy, rotation, leeway)
    for strategy in Strategy
    for rotation, leeway in ((Rotation.ROTATING, 0.0), (Rotation.ROTATING, LEEWAY), (Rotation.STABLE, 0.0))
]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("open_intent", INTENTS, ids=str)
def test_the_whole_plan(way: tuple[Strategy, Rotation, float], open_intent: Intent | None) -> None:
    """Every state, intent, strategy, rotation, password, refresh token and age of the token."""
    made = connector(*way)
    for state, password, refreshable, ends in itertools.product(State, PASSWORDS, (True, False), LIVES):
        one = connection(state=state, refreshable=refreshable, expires_at=ends, intent=open_intent, **password)
        step, cause = expected(made, one)

        got = plan(one, made, now=NOW)

        assert (step, cause) == (got.step, got.cause), one


ROWS = [
    pytest.param({}, {}, Plan(Step.REFRESH), id="a refresh token first"),
    pytest.param({"refreshable": False}, {}, Plan(Step.LOGIN), id="then the password"),
    pytest.param(
        {"password_kept_at": None, "refreshable": False}, {}, Plan(Step.HOLD, Cause.TOKEN_ENDED), id="then nothing"
    ),
    pytest.param(
        {"password_rejected": True, "refreshable": False, "expires_at": NOW},
        {},
        Plan(Step.GIVE_UP, Cause.CREDENTIALS_REJECTED),
        id="a refused password is never sent again",
    ),
    pytest.param({"intent": intent(IntentKind.REFRESH)}, {}, Plan(Step.LOGIN), id="unknown: the password takes over"),
    pytest.param(
        {"intent": intent(IntentKind.REFRESH), "password_kept_at": None},
        {},
        Plan(Step.HOLD, Cause.OUTCOME_UNKNOWN),
        id="unknown and nothing else: hold",
    ),
    pytest.param(
        {"intent": intent(IntentKind.REFRESH, age=LEEWAY)},
        {"leeway_s": LEEWAY},
        Plan(Step.REFRESH),
        id="within the leeway",
    ),
    pytest.param(
        {"intent": intent(IntentKind.REFRESH, age=LEEWAY + 0.001)},
        {"leeway_s": LEEWAY},
        Plan(Step.LOGIN),
        id="after the leeway",
    ),
    pytest.param(
        {"intent": intent(IntentKind.REFRESH, age=9e9)}, {"rotation": Rotation.STABLE}, Plan(Step.REFRESH), id="stable"
    ),
    pytest.param(
        {"intent": intent(IntentKind.LOGIN)}, {}, Plan(Step.LOGIN, not_before=NOW - 3), id="one more login, after 2 s"
    ),
    pytest.param(
        {"intent": intent(IntentKind.LOGIN, tries=2)}, {}, Plan(Step.GIVE_UP, Cause.NO_ANSWER), id="and no third"
    ),
    pytest.param({}, {"honoured": False}, Plan(Step.LOGIN), id="a refresh token that does not work is ignored"),
]


@pytest.mark.parametrize(("change", "way", "wanted"), ROWS)
def test_the_plan_in_words(change: dict[str, object], way: dict[str, object], wanted: Plan) -> None:
    """The rows that people talk of, one by one."""
    assert wanted == plan(connection(**change), connector(**way), now=NOW)  # type: ignore[arg-type]


PIN = Field("pin", "Pin", keep=Keep.NEVER)
IN_PARAMS = ProviderRequest(URL, params={"a": ({"b": Template.parse("x{{ pin }}")},)})


@pytest.mark.parametrize(
    ("token", "field", "usable"),
    [
        pytest.param(IN_PARAMS, PIN, False, id="in a parameter"),
        pytest.param(ProviderRequest(Template.parse("https://a.example/{{ pin }}")), PIN, False, id="in the URL"),
        pytest.param(ProviderRequest(URL, headers={"X": Template.parse("{{ pin }}")}), PIN, False, id="in a header"),
        pytest.param(TOKEN, PIN, True, id="not in the token request"),
        pytest.param(IN_PARAMS, replace(PIN, required=False), True, id="may be absent"),
        pytest.param(IN_PARAMS, replace(PIN, keep=Keep.SEALED), True, id="kept sealed"),
        pytest.param(IN_PARAMS, replace(PIN, keep=Keep.PLAIN), True, id="kept"),
    ],
)
def test_a_password_is_of_no_use_without_what_goes_with_it(token: ProviderRequest, field: Field, usable: bool) -> None:
    """What the person has to type each time is not there by itself."""
    assert usable == password_usable(connection(), connector(token=token, fields=(field,)))


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize(
    ("change", "way", "may"),
    [
        pytest.param({}, {}, True, id="both"),
        pytest.param({"refreshable": False}, {"strategy": Strategy.REFRESH_ONLY}, False, id="no refresh token"),
        pytest.param({"password_kept_at": None}, {"strategy": Strategy.PASSWORD_ONLY}, False, id="no password"),
        pytest.param(
            {"intent": intent(IntentKind.REFRESH)}, {"strategy": Strategy.REFRESH_ONLY}, False, id="of unknown fate"
        ),
        pytest.param({"intent": intent(IntentKind.LOGIN, tries=2)}, {}, False, id="no answer twice"),
    ],
)
def test_renewable_is_what_can_go_on_by_itself(
    state: State, change: dict[str, object], way: dict[str, object], may: bool
) -> None:
    """Only active and uncertain connections, with something that may be sent."""
    living = state in (State.ACTIVE, State.UNCERTAIN)
    one, made = connection(state=state, **change), connector(**way)  # type: ignore[arg-type]

    assert (may and living) == renewable(one, made)


@pytest.mark.parametrize("strategy", Strategy)
@pytest.mark.parametrize("honoured", [True, False])
@pytest.mark.parametrize("refreshable", [True, False])
def test_when_a_refresh_token_may_be_sent(strategy: Strategy, honoured: bool, refreshable: bool) -> None:
    """It is there, it works, and the strategy has it."""
    may = refreshable and honoured and strategy is not Strategy.PASSWORD_ONLY

    assert may == refresh_usable(connection(refreshable=refreshable), connector(strategy, honoured=honoured))


# renewal design, "Outcomes other than a token": columns refresh and login.
TABLE = {
    "token": ("keep", "keep"),
    "rejected": ("try_password", "grant_lost"),
    "blocked": ("grant_lost", "grant_lost"),
    "setup_wrong": ("wait_for_setup", "wait_for_setup"),
    "scope_refused": ("wait_for_scope", "wait_for_scope"),
    "challenge": ("grant_lost", "grant_lost"),
    "rate_limited": ("wait_as_asked", "wait_as_asked"),
    "unavailable": ("wait_as_asked", "wait_as_asked"),
    "not_sent": ("back_off", "back_off"),
    "unclassified_success": ("unknown", "grant_lost"),
    "unclassified": ("three_tries", "grant_lost"),
    "no_answer": ("unknown", "one_more_try"),
}


def test_every_outcome_has_a_row_for_both_kinds() -> None:
    """And it is the one of the design."""
    got = {each.value: tuple(FOLLOWS[kind][each].value for kind in IntentKind) for each in SendOutcome}

    assert TABLE == got
    assert set(Follow) == {follow for row in FOLLOWS.values() for follow in row.values()}


CLASSIFIED = [
    (Outcome.TOKEN, None, 200, "token"),
    (Outcome.REJECTED_CREDENTIALS, None, 400, "rejected"),
    (Outcome.REJECTED_CREDENTIALS, FailureClass.WRONG_PASSWORD, 400, "rejected"),
    (Outcome.REJECTED_CREDENTIALS, FailureClass.LOCKED, 400, "blocked"),
    (Outcome.REJECTED_CREDENTIALS, FailureClass.PASSWORD_EXPIRED, 200, "blocked"),
    (Outcome.REJECTED_CREDENTIALS, FailureClass.MUST_ACT, 403, "blocked"),
    (Outcome.REJECTED_CREDENTIALS, FailureClass.WRONG_CODE, 400, "challenge"),
    (Outcome.REJECTED_CREDENTIALS, FailureClass.PASSWORD_OR_CODE, 400, "challenge"),
    (Outcome.CHALLENGE, None, 403, "challenge"),
    (Outcome.INVALID_CLIENT, None, 401, "setup_wrong"),
    (Outcome.INVALID_SCOPE, None, 400, "scope_refused"),
    (Outcome.UNSUPPORTED_GRANT, None, 400, "setup_wrong"),
    (Outcome.RATE_LIMITED, None, 429, "rate_limited"),
    (Outcome.TEMPORARILY_UNAVAILABLE, None, 503, "unavailable"),
    (Outcome.MALFORMED, None, 199, "unclassified"),
    (Outcome.MALFORMED, None, 200, "unclassified_success"),
    (Outcome.MALFORMED, None, 299, "unclassified_success"),
    (Outcome.MALFORMED, None, 300, "unclassified"),
    (Outcome.MALFORMED, None, 400, "unclassified"),
]


@pytest.mark.parametrize(("outcome", "failure", "status", "place"), CLASSIFIED)
def test_an_answer_has_its_place(outcome: Outcome, failure: FailureClass | None, status: int, place: str) -> None:
    """What the connector describes counts before what the answer is."""
    assert place == classify(Reading(outcome, failure=failure), status).value


def test_every_outcome_of_reading_has_a_place() -> None:
    """None falls through."""
    assert set(Outcome) == {row[0] for row in CLASSIFIED}


CAUSES = [
    (IntentKind.LOGIN, SendOutcome.REJECTED, None, Cause.CREDENTIALS_REJECTED),
    (IntentKind.REFRESH, SendOutcome.REJECTED, None, Cause.GRANT_LOST),
    (IntentKind.LOGIN, SendOutcome.REJECTED, FailureClass.WRONG_PASSWORD, Cause.CREDENTIALS_REJECTED),
    (IntentKind.LOGIN, SendOutcome.BLOCKED, FailureClass.LOCKED, Cause.ACCOUNT_LOCKED),
    (IntentKind.REFRESH, SendOutcome.BLOCKED, FailureClass.PASSWORD_EXPIRED, Cause.PASSWORD_EXPIRED),
    (IntentKind.LOGIN, SendOutcome.BLOCKED, FailureClass.MUST_ACT, Cause.INTERACTION_REQUIRED),
    (IntentKind.LOGIN, SendOutcome.CHALLENGE, FailureClass.WRONG_CODE, Cause.CHALLENGE_REQUIRED),
    (IntentKind.LOGIN, SendOutcome.NO_ANSWER, None, Cause.NO_ANSWER),
    (IntentKind.REFRESH, SendOutcome.SCOPE_REFUSED, None, Cause.SCOPE_NOT_GRANTED),
    (IntentKind.LOGIN, SendOutcome.SCOPE_REFUSED, FailureClass.SCOPE_DENIED, Cause.SCOPE_NOT_GRANTED),
    (IntentKind.REFRESH, SendOutcome.UNCLASSIFIED, None, Cause.ANSWER_UNKNOWN),
    (IntentKind.LOGIN, SendOutcome.UNCLASSIFIED_SUCCESS, None, Cause.ANSWER_UNKNOWN),
]


@pytest.mark.parametrize(("kind", "outcome", "failure", "cause"), CAUSES)
def test_a_loss_has_a_true_reason(
    kind: IntentKind, outcome: SendOutcome, failure: FailureClass | None, cause: Cause
) -> None:
    """The person reads it, so it must not blame a password that was not refused."""
    assert cause is loss_cause(kind, outcome, failure)
