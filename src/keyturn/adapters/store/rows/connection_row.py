"""A connection as columns, one for each attribute; nothing sealed is touched here."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import connections
from keyturn.adapters.store.rows.plain_columns import json_of, mapping_in, texts_in
from keyturn.core.connection import Connection, Intent, IntentKind, State, TestRecord, looked_at_next

# What a read needs that opens nothing.
PLAIN: tuple[sa.Column[Any], ...] = tuple(
    column
    for column in connections.c
    if column.name == "sealed_field_names"
    or (not column.name.startswith("sealed_") and not column.name.endswith("_key"))
)


def columns_of(connection: Connection) -> dict[str, Any]:
    """Write everything but the hash of the account and the sealed parts."""
    intent, test = connection.intent, connection.last_test
    return {
        "id": connection.id,
        "project": connection.project,
        "connector": connection.connector,
        "connector_version": connection.connector_version,
        "owner": connection.owner,
        "name": connection.name,
        "unique_id": connection.unique_id,
        "is_unique": connection.unique,
        "created_at": connection.created_at,
        "updated_at": connection.updated_at,
        "state": connection.state.value,
        "reason": connection.reason,
        "paused": connection.paused,
        "unconfirmed": connection.unconfirmed,
        "revision": connection.revision,
        "generation": connection.generation,
        "token_issued_at": connection.token_issued_at,
        "expires_at": connection.expires_at,
        "renews_at": connection.renews_at,
        "refreshable": connection.refreshable,
        "password_kept_at": connection.password_kept_at,
        "password_rejected": connection.password_rejected,
        "fields": json_of(connection.fields),
        "sealed_field_names": json_of(connection.sealed_fields),
        "hosts": json_of(connection.hosts),
        "intent_kind": intent.kind.value if intent else None,
        "intent_generation": intent.generation if intent else None,
        "intent_attempt": intent.attempt if intent else None,
        "intent_sent_at": intent.sent_at if intent else None,
        "intent_tries": intent.tries if intent else None,
        "last_error": connection.last_error,
        "last_error_at": connection.last_error_at,
        "failures_in_a_row": connection.failures_in_a_row,
        "failing_since": connection.failing_since,
        "last_answer": json_of(connection.last_answer) if connection.last_answer else None,
        "test_at": test.at if test else None,
        "test_passed": test.passed if test else None,
        "test_status": test.status if test else None,
        "test_code": test.code if test else None,
        "last_used_at": connection.last_used_at,
        "worked_generation": connection.worked_generation,
        "disconnected_at": connection.disconnected_at,
        "revocation": json_of(connection.revocation),
        "totp_step": connection.totp_step,
        "refresh_expires_at": connection.refresh_expires_at,
        "refresh_end_fixed": connection.refresh_end_fixed,
        "state_since": connection.state_since,
        "test_cause": test.cause if test else None,
        "account": connection.account,
        "retry_at": connection.retry_at,
        "retry_asked": connection.retry_asked,
        "look_at": looked_at_next(connection),
        "intent_last_resort": intent.last_resort if intent else None,
        "parked_at": connection.parked_at,
        "parked_why": connection.parked_why,
    }


def connection_in(row: sa.Row[Any]) -> Connection:
    """Read a row that has at least the columns in `PLAIN`."""
    return Connection(
        id=row.id,
        connector=row.connector,
        connector_version=row.connector_version,
        owner=row.owner,
        name=row.name,
        unique_id=row.unique_id,
        created_at=row.created_at,
        updated_at=row.updated_at,
        project=row.project,
        state=State(row.state),
        reason=row.reason,
        paused=row.paused,
        unconfirmed=row.unconfirmed,
        revision=row.revision,
        generation=row.generation,
        token_issued_at=row.token_issued_at,
        expires_at=row.expires_at,
        renews_at=row.renews_at,
        refreshable=row.refreshable,
        password_kept_at=row.password_kept_at,
        password_rejected=row.password_rejected,
        fields=mapping_in(row.fields),
        sealed_fields=texts_in(row.sealed_field_names),
        hosts=texts_in(row.hosts),
        unique=row.is_unique,
        intent=_intent(row),
        last_error=row.last_error,
        last_error_at=row.last_error_at,
        failures_in_a_row=row.failures_in_a_row,
        failing_since=row.failing_since,
        last_answer=mapping_in(row.last_answer) if row.last_answer else {},
        last_test=_test(row),
        last_used_at=row.last_used_at,
        worked_generation=row.worked_generation,
        disconnected_at=row.disconnected_at,
        revocation=mapping_in(row.revocation),
        totp_step=row.totp_step,
        refresh_expires_at=row.refresh_expires_at,
        refresh_end_fixed=row.refresh_end_fixed,
        state_since=row.state_since,
        account=row.account,
        retry_at=row.retry_at,
        retry_asked=bool(row.retry_asked),
        parked_at=row.parked_at,
        parked_why=row.parked_why,
    )


def _intent(row: sa.Row[Any]) -> Intent | None:
    if row.intent_kind is None:
        return None
    return Intent(
        kind=IntentKind(row.intent_kind),
        generation=row.intent_generation,
        attempt=row.intent_attempt,
        sent_at=row.intent_sent_at,
        tries=row.intent_tries,
        last_resort=bool(row.intent_last_resort),
    )


def _test(row: sa.Row[Any]) -> TestRecord | None:
    if row.test_at is None:
        return None
    return TestRecord(row.test_at, row.test_passed, row.test_status, row.test_code, row.test_cause)
