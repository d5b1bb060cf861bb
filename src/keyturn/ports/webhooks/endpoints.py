"""Webhook endpoints, and what is delivered to them. Promises: `tests/contracts/webhook_store_contract.py`.

Rule 1: secrets go in and come out in the clear, and never rest so.
Rule 2: a delivery names its event; of an answer the status is kept, never the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from keyturn.core.audit_record import AuditRecord
from keyturn.core.secret import Secret
from keyturn.ports.jobs import Job


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Somebody's address.

    `events`: types and `noun.*`; empty means all usual ones. `disabled_code`: why it was disabled by itself.
    `failing_since`: the first failure after which nothing worked. `old_secret_until`: the secret before the last roll
    is signed with as well until then. Times are Unix seconds.
    """

    id: str
    url: str
    created_at: float
    events: tuple[str, ...] = ()
    description: str = ""
    enabled: bool = True
    created_by: str = ""
    disabled_code: str | None = None
    failing_since: float | None = None
    old_secret_until: float | None = None
    generation: int = 1  # of the secrets
    revision: int = 0
    project: str = "default"


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """`old`: the one before the last roll; whether it still counts says `old_secret_until`."""

    current: Secret
    old: Secret | None = None


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  # given up
    DROPPED = "dropped"  # the endpoint was disabled or the event erased before it got there


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint.

    `tries`: how often it was tried. `status`, `took_s`, `code`: of the last try; `code` is None where that was
    answered with 2xx.
    """

    id: str
    endpoint: str
    event: str
    type: str
    created_at: float
    state: DeliveryState = DeliveryState.PENDING
    tries: int = 0
    tried_at: float | None = None
    status: int | None = None
    took_s: float | None = None
    code: str | None = None
    project: str = "default"


@dataclass(frozen=True, slots=True)
class EndpointChange:
    """A new row of an endpoint. `secrets`: None leaves them as they are."""

    endpoint: Endpoint
    secrets: EndpointSecrets | None = field(default=None, repr=False)


class WebhookStore(Protocol):
    """Endpoints and deliveries."""

    async def add(
        self, endpoint: Endpoint, secrets: EndpointSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Endpoint:
        """Add one."""
        ...

    async def load(self, endpoint_id: str, *, project: str = "default") -> Endpoint | None:
        """Read one, without its secrets."""
        ...

    async def secrets(self, endpoint: Endpoint) -> EndpointSecrets | None:
        """Open its secrets; None where the key that sealed them was given up as lost, or it is gone."""
        ...

    async def list(self, *, project: str | None = "default") -> Sequence[Endpoint]:
        """All of a project, or of every one where that is None; oldest first."""
        ...

    async def save(self, change: EndpointChange, *, records: Sequence[AuditRecord] = ()) -> Endpoint:
        """Write over the row that has this revision, or raise RevisionConflict. Secrets are sealed for `generation`."""
        ...

    async def remove(self, endpoint_id: str, *, records: Sequence[AuditRecord] = (), project: str = "default") -> bool:
        """Take one away with its deliveries; False where there is none."""
        ...

    async def disable(self, endpoint: Endpoint, code: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Disable one whatever its revision is; False, and nothing recorded, where it is disabled or gone already."""
        ...

    async def add_delivery(self, delivery: Delivery, *, job: Job | None = None) -> None:
        """Add one, with the job that delivers it."""
        ...

    async def delivery(self, delivery_id: str, *, project: str = "default") -> Delivery | None:
        """Read one."""
        ...

    async def deliveries(
        self, endpoint_id: str, *, cursor: str | None = None, limit: int = 50, project: str = "default"
    ) -> tuple[Sequence[Delivery], str | None]:
        """Those of an endpoint, newest first, and the next cursor; one that is none of ours raises ValidationFailed."""
        ...

    async def note(self, delivery: Delivery) -> float | None:
        """Write what came of a try, and of its endpoint since when nothing has worked.

        A delivered one ends that, a failed one begins it where it has not begun; what is returned is that time as it
        is now.
        """
        ...

    async def purge(self, *, created_before: float) -> int:
        """Take older deliveries away; returns how many."""
        ...
