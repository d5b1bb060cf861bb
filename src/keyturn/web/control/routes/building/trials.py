"""Trials: a connector's draft, or a text, run against its provider with what is typed there and then.

Rule 1: a trial belongs to the API key that began it; for any other there is none.
"""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from keyturn.core.connector import Connector
from keyturn.core.errors import ConnectorInvalid, Finding
from keyturn.core.secret import Secret
from keyturn.engine.builder.typed import Typed
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.shapes.requests import Answers
from keyturn.web.control.shapes.showing import answer
from keyturn.web.control.shapes.trials import FixtureAnswer, MendedText, NewTrial, TrialAnswer, trial_answer

TAG: Final = "connectors"
WAITED_S: Final = 20.0  # for the next row, where somebody asks how it goes
EXAMPLE: Final[dict[str, Any]] = {
    "id": "trl_5f0c6e2d",
    "connector": "acme",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "state": "running",
    "passed": False,
    "failed_step": None,
    "not_reached": [],
    "ends_at": None,
    "started_at": "2030-01-31T12:00:00.000Z",
    "hosts": ["auth.acme.example"],
    "ask": [],
    "resend": False,
    "asked_again": "",
    "rows": [],
}


FIXTURE: Final[dict[str, Any]] = {
    "keyturn_fixture": 1,
    "connector": "acme",
    "digest": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "exchanges": [
        {
            "request": "token",
            "method": "POST",
            "status": 200,
            "headers": {"Content-Type": "application/json"},
            "body": '{"access_token": "made-up", "expires_in": 3600}',
            "means": {"outcome": "token", "has": ["access_token", "lifetime"]},
        }
    ],
    "left_off": [],
}


async def begin_trial(connector_id: str, body: NewTrial, app: App, caller: Calling) -> Response:
    """Try a connector for real.

    Signs in, tests, names, identifies, sends a sample call, refreshes, and revokes every token that came. Wrong tries
    can lock the account. What is sent here is used for this trial and kept nowhere; the trace is masked and is
    forgotten after a day.
    """
    caller.must_see(connector_id)
    connector = await _text(connector_id, body.source, app)
    typed = Typed(body.username, body.password or Secret(""), body.fields)
    run = await app.builder.trials.begin(connector, typed, caller.for_person(body.client_address), hold=body.hold)
    return answer(trial_answer(run), 201, location=f"/v1/trials/{run.id}")


async def _text(connector_id: str, source: str | None, app: App) -> Connector:
    if source is None:
        return (await app.builder.drafts.draft(connector_id)).connector
    connector = await app.edit_connector.read(source)
    if connector.id != connector_id:
        message = "The text's own id differs from the connector's."
        raise ConnectorInvalid(errors=[Finding("/connector", "id_differs", message)])
    return connector


async def get_trial(trial_id: str, app: App, caller: Calling, after: int | None = None) -> Response:
    """Say how a trial goes.

    With `after`, the number of rows that are known already, the answer waits up to 20 seconds for more.
    """
    run = app.builder.trials.look(trial_id, caller.actor)
    if after is not None and len(run.rows) <= after:
        await app.builder.trials.changed(run, run.version, WAITED_S)
    return answer(trial_answer(run))


async def answer_trial(trial_id: str, body: Answers, app: App, caller: Calling) -> Response:
    """Answer what a trial asks, such as a one-time code; each question is answered once."""
    return answer(trial_answer(app.builder.trials.answer(trial_id, body.answers, caller.actor)))


async def continue_trial(trial_id: str, body: MendedText, app: App, caller: Calling) -> Response:
    """Go on with a trial that is held, from the step that failed, with a mended text and without another login.

    A text that signs in otherwise, or sends tokens to another host, is refused: it is tried from the beginning.
    """
    run = app.builder.trials.look(trial_id, caller.actor)
    connector = await _text(run.connector, body.source, app)
    return answer(trial_answer(await app.builder.trials.go_on(trial_id, connector, caller.actor)))


async def end_trial(trial_id: str, app: App, caller: Calling) -> Response:
    """End a trial that is held: its tokens are revoked."""
    return answer(trial_answer(app.builder.trials.end(trial_id, caller.actor)))


async def trial_fixture(trial_id: str, app: App, caller: Calling) -> Response:
    """Get the recording of a trial that has ended.

    For `connector lint --fixtures`: every text that the connector's file doesn't have is replaced by a made-up one, and
    no secret is in it in any form. `left_off` names the requests whose answers would then mean something else.
    """
    return answer(FixtureAnswer.model_validate(dict(app.builder.trials.fixture(trial_id, caller.actor))))


async def resend_in_trial(trial_id: str, app: App, caller: Calling) -> Response:
    """Ask the provider for another code, where it has a way to; the trial goes on waiting."""
    return answer(trial_answer(app.builder.trials.resend(trial_id, caller.actor)))


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/connectors/{connector_id}/trials",
        begin_trial,
        "admin",
        {201: TrialAnswer},
        TAG,
        takes=Takes.JSON,
        signs_in=True,
        problems=("connector_invalid", "connector_client_missing", "logins_stopped"),
        example={"username": "ada@example.com", "password": "…", "fields": {}},
        answer_example=EXAMPLE,
    ),
    Operation("GET", "/v1/trials/{trial_id}", get_trial, "admin", {200: TrialAnswer}, TAG, answer_example=EXAMPLE),
    Operation(
        "POST",
        "/v1/trials/{trial_id}",
        answer_trial,
        "admin",
        {200: TrialAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("challenge_used",),
        example={"answers": {"code": "123456"}},
        answer_example=EXAMPLE,
    ),
    Operation(
        "GET",
        "/v1/trials/{trial_id}/fixture",
        trial_fixture,
        "admin",
        {200: FixtureAnswer},
        TAG,
        answer_example=FIXTURE,
    ),
    Operation(
        "POST",
        "/v1/trials/{trial_id}/resend",
        resend_in_trial,
        "admin",
        {200: TrialAnswer},
        TAG,
        problems=("challenge_used",),
        answer_example=EXAMPLE,
    ),
    Operation(
        "POST",
        "/v1/trials/{trial_id}/continue",
        continue_trial,
        "admin",
        {200: TrialAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("trial_not_held", "connector_invalid", "logins_stopped"),
        example={},
        answer_example=EXAMPLE,
    ),
    Operation(
        "POST",
        "/v1/trials/{trial_id}/end",
        end_trial,
        "admin",
        {200: TrialAnswer},
        TAG,
        problems=("trial_not_held",),
        answer_example=EXAMPLE,
    ),
)
