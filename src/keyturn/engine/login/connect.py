"""A login: from what a person typed to a stored connection, or to an error that says whose move it is.

The order is the product's: validate, log in (2), test (5), identify (8), look for the account, name (6), store.

Rule 1: the password is sent once. A refusal, an answer that nothing describes or none at all is not repeated.
Rule 2: whatever ends a login after its token came revokes that token set.
Rule 3: a login runs in a task of its own: a caller that hangs up leaves no token behind that nobody knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connector import Connector, Keep, PasswordKeep
from keyturn.core.errors import (
    CredentialsRejected,
    Finding,
    KeyturnError,
    OtpInvalid,
    ProviderBadResponse,
    ProviderTimeout,
    ValidationFailed,
)
from keyturn.core.field_values import check_fields, check_hosts, check_owner, check_password, check_username
from keyturn.core.renewal.plan import SendOutcome
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.login_request import Checked, Connected, LoginRequest
from keyturn.engine.login.store_login import Login, StoreLogin
from keyturn.engine.login_budget import LoginBudget
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.renewal.attempt import counted
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.template_values import dotted_names, login_values, urls_of
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Egress
from keyturn.ports.store import Attempt, AttemptResult, AuditLog

__all__ = ["Connect", "Connected", "LoginRequest"]

log = structlog.get_logger("keyturn.connect")


@dataclass(frozen=True, slots=True)
class Connect:
    """The use case and what it needs."""

    published: PublishedConnectors
    egress: Egress
    budget: LoginBudget
    audit: AuditLog
    store_login: StoreLogin
    clock: Clock
    known: InFlight
    running: set[asyncio.Task[Connected]] = field(default_factory=set)

    async def __call__(self, request: LoginRequest, actor: Actor) -> Connected | Challenged:
        """Connect an account.

        Raises:
            NotFound, ConnectorNotPublished, ConnectorClientMissing: before a password is looked at.
            ValidationFailed: every wrong value at once; nothing was sent.
            LoginBudgetSpent: nothing was sent.
            CredentialsRejected and its kin: with `tries_left`; ProviderError: as the provider answered.
            ConnectionTestFailed, UniqueIdMissing, ConnectionExists, IdentityMismatch: the token set is revoked.
        """
        checked = await self.check(request)
        task = asyncio.create_task(self._guarded(request, checked, actor), name="login")
        self.running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Connected]) -> None:
        self.running.discard(task)
        if not task.cancelled():
            task.exception()  # fetched, as the caller may have hung up

    async def drain(self, timeout_s: float) -> None:
        """Let logins under way end, before the process does."""
        if self.running:
            await asyncio.wait(list(self.running), timeout=timeout_s)

    async def check(self, request: LoginRequest) -> Checked:
        """Hold the request against the connector's newest version; nothing is sent."""
        newest = await self.published.newest(request.connector, project=request.project)
        connector = newest.connector
        client = await self.published.client(connector, project=request.project)
        values, errors = check_fields(connector.fields, request.fields)
        said = {each.pointer for each in errors}
        hosts = check_hosts(urls_of(connector), values, dotted=dotted_names(connector))
        errors += [each for each in hosts if each.pointer not in said]
        errors += check_owner(request.owner)
        errors += check_username(connector.username, request.username)
        errors += check_password(request.password)
        keep, more = _keeps_password(connector, request.keep_password)
        errors += more
        if errors:
            raise ValidationFailed(errors=errors)
        return Checked(connector, newest.version, client, values, keep)

    async def _guarded(self, request: LoginRequest, checked: Checked, actor: Actor) -> Connected:
        password = request.password or Secret("")
        values = login_values(checked.fields, request.username, password, checked.client)
        with self.known.in_flight(*secrets_among(values)):
            return await self._log_in(request, checked, values, actor)

    async def _log_in(
        self, request: LoginRequest, checked: Checked, values: Mapping[str, Any], actor: Actor
    ) -> Connected:
        connector = checked.connector
        outgoing = build(connector, connector.token, values, checked.client)
        host = host_of(outgoing)
        attempt = await self.budget.reserve(connector, host, request.username, request.project)
        try:
            await self.audit.append([self._record(request, "login.sent", actor, host=host)])
        except KeyturnError:
            with suppress(KeyturnError):
                await self.budget.settle(attempt, AttemptResult.NOT_SENT)
            raise
        sent = await send_for_token(self.egress, connector, connector.token, outgoing, login=True)
        tries_left = await self._written_down(request, attempt, sent, host, actor)
        if sent.token_set is None:
            raise _refusal(sent, tries_left)
        return await self._store(request, checked, sent.token_set, host, actor)

    async def _written_down(
        self, request: LoginRequest, attempt: Attempt, sent: Sent, host: str, actor: Actor
    ) -> int | None:
        """Settle the attempt and log the answer; returns the tries that are left, where that could be told.

        No failure here may lose a token, nor hide what the provider said. An attempt that is not settled counts as
        failed in the end, and a send without an answer in the log is one whose outcome is not known.
        """
        outcome = sent.error.code if sent.error else "ok"
        tries_left: int | None = None
        try:
            tries_left = await self.budget.settle(attempt, counted(sent.outcome))
            await self.audit.append([self._record(request, "login.answered", actor, outcome=outcome, host=host)])
        except KeyturnError as error:
            log.warning("login_not_written_down", connector=request.connector, code=error.code)
        return tries_left

    async def _store(
        self, request: LoginRequest, checked: Checked, token_set: TokenSet, host: str, actor: Actor
    ) -> Connected:
        kept = {each.key: each.keep for each in checked.connector.fields}
        login = Login(
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
            project=request.project,
        )
        connection, created = await self.store_login(login, actor)
        return Connected(connection, created)

    def _record(
        self, request: LoginRequest, action: str, actor: Actor, *, outcome: str = "ok", host: str = ""
    ) -> AuditRecord:
        return AuditRecord(
            self.clock.now(),
            action,
            actor.name,
            outcome=outcome,
            connector=request.connector,
            connection=request.reconnects,
            owner=request.owner,
            request_id=actor.request_id,
            facts={"host": host},
            project=request.project,
        )


def _keeps_password(connector: Connector, asked: bool) -> tuple[bool, list[Finding]]:
    match connector.password.keep:
        case PasswordKeep.REQUIRED:
            return True, []
        case PasswordKeep.OFFER:
            return asked, []
        case _ if asked:
            message = "This connector does not allow the password to be kept."
            return False, [Finding("/keep_password", "not_allowed", message)]
    return False, []


def _as_secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    return Secret("true" if value is True else "false" if value is False else str(value))


def _refusal(sent: Sent, tries_left: int | None) -> KeyturnError:
    """The error for the person; where the password was sent and not accepted, with the tries that are left."""
    error = sent.error or ProviderBadResponse()
    counts = isinstance(error, CredentialsRejected | OtpInvalid | ProviderTimeout | ProviderBadResponse)
    if counts and tries_left is not None:
        error.extensions["tries_left"] = tries_left
    if sent.outcome in (SendOutcome.UNCLASSIFIED, SendOutcome.UNCLASSIFIED_SUCCESS):
        error.extensions["reason"] = "provider_answer_unknown"
    return error
