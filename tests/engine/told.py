"""What a gate was told, for tests that begin after that."""

from __future__ import annotations

from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind


def asking(host: str, who: str = "cxn_1", kind: RequestKind = RequestKind.REFRESH, connector: str = "acme") -> Asking:
    """One connection that asks there."""
    return Asking(host, kind, connector, who)


def told_to_wait(
    gate: ProviderGate, host: str, seconds: float, *, of: int = 3, kind: RequestKind = RequestKind.REFRESH
) -> None:
    """So many were asked to wait: of three on, the host is held for all of that class."""
    for number in range(of):
        gate.heard(asking(host, f"other-{number}", kind), SendOutcome.RATE_LIMITED, asked_s=seconds)


def went_down(gate: ProviderGate, host: str, *, times: int = 5) -> None:
    """So many could not reach it, one after the other."""
    for number in range(times):
        gate.heard(asking(host, f"other-{number}"), SendOutcome.NOT_SENT, asked_s=None)


def set_up_refused(gate: ProviderGate, connector: str, code: str = "connector_client_rejected") -> None:
    """Three connections of a connector version were refused alike: that is an alarm."""
    for number in range(3):
        one = Asking("auth.acme.example", RequestKind.REFRESH, connector, f"other-{number}", client="1 client")
        gate.heard(one, SendOutcome.SETUP_WRONG, code=code, asked_s=None)
