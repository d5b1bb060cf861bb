"""What stands beside a step's form: the request as it would be sent, the YAML, and what the linter finds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from keyturn.core.building.curl_writing import as_curl
from keyturn.core.errors import ConnectorInvalid, Finding
from keyturn.core.lint import LintFinding, lint
from keyturn.core.requests.provider_request import Preview
from keyturn.engine.builder.previews import step_requests
from keyturn.engine.builder.trial_trace import request_text
from keyturn.web.console.pages.connectors.beside.task_list import problems
from keyturn.web.console.pages.connectors.forms.wording import Words
from keyturn.web.console.rendering import Console


@dataclass(frozen=True, slots=True)
class Panel:
    """`requests`: heading and text; `commands`: the same for curl.

    `errors`: why the text reads as no connector; then the rest is of no use.
    """

    requests: tuple[tuple[str, str], ...]
    yaml: str
    findings: tuple[LintFinding, ...]
    errors: tuple[Finding, ...] = ()
    commands: tuple[tuple[str, str], ...] = ()

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
    shown = await asyncio.to_thread(step_requests, connector, step, client)
    commands = tuple((title, as_curl(each)) for title, each in shown if not isinstance(each, str))
    return Panel(texts(shown), text, problems(step, lint(connector)), commands=commands)


def texts(shown: Iterable[tuple[str, Preview | str]]) -> tuple[tuple[str, str], ...]:
    """Requests as texts; a sentence stands where one can't be made."""
    return tuple((title, each if isinstance(each, str) else request_text(each)) for title, each in shown)
