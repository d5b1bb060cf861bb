"""What a door can do with the audit log, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from keyturn.engine.audit.export import ExportAudit
from keyturn.engine.audit.keeping import AuditKeeper
from keyturn.engine.audit.reading import ReadAudit
from keyturn.engine.audit.verify import VerifyAudit
from keyturn.ports.audit import AnchorFile, AuditChain, RecordSink
from keyturn.ports.clock import Clock
from keyturn.ports.lease import Lease
from keyturn.ports.store import AuditLog, ConnectionStore


@dataclass(frozen=True, slots=True)
class AuditSettings:
    """Where heads are anchored, where records are sent, and how long they are kept (seconds); None: not at all."""

    anchor_file: AnchorFile | None = None
    sink: RecordSink | None = None
    retention_s: float | None = None


@dataclass(frozen=True, slots=True)
class Auditing:
    """The use cases over one chain."""

    chain: AuditChain
    read: ReadAudit
    verify: VerifyAudit
    export: ExportAudit
    keeper: AuditKeeper


def make_auditing(
    chain: AuditChain,
    audit: AuditLog,
    connections: ConnectionStore,
    lease: Lease,
    clock: Clock,
    settings: AuditSettings,
) -> Auditing:
    """Put them together."""
    return Auditing(
        chain,
        ReadAudit(chain, audit, clock),
        VerifyAudit(chain, connections, settings.anchor_file, clock),
        ExportAudit(chain, audit, clock),
        AuditKeeper(chain, clock, lease, anchor_file=settings.anchor_file, sink=settings.sink),
    )
