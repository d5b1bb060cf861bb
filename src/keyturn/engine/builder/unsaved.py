"""Texts that did not read as a connector: kept aside for their author, so that nothing is lost while forms are closed.

Rule 1: a text that is kept aside is nobody's draft: nothing runs, tries or publishes it.
Rule 2: it is kept for a day in the process that it was sent to; the author's page has it as well.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from keyturn.core.errors import Finding
from keyturn.engine.actor import Actor
from keyturn.ports.clock import Clock

KEPT_S: Final = 86_400.0
MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Aside:
    """A text with errors. `revision`: of the draft that its author began from."""

    text: str = field(repr=False)
    errors: tuple[Finding, ...]
    revision: int
    at: float


@dataclass(frozen=True, slots=True)
class Unsaved:
    """By author and connector."""

    clock: Clock
    texts: OrderedDict[tuple[str, str], Aside] = field(default_factory=OrderedDict)

    def keep(self, connector_id: str, actor: Actor, text: str, errors: tuple[Finding, ...], revision: int) -> None:
        """Keep a text aside, in the place of an earlier one."""
        key = (actor.name, connector_id)
        self.texts.pop(key, None)
        self.texts[key] = Aside(text, errors, revision, self.clock.now())
        if len(self.texts) > MOST:
            self.texts.popitem(last=False)

    def of(self, connector_id: str, actor: Actor) -> Aside | None:
        """The author's text of this connector, if one is kept."""
        found = self.texts.get((actor.name, connector_id))
        return found if found is not None and self.clock.now() - found.at < KEPT_S else None

    def drop(self, connector_id: str, actor: Actor) -> None:
        """Forget it."""
        self.texts.pop((actor.name, connector_id), None)
