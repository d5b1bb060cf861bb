"""Ending a connection's own session before it logs in, where the provider makes no room by itself.

Rule 1: it stands in the row before anything is sent that a login is on its way; a crash leaves what a login leaves.
Rule 2: a provider that did not hear it hears no password either: the connection stays as it was.
Rule 3: any other answer ends the session as far as anybody can tell: a token that the provider no longer knows is none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.connection import Connection, ConnectionSecrets
from keyturn.core.connector import Connector
from keyturn.core.errors import (
    ProviderRateLimited,
    ProviderTimeout,
    ProviderTlsFailed,
    ProviderUnavailable,
    ProviderUnreachable,
    error_named,
)
from keyturn.core.revocation import RevocationCause
from keyturn.engine.actor import Actor
from keyturn.engine.renewal.settlement import Settlement
from keyturn.engine.revocation.revocation_rows import revocation_row
from keyturn.engine.revocation.revoke import Revoke

_NOT_HEARD: Final = frozenset(
    each.code
    for each in (ProviderUnreachable, ProviderTlsFailed, ProviderTimeout, ProviderUnavailable, ProviderRateLimited)
)


@dataclass(frozen=True, slots=True)
class EndSession:
    """The parts that this needs."""

    revoke: Revoke
    settlement: Settlement

    async def __call__(
        self,
        declared: Connection,
        secrets: ConnectionSecrets,
        connector: Connector,
        actor: Actor,
        *,
        by_person: bool = False,
    ) -> Connection | None:
        """Send step 4, and write down that the session is over.

        Args:
            declared: with the intent of the login that comes next.
            secrets: as they were when it was declared.
            connector: the version that the connection is pinned to.
            actor: who logs in.
            by_person: a provider that was down, or that refuses this application, is asked all the same.

        Returns:
            The connection without its session; None where somebody newer has written it.

        Raises:
            ProviderError: it was not heard; whether the session is over is not known, and no password may follow.
            StoreUnavailable: nothing was sent.
        """
        keep, token_set = self.settlement.keep_tokens, secrets.token_set
        row = revocation_row(
            connector,
            declared,
            token_set,
            RevocationCause.LOGGED_OUT,
            sealed_fields=secrets.fields,
            clock=keep.clock,
            entropy=keep.entropy,
        )
        if row is None or token_set is None:
            return declared
        sending = await self.settlement.between(declared, self.revoke.record(row, "revocation.sent", actor=actor))
        if sending is None:
            return None
        told = await self.revoke.tell(row, connector, last=by_person)
        outcome = told.error or "ok"
        tried = replace(row, tries=1, done=told.done)
        record = self.revoke.record(tried, "revocation.tried", outcome, told.open, actor=actor)
        not_heard = next((code for code in told.open.values() if code in _NOT_HEARD), None)
        if not_heard is not None:
            await self.settlement.between(sending, record, after_send=True)
            raise error_named(not_heard, told.retry_after_s)
        return await self.settlement.session_over(sending, token_set, record)
