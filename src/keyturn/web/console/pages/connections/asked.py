"""Which connections somebody asks for: the same filter in an address, in a form, on the command line and over REST."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from keyturn.core.connection import State
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.core.format.moments import moment_of
from keyturn.engine.jobs.bulk.bulk_order import BulkAction, BulkOrder
from keyturn.ports.store import ConnectionFilter
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

STATES: Final = (*(each.value for each in State), "paused", "unconfirmed")
TIMES: Final = ("ends_before", "renews_before")
NAMES: Final = ("state", "connector", "owner", "search", "reason", "error", "attention", *TIMES)
YES: Final = "true"


@dataclass(frozen=True, slots=True)
class Asked:
    """A filter; empty means any.

    `search`: what a name, an owner or an id begins with. `reason`: why one needs its person. `error`: that, or the code
    of the last failure. `attention`: `true`. `ends_before`, `renews_before`: RFC 3339, or Unix seconds.
    """

    state: str = ""
    connector: str = ""
    owner: str = ""
    search: str = ""
    reason: str = ""
    error: str = ""
    attention: str = ""
    ends_before: str = ""
    renews_before: str = ""

    @classmethod
    def of_query(cls, visit: Visit) -> Asked:
        """Read it off the address. ValidationFailed."""
        return cls(*(visit.query(name).strip() for name in NAMES)).checked()

    @classmethod
    def of_form(cls, visit: Visit) -> Asked:
        """Read it off the hidden inputs of a form. ValidationFailed."""
        return cls(*(visit.form.text(name).strip() for name in NAMES)).checked()

    def checked(self) -> Asked:
        """Itself, where everything is what it has to be. ValidationFailed."""
        errors = []
        if self.state and self.state not in STATES:
            errors.append(Finding("/state", "invalid", f"The states are: {', '.join(STATES)}."))
        if self.attention not in ("", YES):
            errors.append(Finding("/attention", "invalid", f"This is {YES}, or it is left out."))
        for name in TIMES:
            if (given := getattr(self, name)) and moment_of(given) is None:
                message = "This is a time such as 2030-01-31T12:00:00Z, or Unix seconds."
                errors.append(Finding(f"/{name}", "invalid", message))
        if errors:
            raise ValidationFailed(errors=errors)
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
        told = [
            _WORDS.get(name, f"{name.replace('_', ' ')} {{}}").format(value) for name, value in self.pairs().items()
        ]
        return ", ".join(told) if told else "all connections"

    async def filter(self, console: Console) -> ConnectionFilter:
        """For the store. StoreUnavailable."""
        return ConnectionFilter(
            self.connector or None,
            self.owner or None,
            self.state or None,
            search=self.search or None,
            reason=self.reason or None,
            error=self.error or None,
            attention=await console.application.attention_bounds() if self.attention else None,
            ends_before=moment_of(self.ends_before),
            renews_before=moment_of(self.renews_before),
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
            error=self.error or None,
            attention=bool(self.attention),
            ends_before=moment_of(self.ends_before),
            renews_before=moment_of(self.renews_before),
        )

    def link(self, **more: str) -> str:
        """The list with this filter, parts of it replaced; an empty part is left out."""
        pairs = {**self.pairs(), **more}
        given = urlencode({name: value for name, value in pairs.items() if value})
        return f"/connections?{given}" if given else "/connections"


_WORDS: Final = {"attention": "those that need attention", "error": "code {}"}
