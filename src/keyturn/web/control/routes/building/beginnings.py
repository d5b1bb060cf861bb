"""What a new connector can begin with: one that comes along, or a curl command.

Rule 1: nothing is saved here: a text that is answered is written by `PUT /v1/connectors/{id}`.
Rule 2: of a pasted command no username, password, client secret, token or key comes back, whatever becomes of it.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from starlette.responses import Response

from keyturn.core.building.curl_words import CurlUnreadable
from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.core.reading.top import CONNECTOR_ID
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation, Takes
from keyturn.web.control.routes.connectors import EXAMPLE
from keyturn.web.control.shapes.building.comparing import (
    CatalogueAnswer,
    CatalogueList,
    CatalogueRow,
    CurlAnswer,
    CurlText,
)
from keyturn.web.control.shapes.showing import answer

TAG: Final = "connectors"
ROW: Final[dict[str, Any]] = {"id": "acme", "title": "Acme"}


async def list_catalogue(app: App, caller: Calling) -> Response:
    """List the connectors that come along."""
    found = await asyncio.to_thread(app.builder.drafts.titles)
    return answer(CatalogueList(data=[CatalogueRow(id=name, title=title) for name, title in found.items()]))


async def get_catalogue_entry(entry_id: str, app: App, caller: Calling) -> Response:
    """Read a connector that comes along.

    To begin with it, write its text as a draft: under its own id, or under another one in `connector`.
    """
    drafts = app.builder.drafts
    titles = await asyncio.to_thread(drafts.titles)
    if entry_id not in titles:
        raise NotFound("There is no such connector in the catalogue.")
    return answer(CatalogueAnswer(id=entry_id, title=titles[entry_id], source=drafts.ready()[entry_id]))


async def read_curl_command(connector_id: str, body: CurlText, app: App, caller: Calling) -> Response:
    """Make a connector's text of a curl command.

    Of the one that logs in, and of one that calls the API where it is there too. Nothing is saved or sent; username,
    password and secrets of the command are left out.
    """
    caller.must_see(connector_id)
    if not re.fullmatch(CONNECTOR_ID, connector_id):
        message = "An id has 2 to 63 lower-case letters, digits and hyphens, and begins with a letter."
        raise ValidationFailed(errors=[Finding("/connector_id", "invalid", message)])
    try:
        text, reading = await app.builder.drafts.from_curl(connector_id, body.curl)
    except CurlUnreadable as error:
        finding = Finding("/curl", "unreadable", str(error), error.line, error.column)
        raise ValidationFailed(errors=[finding]) from None
    return answer(CurlAnswer(source=text, understood=reading.understood, left=reading.left))


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/catalogue",
        list_catalogue,
        "read",
        {200: CatalogueList},
        TAG,
        answer_example={"data": [ROW], "next_cursor": None},
    ),
    Operation(
        "GET",
        "/v1/catalogue/{entry_id}",
        get_catalogue_entry,
        "read",
        {200: CatalogueAnswer},
        TAG,
        answer_example={**ROW, "source": EXAMPLE},
    ),
    Operation(
        "POST",
        "/v1/connectors/{connector_id}/from-curl",
        read_curl_command,
        "admin",
        {200: CurlAnswer},
        TAG,
        takes=Takes.JSON,
        problems=("connector_invalid",),
        example={"curl": "curl https://login.acme.example/oauth/token -d grant_type=password -d username=ada -d …"},
        answer_example={
            "source": EXAMPLE,
            "understood": ["Step 2: the login goes to login.acme.example."],
            "left": ["Step 3 and 4: a command doesn't show how to refresh and to revoke."],
        },
    ),
)
