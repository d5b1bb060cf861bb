"""How far a draft's steps are, for the pages: the task list with what this instance knows besides the file."""

from __future__ import annotations

import asyncio
from typing import Any

from keyturn.core.lint import lint
from keyturn.ports.catalogue import Catalogue
from keyturn.ports.store import Draft
from keyturn.web.console.pages.connectors.beside.task_list import Task, task_list
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit


async def progress(console: Console, visit: Visit, draft: Draft, document: Any) -> tuple[Task, ...]:
    """The state of each step. What was published, tried with success, or saved by somebody counts as looked at."""
    application, connector_id = console.application, draft.connector.id
    runs = application.builder.trials.of_connector(connector_id, visit.actor)
    shown_to_work = any(each.passed for each in runs) or await application.connectors.version(connector_id) is not None
    blank = await asyncio.to_thread(_blank, application.builder.drafts.catalogue, connector_id)
    return task_list(
        document,
        lint(draft.connector),
        blank,
        lambda step: shown_to_work or application.builder.looked_at.has(connector_id, step),
    )


def _blank(catalogue: Catalogue, connector_id: str) -> Any:
    return catalogue.read(catalogue.starter(connector_id)).value
