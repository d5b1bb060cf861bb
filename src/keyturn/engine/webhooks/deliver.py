"""Delivering one event to one endpoint: the kind of job `webhook.deliver`.

Rule 1: a message has its event's id, whichever try it is, so that a receiver can tell doubles; it is sent at least
once, and in no promised order.
Rule 2: 2xx is delivered, all else is a failure, redirects among it; 410 disables the endpoint at once, three days of
nothing but failures do as well, each with a record.
Rule 3: where the last tries at an endpoint failed, others in this process fail without being sent for some seconds: a
receiver that hangs keeps nobody else waiting.
Rule 4: an answer's body is never read into anything.

Source: the Standard Webhooks specification, "Retry schedule", "Disabling failing endpoints", "Status codes".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import (
    KeyturnError,
    KeyUnavailable,
    NotFound,
    ProviderError,
    ProviderTimeout,
    ProviderTlsFailed,
    ProviderUnavailable,
    StoreUnavailable,
    WebhookFailing,
    WebhookGone,
    WebhookHeld,
    WebhookRefused,
    WebhookTimeout,
    WebhookTlsFailed,
    WebhookUnreachable,
)
from keyturn.core.events.event import Event
from keyturn.core.events.signing import headers, key_in
from keyturn.core.messages import OutgoingRequest
from keyturn.engine.actor import SCHEDULER
from keyturn.engine.in_flight import InFlight
from keyturn.engine.jobs.job_kind import Progress
from keyturn.engine.webhooks.endpoint_gate import EndpointGate
from keyturn.engine.webhooks.secrets import live_keys
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Egress, EgressPolicy
from keyturn.ports.jobs import Job
from keyturn.ports.webhooks.endpoints import Delivery, DeliveryState, Endpoint, WebhookStore
from keyturn.ports.webhooks.events import EventStore

KIND: Final = "webhook.deliver"
# What goes wrong on the way is the same as on the way to a provider; the last one stands for all that is left.
_OWN: Final[Mapping[type[KeyturnError], type[KeyturnError]]] = MappingProxyType(
    {
        ProviderTimeout: WebhookTimeout,
        ProviderTlsFailed: WebhookTlsFailed,
        ProviderUnavailable: WebhookHeld,
        ProviderError: WebhookUnreachable,
    }
)
TIMEOUT_S: Final = 20.0
DELIVERIES_AT_ONCE: Final = 16
GIVEN_UP_AFTER_S: Final = 3 * 86_400.0
_MIN, _HOUR = 60.0, 3600.0
# Three days and a bit in all, before chance adds up to a fifth: the last try sees an endpoint's three days over.
DELAYS_S: Final = (
    5.0, 30.0, 2 * _MIN, 10 * _MIN, 30 * _MIN, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, 24 * _HOUR, 26 * _HOUR,
)  # fmt: skip
DISABLED: Final = "webhook.disabled"
USER_AGENT: Final = "keyturn-webhooks"


def delivery_job(delivery: Delivery, now: float) -> Job:
    """The job of a delivery."""
    return Job(
        id=f"job_{delivery.id}",
        kind=KIND,
        created_at=now,
        run_at=now,
        arguments={"delivery": delivery.id},
        created_by=SCHEDULER.name,
        project=delivery.project,
    )


@dataclass(frozen=True, slots=True)
class DeliverWebhook:
    """The kind, and what it needs. `counts`: outcomes, for metrics."""

    webhooks: WebhookStore
    events: EventStore
    egress: Egress
    gate: EndpointGate
    clock: Clock
    known: InFlight
    counts: Counter[str] = field(default_factory=Counter)
    name: str = KIND
    delays_s: tuple[float, ...] = DELAYS_S

    async def run(self, job: Job, progress: Progress) -> None:
        """Try it; what fails is tried again by the job's delays."""
        delivery = await self.webhooks.delivery(str(job.arguments["delivery"]), project=job.project)
        if delivery is None or delivery.state is not DeliveryState.PENDING:
            return
        endpoint = await self.webhooks.load(delivery.endpoint, project=job.project)
        event = await self.events.event(delivery.event, project=job.project)
        if endpoint is None or not endpoint.enabled or event is None:
            await self.webhooks.note(replace(delivery, state=DeliveryState.DROPPED))
            self.counts["dropped"] += 1
            return
        tried, error = await self.attempt(endpoint, delivery, event)
        if error is None:
            await self.webhooks.note(tried)
            return
        gone = isinstance(error, WebhookGone)
        last = gone or job.tries > len(self.delays_s)
        since = await self.webhooks.note(replace(tried, state=DeliveryState.FAILED) if last else tried)
        await self._disable(endpoint, error, since)
        if not gone:
            raise error

    async def attempt(
        self, endpoint: Endpoint, delivery: Delivery, event: Event, *, gated: bool = True
    ) -> tuple[Delivery, KeyturnError | None]:
        """Send it once; returns the delivery as it is then, not yet written, and what went wrong.

        `gated`: not while the endpoint's last tries failed. KeyUnavailable, StoreUnavailable: nothing was sent, and
        that is no fault of the endpoint's.
        """
        began = self.clock.monotonic()
        status, error = None, None
        try:
            async with self.gate.place(endpoint.id) if gated else nullcontext():
                status = await self._send(endpoint, event)
        except (KeyUnavailable, StoreUnavailable):
            raise
        except KeyturnError as failure:
            error = _of_a_receiver(failure)
            status = error.extensions.get("status")
        self.counts["delivered" if error is None else error.code] += 1
        tried = replace(
            delivery,
            state=DeliveryState.DELIVERED if error is None else delivery.state,
            tries=delivery.tries + 1,
            tried_at=self.clock.now(),
            status=status,
            took_s=round(self.clock.monotonic() - began, 3),
            code=None if error is None else error.code,
        )
        return tried, error

    async def _send(self, endpoint: Endpoint, event: Event) -> int:
        live = await live_keys(self.webhooks, endpoint, self.clock.now())
        body, now = event.body(), int(self.clock.now())
        with self.known.in_flight(*live):
            signed = headers([key_in(each.reveal()) for each in live], event.id, now, body)
            request = OutgoingRequest("POST", endpoint.url, (("User-Agent", USER_AGENT), *signed), body)
            try:
                answer = await self.egress.send(request, policy_of(endpoint.url))
            except KeyturnError:
                self.gate.failed(endpoint.id)
                raise
        if answer.status == 410:
            raise WebhookGone(extensions={"status": 410})
        if not 200 <= answer.status <= 299:
            self.gate.failed(endpoint.id)
            raise WebhookRefused(extensions={"status": answer.status})
        self.gate.answered(endpoint.id)
        return answer.status

    async def _disable(self, endpoint: Endpoint, error: KeyturnError, since: float | None) -> None:
        """Disable it where it wants no more, or nothing has reached it for too long."""
        code = None
        if isinstance(error, WebhookGone):
            code = WebhookGone.code
        elif since is not None and self.clock.now() - since >= GIVEN_UP_AFTER_S:
            code = WebhookFailing.code
        if code is None:
            return
        record = AuditRecord(
            self.clock.now(),
            DISABLED,
            SCHEDULER.name,
            outcome=code,
            facts={"webhook": endpoint.id},
            project=endpoint.project,
        )
        await self.webhooks.disable(endpoint, code, records=[record])


def _of_a_receiver(failure: KeyturnError) -> KeyturnError:
    """The same failure in words of its own: no provider has anything to do with it."""
    for kind, own in _OWN.items():
        if isinstance(failure, kind):
            return own(retry_after_s=failure.retry_after_s)
    return failure


def policy_of(url: str) -> EgressPolicy:
    """Endpoints are the operator's own to name: the operator's allowances are what limits them, and nothing else."""
    return EgressPolicy(private_network=True, insecure_http=url.startswith("http:"), timeout_s=TIMEOUT_S)


async def found(webhooks: WebhookStore, endpoint_id: str, project: str) -> Endpoint:
    """The endpoint; NotFound."""
    endpoint = await webhooks.load(endpoint_id, project=project)
    if endpoint is None:
        raise NotFound("There is no such webhook.")
    return endpoint
