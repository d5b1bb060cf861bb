"""Which steps of a draft somebody has saved, changed or not: what was begun with is right then.

Rule 1: it decides nothing but a mark beside a step; when it is forgotten, with the process, the step asks once more.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

MOST: Final = 500


@dataclass(frozen=True, slots=True)
class LookedAt:
    """By connector."""

    steps: OrderedDict[str, set[int]] = field(default_factory=OrderedDict)

    def note(self, connector_id: str, step: int) -> None:
        """Somebody has saved this step."""
        self.steps.setdefault(connector_id, set()).add(step)
        self.steps.move_to_end(connector_id)
        if len(self.steps) > MOST:
            self.steps.popitem(last=False)

    def has(self, connector_id: str, step: int) -> bool:
        """Whether somebody has."""
        return step in self.steps.get(connector_id, ())
