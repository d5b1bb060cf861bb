"""Versions of a connector: each one's text, what it changed, and the way back to it.

Rule 1: a version that was published is never changed by going back to it: its text becomes the draft.
"""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any, Final

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from keyturn.core.building.changes import changes
from keyturn.core.building.corrections import correction_sentence, only_advice_differs
from keyturn.core.connector import Connector
from keyturn.core.errors import NotFound
from keyturn.engine.application import Application
from keyturn.engine.builder.review import text_changes
from keyturn.ports.store import PublishedVersion
from keyturn.web.control.caller import App, Caller, Calling
from keyturn.web.control.operations import Operation
from keyturn.web.control.preconditions import expected_revision
from keyturn.web.control.routes.connectors import shown_connector
from keyturn.web.control.shapes.answers import ConnectorAnswer, VersionAnswer
from keyturn.web.control.shapes.building.comparing import ChangeAnswer, DiffAnswer, DiffQuery
from keyturn.web.control.shapes.requests import Nothing
from keyturn.web.control.shapes.showing import answer, version_answer

TAG: Final = "connectors"
_NUMBER: Final = re.compile("[1-9][0-9]{0,8}")
DIFF: Final[dict[str, Any]] = {
    "old": 2,
    "new": 3,
    "changes": [{"step": 5, "risky": False, "sentence": "The test call goes to another path."}],
    "text": ["@@ -5 +5 @@", "-test: {url: /v1/me}", "+test: {url: /v2/me}"],
    "correction": None,
}


async def get_version(connector_id: str, version: str, app: App, caller: Calling) -> Response:
    """Read a published version, its text byte for byte as it was written."""
    caller.must_see(connector_id)
    return answer(version_answer(await version_of(app, caller, connector_id, _number(version))))


async def diff_versions(connector_id: str, app: App, caller: Calling, query: Annotated[DiffQuery, Query()]) -> Response:
    """Say what one version changes of another.

    In sentences, those that could hurt somebody first, and as text. Without `new` it is about the draft; without `old`
    what is compared with is the version before, or of the draft the newest.
    """
    caller.must_see(connector_id)
    new: Connector
    if query.new is not None:
        version = await version_of(app, caller, connector_id, query.new)
        new, source, before = version.connector, version.source, query.new - 1
    else:
        draft = await app.builder.drafts.draft(connector_id)
        newest = await app.connectors.version(connector_id, project=caller.principal.project)
        new, source, before = draft.connector, draft.source, newest.version if newest else 0
    number = query.old or before
    old = await version_of(app, caller, connector_id, number) if number else None
    return answer(await asyncio.to_thread(_diff, old, new, source, query.new))


def _diff(old: PublishedVersion | None, new: Connector, source: str, number: int | None) -> DiffAnswer:
    said = changes(old.connector if old else None, new)
    lines = text_changes(old.source if old else "", source)
    corrects = old is not None and number is None and only_advice_differs(old.connector, new)
    return DiffAnswer(
        old=old.version if old else None,
        new=number,
        changes=[ChangeAnswer(step=each.step, risky=each.risky, sentence=each.sentence) for each in said],
        text=[line if kind == "@" else kind + line for kind, line in lines],
        correction=correction_sentence(old.connector, new, old.version) if old is not None and corrects else None,
    )


async def rollback_connector(
    connector_id: str, version: str, request: Request, app: App, caller: Calling, nothing: Nothing | None = None
) -> Response:
    """Make a version's text the draft.

    What the draft said is lost. Nothing changes for connections until it is published, as the next version.
    """
    caller.must_see(connector_id)
    wanted = await version_of(app, caller, connector_id, _number(version))
    draft = await app.builder.drafts.draft(connector_id)
    expected_revision(request, current=draft.revision)
    await app.builder.drafts.save(connector_id, wanted.source, draft.revision, caller.actor)
    return await shown_connector(app, caller, connector_id)


async def version_of(app: Application, caller: Caller, connector_id: str, number: int) -> PublishedVersion:
    """A published version; NotFound."""
    found = await app.connectors.version(connector_id, number, project=caller.principal.project)
    if found is None:
        raise NotFound("There is no such version.")
    return found


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NotFound("There is no such version.")
    return int(text)


_ONE: Final = "/v1/connectors/{connector_id}"
OPERATIONS: Final = (
    Operation("GET", f"{_ONE}/versions/{{version}}", get_version, "read", {200: VersionAnswer}, TAG),
    Operation("GET", f"{_ONE}/diff", diff_versions, "read", {200: DiffAnswer}, TAG, answer_example=DIFF),
    Operation(
        "POST",
        f"{_ONE}/versions/{{version}}/rollback",
        rollback_connector,
        "admin",
        {200: ConnectorAnswer},
        TAG,
        unlimited_by=("owners",),
        problems=("connector_invalid", "version_conflict"),
        headers=("If-Match",),
    ),
)
