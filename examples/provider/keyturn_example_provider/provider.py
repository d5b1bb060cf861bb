"""Everything the endpoints share, in one value."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from starlette.requests import Request

from .accounts import Accounts
from .faults import Faults
from .notes import Notes
from .request_log import Entry, RequestLog
from .settings import Settings
from .tokens import Tokens

SCOPES = ("read", "write")


@dataclass(slots=True)
class Provider:
    """One server's state. `clock` gives seconds since the epoch."""

    settings: Settings
    tokens: Tokens
    log: RequestLog = field(default_factory=RequestLog)
    accounts: Accounts = field(default_factory=Accounts)
    notes: Notes = field(default_factory=Notes)
    faults: Faults = field(default_factory=Faults)
    clock: Callable[[], float] = time.time

    def record(self, request: Request, entry: Entry) -> None:
        """Log `entry`, with the fault that this request is under, if any."""
        self.log.add(replace(entry, fault=getattr(request.state, "fault", None)), now=self.clock())


def provider_of(request: Request) -> Provider:
    """Find the state that the application was made with."""
    provider = request.app.state.provider
    assert isinstance(provider, Provider)
    return provider
