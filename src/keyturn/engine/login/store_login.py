"""The second half of a login: the token is here; prove it, say whose it is, and store it, or revoke it.

Two sign-ups of one account at one moment end in one connection: the store's unique index decides, and the loser
looks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from keyturn.core.answers.test_verdict import test_values
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Event, State, TestRecord, advance
from keyturn.core.connector import Connector, Keep, OnDuplicate
from keyturn.core.errors import (
    ConnectionDisconnected,
    ConnectionExists,
    ConnectionTestFailed,
    GenerationConflict,
    IdentityMismatch,
    KeyturnError,
    MfaUnsupported,
    NotFound,
    ProviderBadResponse,
    RowUnreadable,
    SealBroken,
    StoreUnavailable,
    UniqueIdMissing,
    ValidationFailed,
    ValueAbsent,
)
from keyturn.core.field_values import origin_of
from keyturn.core.renewal.plan import can_refresh, refresh_ends
from keyturn.core.renewal.retry import back_off_s
from keyturn.core.requests.request_url import render_url
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.templates import Template
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.before.own_values import own_names
from keyturn.engine.login.login_request import Checked, LoginRequest
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.keep import KeepTokens
from keyturn.engine.revocation.revocation_rows import revocation_row, without_live
from keyturn.engine.revocation.unopened import NOT_POSSIBLE, above
from keyturn.engine.template_values import (
    answered_hosts,
    challenge_urls,
    client_values,
    dotted_names,
    login_requests,
    token_values,
)
from keyturn.engine.test_connection import TestCalls
from keyturn.ports.store import (
    ClientCredentials,
    ConnectionStore,
    DuplicateAccount,
    RevisionConflict,
    RevocationStore,
    SealedChange,
)

NAME_MAX_CHARS: Final = 120
UNIQUE_ID_MAX_CHARS: Final = 512
WRITE_TRIES: Final = 20
STORE_TRIES: Final = 3

log = structlog.get_logger("keyturn.connect")


@dataclass(frozen=True, slots=True)
class Login:
    """A login that a provider accepted."""

    connector: Connector
    version: int
    client: ClientCredentials | None
    owner: str
    token_set: TokenSet
    fields: Mapping[str, Any] = field(repr=False)  # all of them, the one-time ones too
    plain: Mapping[str, Any] = field(repr=False)
    sealed: Mapping[str, Secret] = field(repr=False)
    username: Secret | None
    password: Secret | None
    token_host: str
    reconnects: str | None = None
    allow_account_change: bool = False
    unconfirmed: bool = False
    totp_step: int | None = None  # the last whose code was sent
    account: str | None = None  # as `Connection` has it
    project: str = "default"


def login_from(
    request: LoginRequest,
    checked: Checked,
    token_set: TokenSet,
    host: str,
    totp_step: int | None,
    account: str | None = None,
) -> Login:
    """The login that a provider accepted; `host`: where its token request went."""
    kept = {each.key: each.keep for each in checked.connector.fields}
    kept |= dict.fromkeys(own_names(checked.connector), Keep.SEALED)
    return Login(
        connector=checked.connector,
        version=checked.version,
        client=checked.client,
        owner=request.owner,
        token_set=token_set,
        fields=checked.fields,
        plain={k: v for k, v in checked.fields.items() if kept[k] is Keep.PLAIN},
        sealed={k: _as_secret(v) for k, v in checked.fields.items() if kept[k] is Keep.SEALED},
        username=Secret(request.username) if checked.keep_password else None,
        password=request.password if checked.keep_password else None,
        token_host=host,
        reconnects=request.reconnects,
        allow_account_change=request.allow_account_change,
        unconfirmed=request.unconfirmed,
        totp_step=totp_step,
        account=account,
        project=request.project,
    )


def _as_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    return Secret("true" if value is True else "false" if value is False else str(value))


@dataclass(frozen=True, slots=True)
class Identity:
    """Which account it is, and how people call it."""

    unique_id: str
    name: str
    tested: TestRecord


@dataclass(frozen=True, slots=True)
class StoreLogin:
    """The ports and parts that this needs."""

    connections: ConnectionStore
    revocations: RevocationStore
    published: PublishedConnectors
    tests: TestCalls
    keep_tokens: KeepTokens

    async def __call__(self, login: Login, actor: Actor) -> tuple[Connection, bool]:
        """Test, identify and store; returns the connection and whether it is new.

        Raises:
            ConnectionTestFailed, UniqueIdMissing, ConnectionExists, IdentityMismatch, GenerationConflict,
                ProviderBadResponse: the token set is handed to revocation first.
        """
        written = [self.keep_tokens.entropy.identifier("cxn")]  # the id of a new one, then those that were written to
        try:
            identity = await self._identify(login)
            return await self._write(login, identity, written, actor)
        except KeyturnError as error:
            await self._revoke_refused(login, error, written, actor)
            raise
        except Exception:
            # A bug of ours leaves no token behind that nobody knows.
            await self._revoke_refused(login, KeyturnError(), written, actor)
            raise

    async def _identify(self, login: Login) -> Identity:
        if not answered_hosts(login.connector) <= login.token_set.kept.keys():
            message = "The provider named no host, or one that the connector doesn't list."
            raise ProviderBadResponse(message, extensions={"reason": "host_not_listed"})
        values = {**login.fields, **client_values(login.client), **token_values(login.token_set)}
        proof = await self.tests.prove(login.connector, values, login.client)
        if not proof.passed or proof.answer is None:
            extensions: dict[str, Any] = {"provider": {"status": proof.status}, "cause": proof.cause}
            raise ConnectionTestFailed(extensions=extensions)
        values["test"] = test_values(proof.answer)
        unique_id = unique_id_of(login.connector, values)
        tested = TestRecord(self.keep_tokens.clock.now(), True, proof.status)
        return Identity(unique_id, name_of(login.connector, values, unique_id), tested)

    async def _write(
        self, login: Login, identity: Identity, written: list[str], actor: Actor
    ) -> tuple[Connection, bool]:
        failures = 0
        for _ in range(WRITE_TRIES):
            try:
                # Of a write whose word was lost nobody knows whether it took place.
                if failures and (stored := await self._stored(login, written)) is not None:
                    return stored, stored.id == written[0]
                target = await self._target(login, identity)
                if target is None:
                    return await self._insert(login, identity, written[0], actor), True
                written.append(target)
                return await self._replace(login, identity, target, actor), False
            except (DuplicateAccount, RevisionConflict):
                continue  # somebody was faster: look again
            except StoreUnavailable:
                failures += 1
                if failures > STORE_TRIES:
                    raise
                await self._wait(failures)
        raise GenerationConflict

    async def _wait(self, failures: int) -> None:
        clock, entropy = self.keep_tokens.clock, self.keep_tokens.entropy
        await clock.sleep(back_off_s(failures, fraction=entropy.fraction()))

    async def _stored(self, login: Login, written: list[str]) -> Connection | None:
        """The connection that has this login's token set already, if one does."""
        for connection_id in written:
            opened = await self._opened(connection_id, login.project)
            if opened is not None and opened[1] is not None and opened[1].token_set == login.token_set:
                return opened[0]
        return None

    async def _target(self, login: Login, identity: Identity) -> str | None:
        """The connection that this login goes on, or None for a new one."""
        connector = login.connector
        same: str | None = None
        if connector.on_duplicate is not OnDuplicate.ALLOW:
            same = await self.connections.find_account(
                connector.id, login.owner, identity.unique_id, project=login.project
            )
        if login.reconnects is None:
            if same is not None and connector.on_duplicate is OnDuplicate.REJECT:
                raise ConnectionExists(extensions={"connection_id": same})
            return same
        wanted = await self.connections.shown(login.reconnects, project=login.project)
        if wanted is None or (wanted.connector, wanted.owner) != (connector.id, login.owner):
            raise NotFound("There is no such connection.")
        if wanted.ended:
            raise ConnectionDisconnected
        if wanted.unique_id != identity.unique_id and same != wanted.id:  # the row's own word may not be readable
            if not login.allow_account_change:
                raise IdentityMismatch
            if same is not None and same != wanted.id:
                raise ConnectionExists(extensions={"connection_id": same})
        return wanted.id

    async def _insert(self, login: Login, identity: Identity, new_id: str, actor: Actor) -> Connection:
        clock = self.keep_tokens.clock
        now = clock.now()
        connection = replace(
            self._with_login(login, identity, None, now),
            id=new_id,
            unconfirmed=login.unconfirmed,
            unique=login.connector.on_duplicate is not OnDuplicate.ALLOW,
        )
        secrets = ConnectionSecrets(login.token_set, login.username, login.password, dict(login.sealed))
        record = self._record(connection, "connection.created", actor)
        return await self.connections.insert(connection, secrets, records=[record])

    async def _replace(self, login: Login, identity: Identity, target: str, actor: Actor) -> Connection:
        opened = await self._opened(target, login.project)
        if opened is None or opened[0].ended:
            raise RevisionConflict
        current, secrets = opened
        if secrets is None:
            return await self._replace_unopened(login, identity, current, actor)
        if not login.connector.generate:  # what belongs to an id that was made for this login is of no use to another
            older = {name: secrets.fields[name] for name in login.connector.remember if name in secrets.fields}
            login = replace(login, sealed={**older, **login.sealed})
        connection = self._with_login(login, identity, current, self.keep_tokens.clock.now())
        row = revocation_row(
            await self._version_of(current, login),
            current,
            without_live(secrets.token_set, login.token_set),
            RevocationCause.REPLACED,
            sealed_fields=secrets.fields,
            clock=self.keep_tokens.clock,
            entropy=self.keep_tokens.entropy,
        )
        return await self.connections.save(
            connection,
            sealed=SealedChange(login.token_set, login.username, login.password, dict(login.sealed)),
            records=[self._record(connection, "connection.reconnected", actor)],
            revocations=[row] if row else [],
        )

    async def _opened(self, connection_id: str, project: str) -> tuple[Connection, ConnectionSecrets | None] | None:
        """The connection, and what it keeps; None for that where it can't be opened: a login needs none of it."""
        try:
            return await self.connections.open(connection_id, project=project)
        except (RowUnreadable, SealBroken):
            shown = await self.connections.shown(connection_id, project=project)
            return None if shown is None else (shown, None)

    async def _replace_unopened(
        self, login: Login, identity: Identity, current: Connection, actor: Actor
    ) -> Connection:
        """Put a login in the place of what can't be opened or read: same id, new data key.

        The provider can't be told of the tokens that were there: nobody knows them. The record says so.
        """
        connection = self._with_login(login, identity, current, self.keep_tokens.clock.now())
        record = self._record(connection, "connection.reconnected", actor)
        record = replace(record, facts={**record.facts, "revocation": NOT_POSSIBLE})
        if current.state is State.UNREADABLE:
            connection = replace(above(connection, current), owner=login.owner, connector=login.connector.id)
            unique = login.connector.on_duplicate is not OnDuplicate.ALLOW
            kept = ConnectionSecrets(login.token_set, login.username, login.password, dict(login.sealed))
            return await self.connections.mend(replace(connection, unique=unique), kept, records=[record])
        change = SealedChange(login.token_set, login.username, login.password, dict(login.sealed), anew=True)
        return await self.connections.save(connection, sealed=change, records=[record])

    async def _version_of(self, current: Connection, login: Login) -> Connector:
        """The version that says how the replaced token set is revoked: its own."""
        try:
            return await self.published.version(current.connector, current.connector_version, project=current.project)
        except NotFound:
            return login.connector

    def _with_login(self, login: Login, identity: Identity, current: Connection | None, now: float) -> Connection:
        base = current or Connection(
            id="",
            connector=login.connector.id,
            connector_version=login.version,
            owner=login.owner,
            name=identity.name,
            unique_id=identity.unique_id,
            created_at=now,
            updated_at=now,
            generation=0,
            project=login.project,
            state_since=now,
        )
        token_set, generation = login.token_set, base.generation + 1
        fresh = replace(
            base,
            connector_version=login.version,
            name=identity.name,
            unique_id=identity.unique_id,
            state=advance(base.state, Event.LOGGED_IN),
            reason=None,
            generation=generation,
            intent=None,
            token_issued_at=token_set.issued_at,
            expires_at=token_set.expires_at,
            refreshable=can_refresh(token_set, login.connector),
            refresh_expires_at=refresh_ends(token_set, login.connector),
            refresh_end_fixed=False,
            password_kept_at=now if login.password is not None else None,
            password_rejected=False,
            fields=dict(login.plain),
            sealed_fields=tuple(sorted(login.sealed)),
            hosts=self._hosts(login),
            last_error=None,
            last_error_at=None,
            failures_in_a_row=0,
            last_test=identity.tested,
            worked_generation=generation,
            totp_step=max(login.totp_step or 0, base.totp_step or 0) or None,
            unconfirmed=login.unconfirmed and (base.unconfirmed or not _usable(base, now)),
            account=login.account,
            updated_at=now,
        )
        return replace(fresh, renews_at=self.keep_tokens.due(fresh, login.connector))

    def _hosts(self, login: Login) -> tuple[str, ...]:
        """Where requests that carry a password or a refresh token may go from now on."""
        connector = login.connector
        urls = [*(each.url for each in login_requests(connector)), connector.refresh.request.url]
        urls += challenge_urls(connector)
        urls += [each.request.url for each in connector.revokes]
        hosts = {login.token_host}
        values = {**login.fields, "token": login.token_set.kept}  # a host may have come with the token
        for url in urls:
            # A host of values that are not there (any more) is none that anything may be sent to.
            with suppress(ValueAbsent, ValidationFailed):
                hosts.add(urlsplit(render_url(origin_of(url), values, dotted=dotted_names(connector))).netloc)
        return tuple(sorted(hosts))

    async def revoke_weaker(self, login: Login, actor: Actor, *, not_before: float | None = None) -> str | None:
        """Hand a token set that is not to be kept to revocation; returns the revocation's id, None without one.

        `not_before`: Unix seconds, where the login still shows the token; None: at once.
        """
        row, record = self._refused_row(login, MfaUnsupported(), actor)
        if row is None:
            return None
        if not_before is not None:
            row = replace(row, due_at=not_before)
        return row.id if await self._hand_over(login, row, record, None) else None

    async def _revoke_refused(self, login: Login, error: KeyturnError, written: list[str], actor: Actor) -> None:
        row, record = self._refused_row(login, error, actor)
        stored = written if isinstance(error, StoreUnavailable) else None
        if row is not None and not await self._hand_over(login, row, record, stored):
            # The first error is what the person has to hear; the token lapses at its own end.
            error.extensions["revocation"] = "not_possible"

    def _refused_row(self, login: Login, error: KeyturnError, actor: Actor) -> tuple[Revocation | None, AuditRecord]:
        clock, entropy = self.keep_tokens.clock, self.keep_tokens.entropy
        now = clock.now()
        nobody = replace(
            Connection("", login.connector.id, login.version, login.owner, "", "", now, now),
            hosts=self._hosts(login),
            fields=dict(login.fields),
            project=login.project,
        )
        row = revocation_row(
            login.connector,
            nobody,
            login.token_set,
            RevocationCause.REFUSED,
            sealed_fields={},
            clock=clock,
            entropy=entropy,
            stored=False,
        )
        return row, replace(self._record(nobody, "login.refused", actor), outcome=error.code, connection=None)

    async def _hand_over(self, login: Login, row: Revocation, record: AuditRecord, written: list[str] | None) -> bool:
        """Add the revocation; False where the store does not take it. `written`: where the tokens may be live."""
        for failures in range(1, STORE_TRIES + 2):
            try:
                if written is not None and await self._stored(login, written) is not None:
                    return True  # it was stored after all: these tokens are live
                await self.revocations.add(row, records=[record])
                return True
            except KeyturnError:
                if failures <= STORE_TRIES:
                    await self._wait(failures)
        log.warning("refused_login_not_revoked", connector=login.connector.id)
        return False

    def _record(self, connection: Connection, action: str, actor: Actor) -> AuditRecord:
        return connection_record(
            connection,
            self.keep_tokens.clock.now(),
            action,
            actor,
            facts={"generation": connection.generation, "version": connection.connector_version},
        )


def _usable(connection: Connection, now: float) -> bool:
    """Whether a login adds nothing to what the owner's calls may do: they go on without it.

    Of any other connection whose it is has to be said again: whoever logs in may not be who logged in before. A
    backend that logs in itself (`login.unconfirmed` is false) has nothing to confirm.
    """
    renews = connection.refreshable or connection.password_kept_at is not None
    return connection.state is State.ACTIVE and (renews or not connection.token_over(now))


def unique_id_of(connector: Connector, values: Mapping[str, Any]) -> str:
    """Step 8: which account it is; UniqueIdMissing where a part of it is empty or no scalar."""
    try:
        found = connector.unique_id.render(values)
        # Not one part may be empty: "production:" would be everybody's.
        parts = [Template("", (each,)).render(values) for each in connector.unique_id.references()]
    except ValueAbsent:
        raise UniqueIdMissing from None
    if any(not isinstance(each, str) or not each.strip() for each in parts):
        raise UniqueIdMissing
    text = found.strip() if isinstance(found, str) else ""
    if not text or len(text) > UNIQUE_ID_MAX_CHARS:
        raise UniqueIdMissing
    return text


def name_of(connector: Connector, values: Mapping[str, Any], unique_id: str) -> str:
    """Step 6: the connection's name, length-capped, without control characters, never empty."""
    try:
        found = connector.connection_name.render({**values, "unique_id": unique_id})
    except ValueAbsent:
        found = ""
    text = "".join(c for c in found if c.isprintable()).strip() if isinstance(found, str) else ""
    text = text or f"{connector.title} ({unique_id})"
    return text if len(text) <= NAME_MAX_CHARS else text[: NAME_MAX_CHARS - 1] + "…"
