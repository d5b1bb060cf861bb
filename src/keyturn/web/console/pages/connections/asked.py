"""Which connections somebody asks for: the same filter in an address, in a form, on the command line and over REST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from keyturn.core.connection import State
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.ports.store import ConnectionFilter
from keyturn.web.console.visit import Visit

STATES: Final = (*(each.value for each in State), "paused", "unconfirmed")
NAMES: Final = ("state", "connector", "owner", "search", "reason")


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter; empty means any.

    `search`: what a name, an owner or an id begins with. `reason`: why one needs its person.
    """

    state: str = ""
    connector: str = ""
    owner: str = ""
    search: str = ""
    reason: str = ""

    @classmethod
    def of_query(cls, visit: Visit) -> Asked:
        """Read it off the address. ValidationFailed."""
        return cls(*(visit.query(name).strip() for name in NAMES)).checked()

    @classmethod
    def of_form(cls, visit: Visit) -> Asked:
        """Read it off the hidden inputs of a form. ValidationFailed."""
        return cls(*(visit.form.text(name).strip() for name in NAMES)).checked()

    def checked(self) -> Asked:
        """Itself, where the state is one. ValidationFailed."""
        if self.state and self.state not in STATES:
            message = f"The states are: {', '.join(STATES)}."
            raise ValidationFailed(errors=[Finding("/state", "invalid", message)])
        return self

    @property
    def anything(self) -> bool:
        """Whether it leaves anything out."""
        return bool(self.pairs())

    def pairs(self) -> dict[str, str]:
        """What is asked for, by name."""
        return {name: value for name in NAMES if (value := getattr(self, name))}

    def words(self) -> str:
        """In words."""
        told = [f"{name} {value}" for name, value in self.pairs().items()]
        return ", ".join(told) if told else "all connections"

    def filter(self) -> ConnectionFilter:
        """For the store."""
        return ConnectionFilter(
            self.connector or None,
            self.owner or None,
            self.state or None,
            search=self.search or None,
            reason=self.reason or None,
        )

    def order(self, action: BulkAction) -> BulkOrder:
        """An action on all that match."""
        return BulkOrder(
            action,
            self.connector or None,
            self.owner or None,
            self.state or None,
            search=self.search or None,
            reason=self.reason or None,
        )

    def link(self, **more: str) -> str:
        """The list with this filter, parts of it replaced; an empty part is left out."""
        pairs = {**self.pairs(), **more}
        given = urlencode({name: value for name, value in pairs.items() if value})
        return f"/connections?{given}" if given else "/connections"
