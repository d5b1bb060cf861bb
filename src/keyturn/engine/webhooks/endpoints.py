"""Endpoints: made, changed, rolled, tested, taken away; deliveries sent once more.

Rule 1: a secret is returned by what makes it, and never again.
Rule 2: a URL is https; http only where the operator allows plain http at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import urlsplit

from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import Finding, NotFound, ValidationFailed, WebhookDisabled
from keyturn.core.events.catalogue import EVENT_TYPES, TEST, known
from keyturn.core.events.event import Event
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.webhooks.deliver import DeliverWebhook, delivery_job, found
from keyturn.engine.webhooks.secrets import BOTH_LIVE_S, new_secret
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.store import RevisionConflict
from keyturn.ports.webhooks.endpoints import (
    Delivery,
    DeliveryState,
    Endpoint,
    EndpointChange,
    EndpointSecrets,
    WebhookStore,
)
from keyturn.ports.webhooks.events import EventStore

LONGEST_URL: Final = 2048
LONGEST_DESCRIPTION: Final = 200
WRITE_TRIES: Final = 20
CHANGEABLE: Final = ("url", "events", "description", "enabled")


@dataclass(frozen=True, slots=True)
class Webhooks:
    """The use cases. `plain_http`: the operator allows http."""

    store: WebhookStore
    events: EventStore
    deliver: DeliverWebhook
    clock: Clock
    entropy: Entropy
    plain_http: bool = False

    async def create(
        self, url: str, events: Sequence[str], description: str, actor: Actor, *, enabled: bool = True,
        project: str = "default",
    ) -> tuple[Endpoint, Secret]:  # fmt: skip
        """Make one; the second part of the result is the only time that the secret can be read."""
        self._check(url, events, description)
        secret = new_secret(self.entropy)
        endpoint = Endpoint(
            self.entropy.identifier("whk"),
            url,
            self.clock.now(),
            tuple(dict.fromkeys(events)),
            description.strip(),
            enabled,
            actor.name,
            project=project,
        )
        record = self._record("webhook.created", endpoint, actor)
        return await self.store.add(endpoint, EndpointSecrets(secret), records=[record]), secret

    async def change(
        self, endpoint_id: str, actor: Actor, *, url: str | None = None, events: Sequence[str] | None = None,
        description: str | None = None, enabled: bool | None = None, project: str = "default",
    ) -> Endpoint:  # fmt: skip
        """Change what is given. Enabling one makes a fresh start: what failed before is forgotten."""

        def changed(current: Endpoint) -> Endpoint:
            new = replace(
                current,
                url=current.url if url is None else url,
                events=current.events if events is None else tuple(dict.fromkeys(events)),
                description=current.description if description is None else description.strip(),
                enabled=current.enabled if enabled is None else enabled,
            )
            again = new.enabled and not current.enabled
            return replace(new, disabled_code=None, failing_since=None) if again else new

        self._check(url, events or (), description or "")
        current = await found(self.store, endpoint_id, project)
        for _ in range(WRITE_TRIES):
            new = changed(current)
            # An address may have a token in its path: what changed is named, not told.
            differing = [each for each in CHANGEABLE if getattr(new, each) != getattr(current, each)]
            record = self._record("webhook.changed", current, actor, changed=differing)
            try:
                return await self.store.save(EndpointChange(new), records=[record])
            except RevisionConflict:
                current = await found(self.store, endpoint_id, project)
        raise RevisionConflict("the endpoint is written by others all the time")

    async def roll(self, endpoint_id: str, actor: Actor, *, project: str = "default") -> tuple[Endpoint, Secret]:
        """Make a new secret; the one before it is signed with as well for a day."""
        current = await found(self.store, endpoint_id, project)
        before = await self.store.secrets(current)
        secret = new_secret(self.entropy)
        rolled = replace(
            current,
            generation=current.generation + 1,
            old_secret_until=self.clock.now() + BOTH_LIVE_S if before is not None else None,
        )
        secrets = EndpointSecrets(secret, before.current if before is not None else None)
        record = self._record("webhook.rolled", current, actor)
        return await self.store.save(EndpointChange(rolled, secrets), records=[record]), secret

    async def remove(self, endpoint_id: str, actor: Actor, *, project: str = "default") -> None:
        """Take one away with its deliveries; NotFound."""
        endpoint = await found(self.store, endpoint_id, project)
        record = self._record("webhook.deleted", endpoint, actor)
        if not await self.store.remove(endpoint_id, records=[record], project=project):
            raise NotFound("There is no such webhook.")

    async def test(self, endpoint_id: str, *, project: str = "default") -> Delivery:
        """Send a message of the type `webhook.test` now, once, to a disabled one as well; returns what came of it."""
        endpoint = await found(self.store, endpoint_id, project)
        now = self.clock.now()
        event = Event(self.entropy.identifier("evt"), TEST, now, 0, endpoint.id, project=project)
        delivery = Delivery(self.entropy.identifier("dlv"), endpoint.id, event.id, TEST, now, project=project)
        tried, error = await self.deliver.attempt(endpoint, delivery, event, gated=False)
        ended = tried if error is None else replace(tried, state=DeliveryState.FAILED)
        await self.store.add_delivery(ended)
        return ended

    async def replay(self, endpoint_id: str, delivery_id: str, *, project: str = "default") -> Delivery:
        """Deliver the event of a delivery once more, whatever became of it.

        Raises:
            NotFound: no such endpoint or delivery, or its event is not kept any more.
            WebhookDisabled: nothing is delivered to a disabled endpoint.
        """
        endpoint = await found(self.store, endpoint_id, project)
        before = await self.store.delivery(delivery_id, project=project)
        if before is None or before.endpoint != endpoint.id:
            raise NotFound("There is no such delivery.")
        if await self.events.event(before.event, project=project) is None:
            raise NotFound("The event is not kept any more.")
        if not endpoint.enabled:
            raise WebhookDisabled
        now = self.clock.now()
        again = Delivery(self.entropy.identifier("dlv"), endpoint.id, before.event, before.type, now, project=project)
        await self.store.add_delivery(again, job=delivery_job(again, now))
        return again

    def _check(self, url: str | None, events: Sequence[str], description: str) -> None:
        errors = [
            Finding(f"/events/{n}", "unknown_event", f"The types are: {', '.join(EVENT_TYPES)}; or “connection.*”.")
            for n, each in enumerate(events)
            if not known(each)
        ]
        if url is not None and not url_allowed(url, plain_http=self.plain_http):
            words = "An https URL without credentials or a fragment; http only with KEYTURN_INSECURE_HTTP."
            errors.append(Finding("/url", "url_not_allowed", words))
        if len(description) > LONGEST_DESCRIPTION or not (description.isprintable() or not description):
            errors.append(Finding("/description", "invalid", "At most 200 characters, and no control characters."))
        if errors:
            raise ValidationFailed(errors=errors)

    def _record(self, action: str, endpoint: Endpoint, actor: Actor, **facts: Any) -> AuditRecord:
        return AuditRecord(
            self.clock.now(),
            action,
            actor.name,
            request_id=actor.request_id,
            facts={"webhook": endpoint.id, **facts},
            project=endpoint.project,
        )


def url_allowed(url: str, *, plain_http: bool) -> bool:
    """https, or http where that is allowed; a host, no credentials, no fragment, no odd characters."""
    if len(url) > LONGEST_URL or any(c <= " " or c == "\\" or c > "~" for c in url):
        return False
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    schemes = ("https", "http") if plain_http else ("https",)
    return parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc and "#" not in url and port != 0
