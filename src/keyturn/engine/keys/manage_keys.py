"""What an operator does with keys: look, add, rotate, retire, destroy what is kept of passwords.

Rule 1: a rotation makes the key current at once, for new writes, and moves what is there by a job.
Rule 2: nothing here reads a key; it names them by their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.keys.forget_seeds import ForgetSeeds
from keyturn.engine.keys.rewrap import KIND
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.jobs import Job, Jobs
from keyturn.ports.key_custody import KeyCustody, KeyStanding

ADDED: Final = "key.added"
ROTATED: Final = "key.rotated"
RETIRED: Final = "key.retired"
SEED_DESTROYED: Final = "connection.totp_seed_destroyed"
PASSWORD_DESTROYED: Final = "connection.password_destroyed"  # noqa: S105  (an action's name)


@dataclass(frozen=True, slots=True)
class ManageKeys:
    """The ports that these steps need."""

    custody: KeyCustody
    forget_seeds: ForgetSeeds
    jobs: Jobs
    clock: Clock
    entropy: Entropy

    async def list(self) -> Sequence[KeyStanding]:
        """All keys that were ever known, oldest first."""
        return await self.custody.keys()

    async def backup_made_at(self) -> float | None:
        """When the database was backed up last by keyturn, Unix seconds; None where that is not known."""
        return await self.custody.backup_made_at()

    async def rotation(self) -> Job | None:
        """The newest rotation, under way or ended; None where there was none."""
        found, _ = await self.jobs.list(kind=KIND, limit=1)
        return found[0] if found else None

    async def add(self, actor: Actor) -> KeyStanding:
        """Make a key file in the data directory, as a standby; KeyNotMadeHere where KEYTURN_KEYS names the keys."""
        return await self.custody.add(at=self.clock.now(), record=lambda key_id: self._record(ADDED, key_id, actor))

    async def rotate(self, key_id: str, actor: Actor) -> tuple[KeyStanding, Job]:
        """Make a standby current for new writes, and begin to move all data keys to it.

        Of the key that is current already, it begins to move what is left.

        Raises:
            NotFound, KeyStateConflict, WrongKey, KeyUnavailable: nothing changed.
        """
        now = self.clock.now()
        record = self._record(ROTATED, key_id, actor)
        standing = await self.custody.make_current(key_id, at=now, records=[record])
        job = Job(
            id=self.entropy.identifier("job"),
            kind=KIND,
            created_at=now,
            run_at=now,
            arguments={"key": key_id},
            unique=KIND,
            created_by=actor.name,
        )
        return standing, await self.jobs.add(job)

    async def retire(self, key_id: str, actor: Actor) -> KeyStanding:
        """Say that a standby is needed no more; KeyInUse while it wraps anything, else as `rotate`."""
        record = self._record(RETIRED, key_id, actor)
        return await self.custody.retire(key_id, at=self.clock.now(), records=[record])

    async def destroy_passwords(self, actor: Actor) -> tuple[int, int]:
        """Destroy every kept password at once, then every kept TOTP seed; returns how many there were of each.

        Tokens stay and live as long as they do.

        Raises:
            KeyUnavailable: the passwords are gone; seeds may be left, and asking again goes on with them.
        """
        now = self.clock.now()

        def record(connection: Connection, action: str = PASSWORD_DESTROYED) -> AuditRecord:
            return connection_record(connection, now, action, actor)

        passwords = await self.custody.destroy_passwords(at=now, record=record)
        return passwords, await self.forget_seeds(at=now, record=lambda each: record(each, SEED_DESTROYED))

    def _record(self, action: str, key_id: str, actor: Actor) -> AuditRecord:
        return AuditRecord(self.clock.now(), action, actor.name, request_id=actor.request_id, facts={"key": key_id})
