"""Moving one connection to the newest version of its connector: tested on it first, and only if it passes.

Rule 1: a connection that doesn't pass stays as it is, on its version.
Rule 2: nothing is sent but the test call of the new version; a refresh token is not shown to anybody.
Rule 3: what the new version does not allow to be kept is destroyed with the move.

Source: the connector format, "versions"; the interfaces, "Move connections".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from keyturn.core.answers.test_verdict import test_values
from keyturn.core.building.moving import NeedsLogin, later_requests, needs_login, unpinned
from keyturn.core.connection import Connection, ConnectionSecrets, TestRecord
from keyturn.core.connector import Connector, Keep, OnDuplicate, PasswordKeep
from keyturn.core.errors import (
    ConnectionExists,
    ConnectionTestFailed,
    ConnectorInvalid,
    GenerationConflict,
    MigrationNeedsLogin,
    NotFound,
    RenewalInProgress,
    UniqueIdMissing,
    UrlNotAllowed,
    ValidationFailed,
    ValueAbsent,
)
from keyturn.core.renewal.plan import can_refresh, refresh_ends
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.audit.connection_record import connection_record
from keyturn.engine.before.own_values import own_names
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.login.store_login import name_of, unique_id_of
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.keep import KeepTokens
from keyturn.engine.renewal.renew import Renewals, refuse_unusable
from keyturn.engine.send import build
from keyturn.engine.template_values import connection_values, revoke_values
from keyturn.engine.test_connection import Proof, TestCalls
from keyturn.ports.store import (
    ClientCredentials,
    ConnectionStore,
    DuplicateAccount,
    PublishedVersion,
    RevisionConflict,
    SealedChange,
)

ACTION: Final = "connection.version_moved"
WRITE_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class MigrateConnection:
    """The use case and what it needs."""

    connections: ConnectionStore
    published: PublishedConnectors
    renewals: Renewals
    calls: TestCalls
    keep_tokens: KeepTokens
    known: InFlight

    async def __call__(self, connection_id: str, actor: Actor, *, project: str = "default") -> Connection:
        """Move it; one that is on the newest version already stays as it is.

        Raises:
            NotFound, ConnectionDisconnected, ConnectionPaused, ConnectionUnconfirmed: it can't be tested.
            MigrationNeedsLogin: with `reason`; its person has to sign in, which moves it as well.
            ConnectionTestFailed: the new version's test did not pass; it stays where it is.
            RenewalInProgress, ConnectionExists. And as `Renewals.renew` where its token has ended.
        """
        connection, secrets = await self._opened(connection_id, project)
        newest = await self.published.newest(connection.connector, project=project)
        if connection.connector_version == newest.version:
            return connection
        refuse_unusable(connection)
        _refuse(needs_login(newest.connector, connection))
        if secrets.token_set is not None and secrets.token_set.ended(self.keep_tokens.clock.now()):
            await self.renewals.renew(connection_id, generation=connection.generation, actor=actor, project=project)
            connection, secrets = await self._opened(connection_id, project)
        client = await self.published.client(newest.connector, project=project)
        values = connection_values(connection, secrets, client)
        with self.known.in_flight(*secrets_among(values)):
            _refuse(_not_sendable(newest.connector, connection, secrets, values, client))
            proof = await self._proven(newest.connector, values, client)
        name = _identified(newest.connector, connection, values, proof)
        return await self._write(connection, newest, name, proof, actor)

    async def _opened(self, connection_id: str, project: str) -> tuple[Connection, ConnectionSecrets]:
        opened = await self.connections.open(connection_id, project=project)
        if opened is None:
            raise NotFound("There is no such connection.")
        return opened

    async def _proven(self, new: Connector, values: Mapping[str, Any], client: ClientCredentials | None) -> Proof:
        try:
            proof = await self.calls.prove(new, values, client)
        except ValueAbsent:
            raise _needs(NeedsLogin.VALUE) from None
        except (UrlNotAllowed, ValidationFailed, ConnectorInvalid) as error:
            raise ConnectionTestFailed(extensions={"cause": error.code}) from None
        if not proof.passed or proof.answer is None:
            raise ConnectionTestFailed(extensions={"provider": {"status": proof.status}, "cause": proof.cause})
        return proof

    async def _write(
        self, tested: Connection, newest: PublishedVersion, name: str, proof: Proof, actor: Actor
    ) -> Connection:
        """Write it on what is there by now; a move needs the generation that was tested, or a newer one."""
        for _ in range(WRITE_TRIES):
            current, secrets = await self._opened(tested.id, tested.project)
            refuse_unusable(current)
            if current.connector_version == newest.version:
                return current  # a reconnect did it meanwhile
            if current.intent is not None:
                raise RenewalInProgress
            _refuse(needs_login(newest.connector, current))
            worked = max(current.worked_generation or 0, tested.generation)  # one that came since was not tested
            new, sealed = self._moved(replace(current, worked_generation=worked), secrets, newest, name, proof)
            facts = {"from": current.connector_version, "to": newest.version}
            record = connection_record(new, self.keep_tokens.clock.now(), ACTION, actor, facts=facts)
            try:
                return await self.connections.save(new, sealed=sealed, records=[record])
            except DuplicateAccount as error:
                raise ConnectionExists(extensions={"connection_id": error.connection_id}) from None
            except RevisionConflict:
                continue
        raise GenerationConflict

    def _moved(
        self, current: Connection, secrets: ConnectionSecrets, newest: PublishedVersion, name: str, proof: Proof
    ) -> tuple[Connection, SealedChange]:
        connector, now, token_set = newest.connector, self.keep_tokens.clock.now(), secrets.token_set
        plain, hidden = _fields(connector, current.fields, secrets.fields)
        keeps_password = connector.password.keep is not PasswordKeep.NEVER
        new = replace(
            current,
            connector_version=newest.version,
            name=name,
            unique=connector.on_duplicate is not OnDuplicate.ALLOW,
            refreshable=token_set is not None and can_refresh(token_set, connector),
            refresh_expires_at=refresh_ends(token_set, connector) if token_set is not None else None,
            password_kept_at=current.password_kept_at if keeps_password else None,
            fields=plain,
            sealed_fields=tuple(sorted(hidden)),
            last_test=TestRecord(now, True, proof.status),
            updated_at=now,
        )
        new = replace(new, renews_at=self.keep_tokens.due(new, connector))
        sealed = SealedChange(fields=hidden)
        return new, sealed if keeps_password else replace(sealed, username=None, password=None)


def _fields(
    connector: Connector, plain: Mapping[str, Any], hidden: Mapping[str, Secret]
) -> tuple[dict[str, Any], dict[str, Secret]]:
    """Both kinds as the new version keeps them. What it doesn't know is of no use to it, and goes."""
    kept = {each.key: each.keep for each in connector.fields} | dict.fromkeys(own_names(connector), Keep.SEALED)
    found = {name: value for name, value in plain.items() if kept.get(name) is Keep.PLAIN}
    sealed = {name: value for name, value in hidden.items() if kept.get(name, Keep.NEVER) is not Keep.NEVER}
    for name, value in plain.items():
        if kept.get(name) is Keep.SEALED:
            sealed[name] = Secret("true" if value is True else "false" if value is False else str(value))
    return found, sealed


def _not_sendable(
    new: Connector,
    connection: Connection,
    secrets: ConnectionSecrets,
    values: Mapping[str, Any],
    client: ClientCredentials | None,
) -> NeedsLogin | None:
    """Whether each later request can be made of what there is, and goes where its person agreed to; none is sent."""
    token_set = secrets.token_set
    if token_set is None:
        return NeedsLogin.ENDED
    if unpinned(new, connection, values):
        return NeedsLogin.HOST
    known = {**values, **revoke_values(token_set, token_set.access_token, "access_token")}
    known |= {"username": secrets.username or "", "password": secrets.password or Secret("0")}
    known |= {name: Secret("0") for each in new.before for name in each.capture}
    for request in later_requests(new, connection):
        if request is new.refresh.request and not can_refresh(token_set, new):
            continue
        try:
            build(new, request, known, client, optional=frozenset({"refresh_token"}))
        except (ValueAbsent, ValidationFailed, ConnectorInvalid):
            return NeedsLogin.VALUE
    return None


def _identified(new: Connector, connection: Connection, values: Mapping[str, Any], proof: Proof) -> str:
    """The name by the new version; MigrationNeedsLogin where the account would be another."""
    assert proof.answer is not None
    known = {**values, "test": test_values(proof.answer)}
    try:
        unique_id = unique_id_of(new, known)
    except UniqueIdMissing:
        raise _needs(NeedsLogin.ACCOUNT) from None
    if unique_id != connection.unique_id:
        raise _needs(NeedsLogin.ACCOUNT)
    return name_of(new, known, unique_id)


def _refuse(reason: NeedsLogin | None) -> None:
    if reason is not None:
        raise _needs(reason)


def _needs(reason: NeedsLogin) -> MigrationNeedsLogin:
    return MigrationNeedsLogin(extensions={"reason": reason.value})
