"""What stands beside a step's form: the request as it would be sent, the YAML, and what the linter finds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from keyturn.core.connector import Connector
from keyturn.core.errors import ConnectorInvalid, Finding
from keyturn.core.lint import LintFinding, lint
from keyturn.engine.builder.previews import step_requests
from keyturn.engine.builder.trial_trace import request_text
from keyturn.web.console.pages.connectors.forms.wording import Words
from keyturn.web.console.pages.connectors.task_list import problems
from keyturn.web.console.rendering import Console


@dataclass(frozen=True, slots=True)
class Panel:
    """`requests`: heading and text. `errors`: why the text reads as no connector; then the rest is of no use."""

    requests: tuple[tuple[str, str], ...]
    yaml: str
    findings: tuple[LintFinding, ...]
    errors: tuple[Finding, ...] = ()

    def as_json(self, words: Words) -> dict[str, Any]:
        """What a script of ours is answered, in the words of the forms."""
        return {
            "requests": [{"title": title, "text": text} for title, text in self.requests],
            "yaml": self.yaml,
            "findings": [words.finding(each).as_json() for each in self.findings],
            "errors": [words.error(each).as_json() for each in self.errors],
        }


async def make_panel(console: Console, text: str, step: int) -> Panel:
    """The panel of a text that may not read as a connector."""
    try:
        connector = await console.application.edit_connector.read(text)
    except ConnectorInvalid as error:
        return Panel((), text, (), tuple(error.errors))
    client = await console.application.connectors.client(connector.id)
    requests = await asyncio.to_thread(previews, connector, step, client.client_id if client else "")
    return Panel(requests, text, problems(step, lint(connector)))


def previews(connector: Connector, step: int, client_id: str) -> tuple[tuple[str, str], ...]:
    """The requests of a step as texts."""
    shown = step_requests(connector, step, client_id)
    return tuple((title, each if isinstance(each, str) else request_text(each)) for title, each in shown)
