"""Renewing a token set once more, so that a revoke request that puts the access token on has a live one.

Rule 1: it is the row's own set, under the row's claim: what was connected is ended already, and nobody else has it.
Rule 2: that the refresh token goes out stands in the row before it does. Where nothing came of it that is known, it is
sent again only where the connector says that this is harmless.
Rule 3: a refresh token that the provider no longer takes is a session that is gone.

Source: the renewal design, "Settling the unknown"; corrections R15; invariants I2 and I16.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import Connector, Rotation, Strategy
from keyturn.core.errors import (
    KeyturnError,
    ProviderRateLimited,
    ProviderUnavailable,
    ServerStopping,
    StoreUnavailable,
    UrlNotAllowed,
)
from keyturn.core.problems import Cause
from keyturn.core.renewal.plan import REFRESH_TRIES_UNCLASSIFIED, SendOutcome
from keyturn.core.requests.provider_request import host_of
from keyturn.core.revocation import Revocation
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import SCHEDULER
from keyturn.engine.challenges.refusals import hear
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from keyturn.engine.revocation.sends import kinds_of
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.stopping import Stopping
from keyturn.engine.template_values import client_values, token_values
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Egress
from keyturn.ports.store import ClientCredentials, RevisionConflict, RevocationStore

_UNKNOWN: Final = frozenset({SendOutcome.NO_ANSWER, SendOutcome.UNCLASSIFIED_SUCCESS})
_FOR_GOOD: Final = frozenset({SendOutcome.BLOCKED, SendOutcome.CHALLENGE})
_DOWN: Final = frozenset({SendOutcome.UNAVAILABLE, SendOutcome.NOT_SENT, SendOutcome.NO_ANSWER})


class Fate(Enum):
    """What a renewal came to."""

    RENEWED = "renewed"
    GONE = "gone"  # the provider no longer takes the refresh token
    LATER = "later"  # it failed for a passing reason
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Renewal:
    """How it ended, and the row as it is then. `code`: why it brought no token."""

    fate: Fate
    row: Revocation
    code: str = ""
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class RenewFirst:
    """The ports that this needs."""

    revocations: RevocationStore
    egress: Egress
    gate: ProviderGate
    clock: Clock
    known: InFlight
    stopping: Stopping

    async def __call__(self, row: Revocation, connector: Connector, client: ClientCredentials | None) -> Renewal:
        """Send the refresh request with the row's own set, if that may be done.

        Raises:
            RevisionConflict: the claim is another's by now; nothing was sent.
            ServerStopping, StoreUnavailable: nothing was sent.
        """
        if (why := _hindrance(row, connector, self.clock.now())) is not None:
            return Renewal(Fate.IMPOSSIBLE, row, why)
        client_id = client.client_id if client is not None else ""
        values: dict[str, Any] = {**row.values, **client_values(client), **token_values(row.token_set)}
        try:
            request = build(connector, connector.refresh.request, values, client)
            if (host := host_of(request)) not in row.hosts:
                raise UrlNotAllowed
        except KeyturnError as error:
            return Renewal(Fate.IMPOSSIBLE, row, error.code)
        asking = Asking(
            host, RequestKind.REFRESH, row.connector, row.id, client=f"{row.connector_version} {client_id}",
            project=row.project, harmless=_is_harmless(row, connector, self.clock.now()),
        )  # fmt: skip
        try:
            async with self.gate.place(asking, on_demand=False) as place:
                sending = await self._declared(row, host)
                place.sending()
                with self.known.in_flight(*secrets_among(values)):
                    sent = await send_for_token(self.egress, connector, connector.refresh.request, request, login=False)
        except (ProviderUnavailable, ProviderRateLimited) as error:
            return Renewal(Fate.LATER, row, error.code, error.retry_after_s)
        hear(self.gate, asking, sent)
        return await self._followed(row, sending, connector, sent, host)

    async def _declared(self, row: Revocation, host: str) -> Revocation:
        sending = replace(row, renewal_sent_at=self.clock.now())
        if not await self.revocations.note(sending, records=[self._record(row, "revocation.refresh_sent", "ok", host)]):
            raise RevisionConflict("another process has this revocation")
        if self.stopping.begun:
            record = self._record(row, "revocation.refresh_answered", "not_sent", host)
            await self.revocations.note(row, records=[record])
            raise ServerStopping
        return sending

    async def _followed(
        self, row: Revocation, sending: Revocation, connector: Connector, sent: Sent, host: str
    ) -> Renewal:
        code = sent.error.code if sent.error else "ok"
        found = Renewal(Fate.LATER, row, code, sent.retry_after_s)
        if sent.outcome is SendOutcome.TOKEN and sent.token_set is not None:
            whole = _whole(sent.token_set, row.token_set)
            found = Renewal(Fate.RENEWED, replace(row, token_set=whole, renewal_sent_at=None))
        elif sent.outcome is SendOutcome.REJECTED:
            found = Renewal(Fate.GONE, sending, code)
        elif sent.outcome in _UNKNOWN:
            again = _is_harmless(sending, connector, self.clock.now())
            unknown = Renewal(Fate.IMPOSSIBLE, sending, Cause.OUTCOME_UNKNOWN.value)
            found = replace(found, row=sending) if again else unknown
        elif sent.outcome in _FOR_GOOD or (
            sent.outcome is SendOutcome.UNCLASSIFIED and row.tries + 1 >= REFRESH_TRIES_UNCLASSIFIED
        ):
            found = Renewal(Fate.IMPOSSIBLE, sending, code)
        # The token is in hand: where the row can't be written, the provider is told all the same.
        with suppress(StoreUnavailable):
            record = self._record(row, "revocation.refresh_answered", code, host)
            await self.revocations.note(found.row, records=[record])
        return found

    def _record(self, row: Revocation, action: str, outcome: str, host: str) -> AuditRecord:
        return AuditRecord(
            self.clock.now(),
            action,
            SCHEDULER.name,
            outcome=outcome,
            connector=row.connector,
            connection=row.connection,
            facts={"cause": row.cause.value, "host": host},
            project=row.project,
        )


def _hindrance(row: Revocation, connector: Connector, now: float) -> str | None:
    """Why nothing may be sent that would bring a live token; None where it may."""
    refresh, held = connector.refresh, row.token_set
    usable = refresh.honoured and not refresh.with_token and refresh.strategy is not Strategy.PASSWORD_ONLY
    over = held.refresh_expires_at is not None and now >= held.refresh_expires_at
    if not usable or not held.refresh_token or over or "refresh_token" in kinds_of(row.done):
        return Cause.TOKEN_ENDED.value
    if row.renewal_sent_at is not None and not _is_harmless(row, connector, now):
        return Cause.OUTCOME_UNKNOWN.value
    return None


def _is_harmless(row: Revocation, connector: Connector, now: float) -> bool:
    sent_at = row.renewal_sent_at if row.renewal_sent_at is not None else now
    in_leeway = connector.refresh.leeway_s > 0 and sent_at <= now <= sent_at + connector.refresh.leeway_s
    return connector.refresh.rotation is Rotation.STABLE or in_leeway


def _whole(new: TokenSet, before: TokenSet) -> TokenSet:
    """The new set with what the answer did not repeat."""
    whole = replace(new, kept={**before.kept, **new.kept})
    if whole.refresh_token is not None:
        return whole
    ends = whole.refresh_expires_at if whole.refresh_expires_at is not None else before.refresh_expires_at
    return replace(whole, refresh_token=before.refresh_token, refresh_expires_at=ends)
