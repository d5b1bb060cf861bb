"""When a connector is degraded: by how many of the latest sends to its provider failed.

Rule 1: what a person did wrong (a password, a code) says nothing of the provider and does not count.
Rule 2: a set-up that is wrong (client refused, grant or scope not allowed) counts from the first time on, as long as
nothing works: such a connector is asked seldom, so that there are no many sends to judge by.
Rule 3: it has recovered only when clearly better than the limit, so that it does not go to and fro.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import ScopeInsufficient
from keyturn.core.events.mapping import OK

WINDOW_S: Final = 900.0
BUCKET_S: Final = 60.0
FEWEST: Final = 5
LIMIT: Final = 0.5
WELL: Final = 0.2
SET_UP: Final = frozenset({"connector_client_rejected", "provider_grant_disabled", "scope_insufficient"})
PROVIDER: Final = frozenset(
    {
        "provider_unreachable", "provider_tls_failed", "provider_timeout", "provider_unavailable",
        "provider_bad_response", "provider_rate_limited", "connector_value_absent", "unique_id_missing",
    }
)  # fmt: skip
_SENDS: Final = frozenset({"refresh.answered", "login.answered", "challenge.answered"})


@dataclass(frozen=True, slots=True)
class Tally:
    """Sends of one connector in some time. `code`: of the newest failure."""

    worked: int = 0
    failed: int = 0
    set_up: int = 0  # of those that failed
    code: str | None = None

    def plus(self, other: Tally) -> Tally:
        """Both together; `other` is the newer one."""
        return Tally(
            self.worked + other.worked, self.failed + other.failed, self.set_up + other.set_up, other.code or self.code
        )

    @property
    def share(self) -> float:
        """How many failed, of all, from 0 to 1."""
        return self.failed / max(1, self.worked + self.failed)

    @property
    def degraded(self) -> bool:
        """Whether it is bad enough to say so."""
        enough = self.worked + self.failed >= FEWEST
        return (self.set_up > 0 and self.worked == 0) or (enough and self.share >= LIMIT)

    @property
    def well(self) -> bool:
        """Whether it is good enough to say that it has recovered."""
        return self.worked > 0 and self.share <= WELL


def tally_of(record: AuditRecord) -> Tally | None:
    """What a record says of its connector's provider; None where it says nothing."""
    if record.connector is None:
        return None
    if record.action == "connection.renewed" or (record.action in _SENDS and record.outcome == OK):
        return Tally(worked=1)
    if record.action in _SENDS and record.outcome in SET_UP | PROVIDER:
        # At a renewal the scope is of one grant (RFC 6749 §5.2): it says nothing of the connector's set-up.
        of_grant = record.outcome == ScopeInsufficient.code and "generation" in record.facts
        return Tally(failed=1, set_up=int(record.outcome in SET_UP and not of_grant), code=record.outcome)
    return None
