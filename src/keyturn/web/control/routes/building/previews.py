"""The requests of a step as they would be sent, of what is stored and of a text; nothing is sent or stored.

Rule 1: they are made by the code that sends; secrets, and the client of the operator's, are shown by their names.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.connector import Connector
from keyturn.engine.builder.previews import shown_requests
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.routes.building.versions import version_of
from keyturn.web.control.routes.connectors import EXAMPLE
from keyturn.web.control.shapes.building.comparing import StepAnswer, StepQuery, StepRequestAnswer, TextStepQuery
from keyturn.web.control.shapes.showing import answer

TAG: Final = "connectors"
SHOWN: Final[dict[str, Any]] = {
    "step": 5,
    "requests": [
        {
            "title": "Test",
            "request": {
                "method": "GET",
                "url": "https://api.acme.example/v1/me",
                "headers": [["authorization", "Bearer ‹token.access_token›"]],
                "body": "",
            },
            "note": None,
        }
    ],
}


async def preview_step(connector_id: str, app: App, caller: Calling, query: Annotated[StepQuery, Query()]) -> Response:
    """Show what a step of a connector sends.

    Of the draft, or of a published version. Nothing is sent; secrets are shown by their names.
    """
    caller.must_see(connector_id)
    if query.version is not None:
        return await _shown((await version_of(app, caller, connector_id, query.version)).connector, query.step)
    return await _shown((await app.builder.drafts.draft(connector_id)).connector, query.step)


async def preview_text(
    connector_id: str, request: Request, app: App, caller: Calling, query: Annotated[TextStepQuery, Query()]
) -> Response:
    """Show what a step of a connector's text sends.

    Nothing is saved and nothing is sent; errors of the text are answered as when it is written.
    """
    caller.must_see(connector_id)
    return await _shown(await app.edit_connector.read(await request.body()), query.step)


async def _shown(connector: Connector, step: int) -> Response:
    found = await asyncio.to_thread(shown_requests, connector, step)
    return answer(StepAnswer(step=step, requests=[StepRequestAnswer.model_validate(each) for each in found]))


_PREVIEW: Final = "/v1/connectors/{connector_id}/preview"
OPERATIONS: Final = (
    Operation("GET", _PREVIEW, preview_step, "read", {200: StepAnswer}, TAG, answer_example=SHOWN),
    Operation(
        "POST",
        _PREVIEW,
        preview_text,
        "admin",
        {200: StepAnswer},
        TAG,
        takes=Takes.CONNECTOR,
        problems=("connector_invalid",),
        example=EXAMPLE,
        answer_example=SHOWN,
    ),
)
