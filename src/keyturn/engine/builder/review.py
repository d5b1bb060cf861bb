"""What a draft changes, and publishing it once somebody has seen that.

Rule 1: the builder publishes what a trial has shown to work, or what somebody says in so many words to publish without;
that is written down with the version.
Rule 2: a change that could hurt somebody is published by who types the connector's id, having read it.
"""

from __future__ import annotations

import asyncio
import difflib
from dataclasses import dataclass
from typing import Any

from keyturn.core.building.changes import Change, changes
from keyturn.core.building.corrections import correction_sentence, only_advice_differs
from keyturn.core.errors import Finding, NotFound, ValidationFailed, VersionConflict
from keyturn.core.format.writing import digest
from keyturn.core.lint import LintFinding, blocks_publishing, lint
from keyturn.engine.actor import Actor
from keyturn.engine.builder.trials import Trials
from keyturn.engine.edit_connector import EditConnector, Published
from keyturn.ports.store import ConnectionStore, ConnectorStore, Draft, PublishedVersion

TRIAL_MISSING = "trial_missing"
RISK = "risky_changes"
CONTEXT = 3  # lines around a difference
MOST_EXACT = 1000  # lines of a text that is compared exactly


@dataclass(frozen=True, slots=True)
class Review:
    """A draft beside the newest version. `lines`: kind (`+`, `-`, ` `, `@`) and text of a unified difference.

    `correction`: what publishing does where only advice differs, which needs no trial; None where it makes a version.
    """

    draft: Draft
    version: PublishedVersion | None
    digest: str
    changes: tuple[Change, ...]
    lines: tuple[tuple[str, str], ...]
    findings: tuple[LintFinding, ...]
    blocked: bool
    tried: bool
    connections: int
    correction: str | None = None

    @property
    def asks_name(self) -> bool:
        """Whether the connector's id has to be typed: no trial of the text, or a change that could hurt somebody."""
        return not self.tried or (self.version is not None and any(each.risky for each in self.changes))


@dataclass(frozen=True, slots=True)
class SideRow:
    """A line of two texts side by side; a number is None where that side has no such line. `kind`: ` `, `~` or `@`."""

    kind: str
    old_number: int | None = None
    old: str = ""
    new_number: int | None = None
    new: str = ""


@dataclass(frozen=True, slots=True)
class ReviewDraft:
    """The use case and what it needs."""

    edit: EditConnector
    connectors: ConnectorStore
    connections: ConnectionStore
    trials: Trials

    async def __call__(self, connector_id: str) -> Review:
        """Compare the draft with the newest version; NotFound where there is no draft."""
        draft = await self.connectors.draft(connector_id)
        if draft is None:
            raise NotFound("There is no draft of this connector.")
        version = await self.connectors.version(connector_id)
        number = await self.live_connections(connector_id)
        findings = lint(draft.connector)
        wanted = digest(draft.connector)
        corrects = version is not None and only_advice_differs(version.connector, draft.connector)
        return Review(
            draft,
            version,
            wanted,
            changes(version.connector if version else None, draft.connector, number),
            await asyncio.to_thread(text_changes, version.source if version else "", draft.source),
            findings,
            blocks_publishing(findings),
            corrects or await self.trials.passed(connector_id, wanted),
            number,
            correction_sentence(version.connector, draft.connector, version.version, number)
            if version is not None and corrects
            else None,
        )

    async def publish(
        self, connector_id: str, actor: Actor, *, revision: int, typed_name: str, note: str = ""
    ) -> Published:
        """Publish what was reviewed.

        Args:
            connector_id: whose draft.
            actor: who publishes.
            revision: of the draft that was looked at.
            typed_name: the connector's id, where somebody publishes risky changes, or without a trial that went well.
            note: one line on what it is for; may be empty.

        Raises:
            ValidationFailed: the name has to be typed and was not, or the note is no line; nothing was published.
            PublishBlocked, VersionConflict, NotFound: as `EditConnector.publish`.
        """
        review = await self(connector_id)
        if review.draft.revision != revision:
            raise VersionConflict
        facts: dict[str, Any] = {}
        if review.asks_name and typed_name.strip() != connector_id:
            code, message = RISK, "Some changes are risky. Read them, then type the connector's id to publish them."
            if not review.tried:
                code = TRIAL_MISSING
                message = "No trial of this text went well. Try it, or type the connector's id to publish without."
            raise ValidationFailed(errors=[Finding("/confirm", code, message)])
        if not review.tried:
            facts["override"] = TRIAL_MISSING
        if review.version is not None and (risky := sum(each.risky for each in review.changes)):
            facts["risky"] = risky
        return await self.edit.publish(connector_id, actor, expected_revision=revision, note=note, facts=facts)

    async def live_connections(self, connector_id: str) -> int:
        """How many connections of it there are, those that ended aside."""
        counts = await self.connections.counts()
        ended = ("disconnected", "disconnecting")
        return sum(
            n for (connector, state), n in counts.items() if connector == connector_id and state.value not in ended
        )


def text_changes(old: str, new: str) -> tuple[tuple[str, str], ...]:
    """A unified difference with three lines of context."""
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=3)
    return tuple((line[:1], line if line.startswith("@@") else line[1:]) for line in list(found)[2:])


def side_by_side(old: str, new: str) -> tuple[SideRow, ...]:
    """Both texts beside each other, with three lines around each difference."""
    before, after = old.splitlines(), new.splitlines()
    found: list[SideRow] = []
    # Exact where that is quick: with lines that are all the same its time grows with the square of their number.
    junk = max(len(before), len(after)) > MOST_EXACT
    for group in difflib.SequenceMatcher(None, before, after, autojunk=junk).get_grouped_opcodes(CONTEXT):
        found += [SideRow("@", group[0][1] + 1, "", group[0][3] + 1, "")]
        for kind, a, b, c, d in group:
            for n in range(max(b - a, d - c)):
                left, right = a + n < b, c + n < d
                found.append(
                    SideRow(
                        " " if kind == "equal" else "~",
                        a + n + 1 if left else None,
                        before[a + n] if left else "",
                        c + n + 1 if right else None,
                        after[c + n] if right else "",
                    )
                )
    return tuple(found)
