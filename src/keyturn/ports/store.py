"""Where things rest. The promises are written as tests: `tests/contracts/*_contract.py`.

Rule 1: every write is one transaction, and carries the audit records that tell of it and the revocations that follow
from it, so that neither can be lost alone.
Rule 2: writers of one connection are kept apart by compare-and-set on its `revision`; the loser reads again.
Rule 3: `Secret` values go in and come out in the clear; an adapter never lets one rest unsealed.
Rule 4: no method waits for anything but the database. A database that is gone raises StoreUnavailable.
Times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, State
from keyturn.core.connector import Connector, LoginLimits
from keyturn.core.errors import GenerationConflict
from keyturn.core.renewal.attention import AttentionBounds
from keyturn.core.revocation import Revocation
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.ports.client_assertions import ClientAssertions


class Unchanged(Enum):
    """Says of a sealed part that a write leaves it as it is."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


class DuplicateAccount(Exception):
    """Another connection of this owner and connector has this unique id. Holds its id."""

    def __init__(self, connection_id: str) -> None:
        super().__init__("the account is connected already")
        self.connection_id = connection_id


class RevisionConflict(GenerationConflict):
    """Somebody else wrote the row first; nothing was changed."""

    code = "generation_conflict"


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list, newest first; `next_cursor` is None on the last."""

    items: tuple[Connection, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectionFilter:
    """Which connections a list shows; None means any. `state` is a state as shown (paused and unconfirmed too)."""

    connector: str | None = None
    owner: str | None = None
    state: str | None = None
    connectors: frozenset[str] | None = None  # what an API key is limited to
    owners: frozenset[str] | None = None  # the same
    not_ended: bool = False  # leaves out those that are disconnected or about to be
    reason: str | None = None  # why those that need the person do
    unique_id: str | None = None  # the account at the provider, exactly
    account: str | None = None  # the keyed hash of host and username that it last logged in with
    search: str | None = None  # what id, owner or name begins with; of a name A to Z count as a to z
    error: str | None = None  # the reason, or where there is none the code of the last failure
    attention: AttentionBounds | None = None  # active, and yet something is wrong, by these bounds
    ends_before: float | None = None  # active, nothing is kept that could renew it, and its token ends before
    renews_before: float | None = None  # the next renewal is due before this time


@dataclass(frozen=True, slots=True)
class SealedChange:
    """What a write does to the sealed parts; None forgets one.

    `anew`: all of them are given, and sealed under a new data key: what was sealed before can't be opened.
    """

    token_set: TokenSet | Unchanged | None = UNCHANGED
    username: Secret | Unchanged | None = UNCHANGED
    password: Secret | Unchanged | None = UNCHANGED
    fields: dict[str, Secret] | Unchanged | None = field(default=UNCHANGED, repr=False)
    anew: bool = False


NOTHING_SEALED = SealedChange()


@dataclass(frozen=True, slots=True)
class Use:
    """That a connection was used. `at`: Unix seconds; `worked_generation`: the API accepted this one's token.

    `calls`: how many calls the API answered since the last note, and how many of them it `failed`.
    """

    at: float
    worked_generation: int | None = None
    calls: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class Due:
    """What the scheduler knows of a row before it is read.

    `held`: paused or unconfirmed. `used_at`: when it was last called, or made; None where the row doesn't tell.
    `open_still`: a send of it has no outcome yet. Times are Unix seconds.
    """

    id: str
    project: str
    connector: str
    generation: int
    held: bool = False
    used_at: float | None = None
    open_still: bool = False
    refresh_expires_at: float | None = None


class ConnectionStore(Protocol):
    """Connections, and what follows from writing one."""

    async def insert(
        self, connection: Connection, secrets: ConnectionSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Connection:
        """Add a connection; raise DuplicateAccount where `unique` and one with the same unique id is not ended."""
        ...

    async def load(self, connection_id: str, *, project: str = "default") -> Connection | None:
        """Read without opening anything sealed; RowUnreadable where this row can't be read."""
        ...

    async def shown(self, connection_id: str, *, project: str = "default") -> Connection | None:
        """Read as `list` does: of a row that can't be read what can, with the state `unreadable`."""
        ...

    async def open(
        self, connection_id: str, *, project: str = "default"
    ) -> tuple[Connection, ConnectionSecrets] | None:
        """Read and unseal. Afterwards this process can seal for the connection even if the key provider goes away.

        RowUnreadable, SealBroken: this connection alone can't be; ending it and a new login open nothing.
        """
        ...

    async def save(
        self,
        connection: Connection,
        *,
        sealed: SealedChange = NOTHING_SEALED,
        records: Sequence[AuditRecord] = (),
        revocations: Sequence[Revocation] = (),
    ) -> Connection:
        """Write over the row that has `connection.revision`; return it with the next one, or raise RevisionConflict.

        A token set is sealed for `connection.generation`. `state_since` becomes `updated_at` where state or reason are
        not what they were, and else stays, whatever is handed in. A row that was set aside is so no more. Also raises
        DuplicateAccount, as `insert`.
        """
        ...

    async def mend(
        self, connection: Connection, secrets: ConnectionSecrets, *, records: Sequence[AuditRecord] = ()
    ) -> Connection:
        """Write anew over a row that can't be read, all of it, under a new data key.

        Nothing that stood there is read or kept. Raises RevisionConflict where there is no such row, or it can be read.
        """
        ...

    async def park(
        self, connection_id: str, why: str, *, at: float, project: str = "default", revision: int | None = None
    ) -> bool:
        """Set a row aside: the scheduler looks at it no more. Moves no revision.

        `why`: the code of the error. One that is said to be unreadable has to be it; `revision`: only while it is this.
        """
        ...

    async def unpark(self, connection_id: str | None = None) -> int:
        """Put back what was set aside and can be read, one or all; returns how many. Moves no revision."""
        ...

    async def find_account(self, connector: str, owner: str, unique_id: str, *, project: str = "default") -> str | None:
        """The id of the connection, not ended and `unique`, that has this account."""
        ...

    async def list(self, which: ConnectionFilter, *, cursor: str | None, limit: int, project: str = "default") -> Page:
        """List without opening anything sealed; a cursor that is none of ours raises ValidationFailed.

        Of a row that can't be read what can is shown, with the state `unreadable`.
        """
        ...

    async def count(self, which: ConnectionFilter, *, project: str = "default") -> int:
        """How many `list` would show on all its pages."""
        ...

    async def looks(self, now: float, *, room: Mapping[str, int], most: int, limit: int) -> Sequence[Due]:
        """Rows that are to be looked at, and that nobody who lives has the lease of.

        Of each connector the longest overdue, as many as `room` says (0: none), `most` where it says nothing; dealt out
        in turn, `limit` in all; those first whose refresh token ends within the hour.
        """
        ...

    async def move_looks(self, moves: Mapping[str, tuple[int, float]], *, due_by: float) -> None:
        """Look at these later, by id: of which generation, and when. Moves no revision.

        Nothing happens to a row of another generation, nor to one that was to be looked at after `due_by` anyway.
        """
        ...

    async def counts(self, *, project: str = "default") -> dict[tuple[str, State], int]:
        """How many connections each connector has in each state."""
        ...

    async def active_versions(self, *, project: str = "default") -> Sequence[tuple[str, int]]:
        """The connectors and versions of connections that are shown as active, each once, in their order."""
        ...

    async def versions(self, connector: str, *, project: str = "default") -> dict[int, int]:
        """How many connections of a connector, not ended, are on each of its versions."""
        ...

    async def note_uses(self, uses: Mapping[str, Use]) -> None:
        """Note by id when it was last called, never back in time; adds calls to the hour of `at`. Moves no revision."""
        ...

    async def purge(self, *, disconnected_before: float) -> int:
        """Take tombstones away that are older, and the hours of calls; returns how many tombstones."""
        ...


class Spill(Protocol):
    """A token set that could not be stored, kept in a sealed file until it can (0600, fsync)."""

    async def write(self, connection: Connection, token_set: TokenSet) -> None:
        """Keep the set that follows `connection.generation`; needs no key provider after `open`."""
        ...

    async def pending(self) -> Sequence[tuple[str, int, TokenSet]]:
        """Connection id, the generation that the set follows, and the set."""
        ...

    async def forget(self, connection_id: str, generation: int) -> None:
        """Drop a set that was applied or is outdated."""
        ...


class RevocationStore(Protocol):
    """Revocations that are due or will be."""

    async def add(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one that belongs to no write of a connection."""
        ...

    async def due(self, now: float, *, limit: int) -> Sequence[Revocation]:
        """Those to try now that nobody sends, oldest first. One that can't be read or opened is set aside."""
        ...

    async def of_connection(self, connection_id: str) -> Sequence[Revocation]:
        """Those still open of one connection, claimed or not. One that can't be read or opened is set aside."""
        ...

    async def claim(
        self, revocation_id: str, *, now: float, for_s: float, records: Sequence[AuditRecord] = ()
    ) -> Revocation | None:
        """Say that this process sends it, for so long; return it as it is now.

        None where it is gone, set aside, or another process that may live has said so: of several, one gets it.
        """
        ...

    async def withdraw(self, revocation_id: str, *, records: Sequence[AuditRecord] = ()) -> None:
        """It was claimed here and not sent."""
        ...

    async def note(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> bool:
        """Write its token set and `renewal_sent_at`, and keep the claim; False, and nothing, where it is not ours."""
        ...

    async def save(self, revocation: Revocation, *, records: Sequence[AuditRecord] = ()) -> None:
        """Write tries, done, due time and error of a later try, and give up the claim.

        Nothing of one that is gone or that another has claimed; the records all the same.
        """
        ...

    async def parked(self, connection_id: str | None = None) -> int:
        """How many are set aside, of all or of one connection."""
        ...

    async def unpark(self, revocation_id: str | None = None) -> int:
        """Let one that was set aside, or all of them, be tried again; returns how many."""
        ...

    async def drop_parked(self, now: float) -> Sequence[str]:
        """Take those away that are set aside and to be given up by now; returns their ids."""
        ...

    async def remove(self, revocation_id: str, *, records: Sequence[AuditRecord] = ()) -> None:
        """Done or given up: the tokens are gone with the row."""
        ...


@dataclass(frozen=True, slots=True)
class Draft:
    """A connector being written: the author's text, byte for byte, and what it says."""

    connector: Connector
    source: str
    updated_at: float
    revision: int


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """A version: the connector with all defaults resolved, its source and its digest (SHA-256, hex).

    `published_by`: the actor's name; empty where that was before it was written down. `note`: what they said of it.
    """

    connector: Connector
    version: int
    digest: str
    source: str
    published_at: float
    published_by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ConnectorSummary:
    """A connector in a list. `client_id_set`: the operator has registered the application."""

    id: str
    title: str
    latest_version: int | None
    has_draft: bool
    client_id_set: bool
    updated_at: float


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The application registered with the provider.

    `assertions`: signs with the secret, where that is a private key; it is not stored.
    """

    client_id: str
    client_secret: Secret | None
    assertions: ClientAssertions | None = field(default=None, compare=False, repr=False)


class ConnectorStore(Protocol):
    """Connectors: one draft each, and numbered versions, of which only the advice is ever corrected."""

    async def put_draft(
        self,
        connector: Connector,
        source: str,
        *,
        at: float,
        expected_revision: int | None = None,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> tuple[Draft, bool]:
        """Write the draft; True if the connector is new. VersionConflict if `expected_revision` is not the draft's.

        0 is that of a draft that is not there.
        """
        ...

    async def draft(self, connector_id: str, *, project: str = "default") -> Draft | None:
        """The draft, if any; publishing leaves it in place."""
        ...

    async def publish(
        self, connector: Connector, source: str, digest: str, *, at: float, by: str = "", note: str = "",
        records: Sequence[AuditRecord] = (), project: str = "default",
    ) -> PublishedVersion:  # fmt: skip
        """Add the next version; the same digest as the newest version gives that one back and adds nothing."""
        ...

    async def correct(
        self,
        read: PublishedVersion,
        connector: Connector,
        source: str,
        digest: str,
        *,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> PublishedVersion:
        """Write over what `read` says; number, day of publishing, who did and their note are kept.

        What may differ is the caller's to judge. VersionConflict where the version is not as it was read.
        """
        ...

    async def version(
        self, connector_id: str, version: int | None = None, *, project: str = "default"
    ) -> PublishedVersion | None:
        """One version, the newest where no number is given."""
        ...

    async def list(self, *, project: str = "default") -> Sequence[ConnectorSummary]:
        """All of them, by id."""
        ...

    async def set_client(
        self,
        connector_id: str,
        credentials: ClientCredentials,
        *,
        at: float,
        records: Sequence[AuditRecord] = (),
        project: str = "default",
    ) -> None:
        """Seal the client id and secret for a connector; NotFound if there is none."""
        ...

    async def client(self, connector_id: str, *, project: str = "default") -> ClientCredentials | None:
        """Open them."""
        ...


@dataclass(frozen=True, slots=True)
class Attempt:
    """A login that may be sent now. `tries_left`: how many more may fail in this window, after this one."""

    id: str
    tries_left: int


class AttemptResult(Enum):
    """How a login ended, as the budget counts it."""

    FAILED = "failed"  # rejected, unanswered or unclassified
    SUCCEEDED = "succeeded"  # resets the failures
    NOT_SENT = "not_sent"  # as if it had not been
    CHALLENGED = "challenged"  # the provider asked for something more, and may have sent the person a message


class LoginLedger(Protocol):
    """How many logins of one account failed, across all processes. `account` is an HMAC, never a name."""

    async def reserve(
        self,
        account: str,
        *,
        now: float,
        limits: LoginLimits,
        successes: LoginLimits,
        challenges: LoginLimits,
        records: Sequence[AuditRecord] = (),
    ) -> Attempt | float | None:
        """Book a login before it is sent; `records` are written where it is booked.

        `limits`: of those that failed; `successes` and `challenges`: of those that ended so.

        Returns:
            The attempt; or the seconds to wait, where a budget is spent; or None where what was so far and the
            logins under way could together spend one: ask again in a moment. A login under way for over 60 s (its
            process died) counts as failed.
        """
        ...

    async def settle(self, attempt: Attempt, result: AttemptResult, *, records: Sequence[AuditRecord] = ()) -> int:
        """Say how it ended; returns how many more may fail in this window."""
        ...

    async def purge(self, *, now: float) -> int:
        """Take away what counts in no window any more; returns how many."""
        ...

    async def account_key(self, connector: str, host: str, username: str, *, project: str = "default") -> str:
        """The keyed hash under which an account is counted (username trimmed and in lower case by the caller)."""
        ...


class AuditLog(Protocol):
    """What happened, append-only."""

    async def append(self, records: Sequence[AuditRecord]) -> None:
        """Add records that belong to no other write."""
        ...

    async def append_read(self, record: AuditRecord, *, since: float) -> bool:
        """Add a record of a read, unless its actor has one from `since` (Unix seconds) on; says whether.

        Of several processes that add one at the same moment, one does.
        """
        ...

    async def list(
        self,
        *,
        connection: str | None = None,
        kind: RecordKind | None = None,
        cursor: str | None = None,
        limit: int = 50,
        project: str = "default",
    ) -> tuple[Sequence[tuple[int, AuditRecord]], str | None]:
        """Newest first, with their sequence numbers, and the next cursor; `kind` is judged as `is_of` does."""
        ...

    async def newest(self) -> int:
        """The sequence number of the newest record of any project; 0 where there is none."""
        ...

    async def since(self, seq: int, *, limit: int) -> Sequence[tuple[int, AuditRecord]]:
        """The records after this number, of every project, oldest first; none is added before one that was read."""
        ...


@dataclass(frozen=True, slots=True)
class ConnectSession:
    """One attempt of a person to make or repair a connection by a page.

    `link_digest`, `browser_digest`, `code_digest`: SHA-256, hex, of the link's secret, the claiming browser's cookie
    and the one-time code for the embedder; nobody can get in with what is stored. `state`: `open`, `claimed`,
    `done`, `failed`, `confirmed`. `reconnects`: the connection that a reconnect link repairs.
    """

    id: str
    connector: str
    owner: str
    link_digest: str
    created_at: float
    expires_at: float
    state: str = "open"
    return_url: str | None = None
    app_name: str = ""
    owner_label: str = ""
    reconnects: str | None = None
    browser_digest: str | None = None
    code_digest: str | None = None
    connection: str | None = None
    created_by: str = ""
    revision: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    project: str = "default"

    @property
    def origin(self) -> str | None:
        """Of the page that opened the link in a popup; None where it was opened in the whole window."""
        return self.facts.get("origin")

    @property
    def makes_another(self) -> bool:
        """Whether the person decided, at a reconnect link, to make a connection with another account instead."""
        return bool(self.facts.get("makes_another"))

    def has_left(self, challenge_id: str) -> bool:
        """Whether the person went back to the sign-in from this challenge: nothing may come of it any more."""
        return challenge_id in self.facts.get("left", ())


class SessionStore(Protocol):
    """Connect sessions."""

    async def add(self, session: ConnectSession, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one."""
        ...

    async def load(self, session_id: str, *, project: str = "default") -> ConnectSession | None:
        """Read one."""
        ...

    async def find_link(self, link_digest: str) -> ConnectSession | None:
        """Read one by its link."""
        ...

    async def find_open_reconnect(self, connection_id: str, *, now: float) -> ConnectSession | None:
        """A reconnect session of this connection that nobody opened yet and that has not expired."""
        ...

    async def save(self, session: ConnectSession, *, records: Sequence[AuditRecord] = ()) -> ConnectSession:
        """Write over the row that has `session.revision`, or raise RevisionConflict."""
        ...

    async def purge(self, *, expired_before: float) -> int:
        """Take away those that ended earlier, whatever became of them; returns how many."""
        ...
