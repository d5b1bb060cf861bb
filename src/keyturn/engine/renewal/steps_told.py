"""Writing down the requests that run before the token request of a renewal with the kept password."""

from __future__ import annotations

from dataclasses import dataclass, replace

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.core.errors import RenewalInProgress
from keyturn.engine.actor import Actor
from keyturn.engine.before.run_before import Step
from keyturn.engine.challenges.refusals import hear, refuse_while_held
from keyturn.engine.provider_gate import Asking, ProviderGate
from keyturn.engine.renewal.settlement import Settlement
from keyturn.engine.send import Sent


@dataclass(slots=True)
class StepsTold:
    """The watch of a renewal. `connection`: as it was written last, with the intent that was declared for it.

    `asking`: the login that they belong to.
    """

    settlement: Settlement
    gate: ProviderGate
    connection: Connection
    actor: Actor
    asking: Asking

    async def __call__(self, step: Step, sent: Sent | None) -> None:
        """Log that a step is sent, and what it was answered.

        Raises:
            ProviderRateLimited, ProviderUnavailable: its host is not asked now. RenewalInProgress: somebody newer has
            written the connection. StoreUnavailable: what is sent could not be logged.
        """
        if sent is None:
            refuse_while_held(self.gate, self.asking, step.host)
            written = await self.settlement.between(self.connection, self._record(step, "login.step_sent", "ok"))
            if written is None:
                raise RenewalInProgress(retry_after_s=1.0)
            self.connection = written
            return
        hear(self.gate, self.asking, sent, step.host)
        outcome = "challenge_required" if sent.challenge is not None else sent.error.code if sent.error else "ok"
        record = self._record(step, "login.step_answered", outcome)
        self.connection = await self.settlement.between(self.connection, record, after_send=True) or self.connection

    def _record(self, step: Step, action: str, outcome: str) -> AuditRecord:
        record = self.settlement.record(self.connection, action, self.actor, outcome=outcome, host=step.host)
        return replace(record, facts={**record.facts, "step": step.before.name})
