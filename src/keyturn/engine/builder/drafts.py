"""Writing a draft step by step: the text is the truth, a form changes only the characters of what it holds.

Rule 1: an edit is held against the revision that its author saw; two authors get a conflict, never a silent overwrite.
Rule 2: what would not read as a connector is not stored; the author gets every error with its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keyturn.core.building.from_curl import CurlReading
from keyturn.core.errors import Finding, NotFound, ValidationFailed, VersionConflict
from keyturn.engine.actor import Actor
from keyturn.engine.builder.new_texts import Edits, catalogue_titles, edited_text, renamed_text, text_from_curl
from keyturn.engine.builder.put_together import Choices, PutTogether, edits_between, put_together
from keyturn.engine.edit_connector import EditConnector, Saved
from keyturn.ports.catalogue import Catalogue
from keyturn.ports.store import ConnectorStore, Draft

TAKEN: Final = Finding("/id", "taken", "There is a connector of this id already.")


@dataclass(frozen=True, slots=True)
class Drafts:
    """The use case and what it needs."""

    edit: EditConnector
    store: ConnectorStore
    catalogue: Catalogue

    async def draft(self, connector_id: str) -> Draft:
        """The draft, or the newest version's text as one that was not saved yet (revision 0); NotFound."""
        draft = await self.store.draft(connector_id)
        if draft is not None:
            return draft
        version = await self.store.version(connector_id)
        if version is None:
            raise NotFound("There is no such connector.")
        return Draft(version.connector, version.source, version.published_at, 0)

    async def edited(self, text: str, edits: Edits) -> str:
        """The text with values changed (pointer → value, ABSENT takes out); nothing is stored. ConnectorInvalid."""
        return await asyncio.to_thread(edited_text, self.catalogue, text, edits)

    async def save(self, connector_id: str, text: str, revision: int, actor: Actor) -> Saved:
        """Store a text. `revision`: of the draft that its author began from.

        Raises:
            ConnectorInvalid: nothing was stored. VersionConflict: somebody else has saved meanwhile.
        """
        current = await self.draft(connector_id)
        if current.revision != revision:
            raise VersionConflict
        return await self.edit.save(connector_id, text, actor, expected_revision=revision)

    async def put_together(self, base: str, mine: str, theirs: str, chosen: Choices) -> tuple[str, PutTogether]:
        """Their text with what is changed from `base` to `mine` put onto it, value by value; nothing is stored.

        Raises:
            ConnectorInvalid: one of the texts can't be read, or theirs can't be changed so.
        """
        return await asyncio.to_thread(self._put_together, base, mine, theirs, chosen)

    def _put_together(self, base: str, mine: str, theirs: str, chosen: Choices) -> tuple[str, PutTogether]:
        began, own, other = (self.catalogue.read(each).value for each in (base, mine, theirs))
        found = put_together(began, own, other, chosen)
        return edited_text(self.catalogue, theirs, dict(edits_between(other, found.value))), found

    async def begin(self, connector_id: str, text: str, actor: Actor) -> Saved:
        """Store the first draft of a new connector; ValidationFailed at `/id` where there is one of this id."""
        await self.check_free(connector_id)
        try:
            return await self.edit.save(connector_id, text, actor, expected_revision=0)
        except VersionConflict:  # begun by somebody else at the same moment
            raise ValidationFailed(errors=[TAKEN]) from None

    async def check_free(self, connector_id: str) -> None:
        """ValidationFailed at `/id` where there is a connector of this id."""
        if await self.store.draft(connector_id) or await self.store.version(connector_id):
            raise ValidationFailed(errors=[TAKEN])

    async def blank(self, connector_id: str) -> str:
        """The text of a connector that has everything and names no real host."""
        return self.catalogue.starter(connector_id)

    def ready(self) -> Mapping[str, str]:
        """The connectors that come along: id → text."""
        return self.catalogue.ready()

    def titles(self) -> Mapping[str, str]:
        """The same: id → title."""
        return catalogue_titles(self.catalogue)

    async def renamed(self, text: str, connector_id: str) -> str:
        """A text under another id."""
        return await asyncio.to_thread(renamed_text, self.catalogue, text, connector_id)

    async def from_curl(self, connector_id: str, pasted: str) -> tuple[str, CurlReading]:
        """The text that a curl command makes, and what was understood; CurlUnreadable, ConnectorInvalid."""
        return await asyncio.to_thread(text_from_curl, self.catalogue, connector_id, pasted)
