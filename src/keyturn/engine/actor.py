"""Who asks for something, as the audit log names it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Actor:
    """`name`: `key:<id>`, `session:<id>`, `scheduler` or `operator`. `request_id`: of the request that began it.

    `address`: where a person's browser is, as far as that is known; it is counted by. `client_address`: the same in
    full, for a provider that asks for it (`client_address_header`). Both are written down nowhere.
    """

    name: str
    request_id: str | None = None
    address: str | None = field(default=None, repr=False)
    client_address: str | None = field(default=None, repr=False)


SCHEDULER = Actor("scheduler")
