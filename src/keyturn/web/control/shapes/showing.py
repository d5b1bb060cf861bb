"""How our values become what callers get.

Rule 1: times are RFC 3339 in UTC, with milliseconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import BaseModel
from starlette.responses import Response

from keyturn.core.audit.timeline import TimelineRow
from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, TestRecord
from keyturn.core.connector import Connector
from keyturn.core.explain import Explanation, expires_soon
from keyturn.core.lint import LintFinding
from keyturn.core.observing.call_hour import CallHour
from keyturn.core.renewal.attention import needs_attention, ways_of
from keyturn.ports.access.api_keys import ApiKey
from keyturn.ports.store import ConnectorSummary, ConnectSession, Draft, PublishedVersion
from keyturn.web.control.shapes.answers import (
    ConnectionAnswer,
    ConnectorAnswer,
    DraftAnswer,
    EventAnswer,
    EventList,
    FindingAnswer,
    HourAnswer,
    KeptAnswer,
    ListedConnection,
    NextStepAnswer,
    RetirementAnswer,
    SessionAnswer,
    StoredAnswer,
    TestAnswer,
    TimelineAnswer,
    VersionAnswer,
    VersionRow,
    WhyAnswer,
)

LATEST_S: Final = 253_402_300_799.0  # the last second of the year 9999


def time_of(seconds: float) -> str:
    """Unix seconds as RFC 3339; what lies outside the years 1 to 9999 is moved to their edge."""
    whole = datetime.fromtimestamp(min(max(seconds, 0.0), LATEST_S), UTC)
    return whole.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def maybe_time(seconds: float | None) -> str | None:
    """The same, of a time that may be absent."""
    return None if seconds is None else time_of(seconds)


def answer(model: BaseModel, status: int = 200, *, etag: str | None = None, location: str | None = None) -> Response:
    """A model as an answer."""
    headers = {name: value for name, value in (("etag", etag), ("location", location)) if value is not None}
    return Response(model.model_dump_json(), status, headers, media_type="application/json")


def connection_answer(connection: Connection, connector: Connector | None, now: float) -> ConnectionAnswer:
    """A connection as callers see it; `connector`: the version that it is pinned to, if that is still there."""
    tested = connection.last_test
    return ConnectionAnswer(
        id=connection.id,
        connector=connection.connector,
        connector_version=connection.connector_version,
        owner=connection.owner,
        name=connection.name,
        unique_id=connection.unique_id,
        state=connection.shown_state,
        reason=connection.reason,
        attention=needs_attention(connection, ways_of(connector), now),
        state_since=maybe_time(connection.state_since),
        generation=connection.generation,
        created_at=time_of(connection.created_at),
        updated_at=time_of(connection.updated_at),
        expires_at=maybe_time(connection.expires_at),
        refresh_expires_at=maybe_time(connection.refresh_expires_at),
        expires_soon=expires_soon(connection, connector, now),
        renews_at=maybe_time(connection.renews_at),
        last_test=_test(tested) if tested else None,
        last_error=connection.last_error,
        last_error_at=maybe_time(connection.last_error_at),
        last_used_at=maybe_time(connection.last_used_at),
        hosts=list(connection.hosts),
        fields=dict(connection.fields),
        stored=_stored(connection, connector),
        disconnected_at=maybe_time(connection.disconnected_at),
        revocation=told(connection) if connection.ended else None,
    )


def listed_connection(
    connection: Connection, connector: Connector | None, now: float, calls: Mapping[str, Sequence[CallHour]] | None
) -> ListedConnection:
    """The same in a list. `calls`: those of all connections of the list, by id; None where nobody asked."""
    hours = None if calls is None else hour_answers(calls.get(connection.id, ()))
    return ListedConnection(**dict(connection_answer(connection, connector, now)), calls=hours)


def _test(tested: TestRecord) -> TestAnswer:
    return TestAnswer(
        at=time_of(tested.at), passed=tested.passed, status=tested.status, code=tested.code, cause=tested.cause
    )


def _stored(connection: Connection, connector: Connector | None) -> StoredAnswer:
    """What is kept of it, since when and until when."""
    if connection.ended:
        return _kept_to_revoke(connection)
    issued, until = maybe_time(connection.token_issued_at), maybe_time(connection.expires_at)
    password_at = connection.password_kept_at
    password = None if password_at is None else KeptAnswer(since=time_of(password_at), until=None, sealed=True)
    keys = sorted({*connection.fields, *connection.sealed_fields})
    has_refresh_token = connection.refreshable and not (connector is not None and connector.refresh.with_token)
    ends = maybe_time(connection.refresh_expires_at)
    return StoredAnswer(
        access_token=KeptAnswer(since=issued, until=until, sealed=True),
        refresh_token=KeptAnswer(since=issued, until=ends, sealed=True) if has_refresh_token else None,
        username=password,
        password=password,
        # A login writes them all anew, and with them the token set; a renewal moves only the latter.
        fields={key: KeptAnswer(since=None, until=None, sealed=key in connection.sealed_fields) for key in keys},
    )


def told(connection: Connection) -> dict[str, Any]:
    """What the provider has answered to the revocation so far."""
    return {
        name: value for name, value in connection.revocation.items() if name != "sets" and not name.startswith("kept")
    }


def _kept_to_revoke(connection: Connection) -> StoredAnswer:
    """After a disconnect nothing but the tokens that the provider still has to be told of, for a day at most."""
    until = maybe_time(connection.revocation.get("kept_until"))
    kept = KeptAnswer(since=maybe_time(connection.token_issued_at), until=until, sealed=True)
    kinds = connection.revocation.get("kept", ())
    return StoredAnswer(
        access_token=kept if "access_token" in kinds else None, refresh_token=kept if "refresh_token" in kinds else None
    )


def why_answer(explanation: Explanation) -> WhyAnswer:
    """An explanation as callers see it."""
    step = NextStepAnswer(
        text=explanation.next_step.text, at=maybe_time(explanation.next_step.at), at_is=explanation.next_step.at_is
    )
    return WhyAnswer(
        state=explanation.state,
        code=explanation.code,
        text=explanation.text,
        who=explanation.who.value,
        next=step,
        provider=dict(explanation.provider) or None,
    )


def event_list(found: Sequence[tuple[int, AuditRecord]], next_cursor: str | None) -> EventList:
    """Audit records as callers see them."""
    return EventList(data=[event(seq, each) for seq, each in found], next_cursor=next_cursor)


def event(seq: int, record: AuditRecord) -> EventAnswer:
    """One audit record as callers see it."""
    return EventAnswer(
        seq=seq,
        at=time_of(record.at),
        action=record.action,
        actor=record.actor,
        outcome=record.outcome,
        connector=record.connector,
        connection=record.connection,
        owner=record.owner,
        request_id=record.request_id,
        facts=dict(record.facts),
    )


def timeline_answer(rows: Sequence[TimelineRow], next_cursor: str | None) -> TimelineAnswer:
    """A timeline with its calls, as callers see it."""
    events = [event(*each) for each in rows if not isinstance(each, CallHour)]
    hours = [each for each in rows if isinstance(each, CallHour)]
    return TimelineAnswer(data=events, next_cursor=next_cursor, hours=hour_answers(hours))


def hour_answers(hours: Sequence[CallHour]) -> list[HourAnswer]:
    """Calls by the hour."""
    return [HourAnswer(start=time_of(each.begins_at), calls=each.calls, failed=each.failed) for each in hours]


def finding_answers(findings: Sequence[LintFinding]) -> list[FindingAnswer]:
    """What the linter finds."""
    return [FindingAnswer(**each.as_json()) for each in findings]


def connector_answer(
    summary: ConnectorSummary,
    draft: Draft | None,
    version: PublishedVersion | None,
    findings: Sequence[LintFinding],
    logins_stopped_since: float | None,
) -> ConnectorAnswer:
    """A connector as callers see it; client id and secret are not in it."""
    return ConnectorAnswer(
        id=summary.id,
        title=summary.title,
        client_id_set=summary.client_id_set,
        logins_stopped_since=maybe_time(logins_stopped_since),
        latest_version=version.version if version else None,
        draft=DraftAnswer(revision=draft.revision, updated_at=time_of(draft.updated_at), source=draft.source)
        if draft
        else None,
        version=version_answer(version) if version else None,
        retires=_retirement(version or draft),
        findings=finding_answers(findings),
    )


def _retirement(found: PublishedVersion | Draft | None) -> RetirementAnswer | None:
    if found is None or found.connector.retires is None:
        return None
    told = found.connector.retires
    return RetirementAnswer(on=told.on.isoformat(), source=told.source, successor=told.successor)


def version_answer(version: PublishedVersion) -> VersionAnswer:
    """A published version."""
    return VersionAnswer(
        version=version.version,
        digest=version.digest,
        published_at=time_of(version.published_at),
        published_by=version.published_by or None,
        note=version.note or None,
        source=version.source,
    )


def version_row(version: PublishedVersion) -> VersionRow:
    """The same in a list."""
    return VersionRow(
        version=version.version,
        digest=version.digest,
        published_at=time_of(version.published_at),
        published_by=version.published_by or None,
        note=version.note or None,
    )


def session_answer(session: ConnectSession, now: float) -> SessionAnswer:
    """A connect session as callers see it."""
    waiting = session.state in ("open", "claimed")
    return SessionAnswer(
        id=session.id,
        state="expired" if waiting and now >= session.expires_at else session.state,
        connector=session.connector,
        owner=session.owner,
        reconnects=session.reconnects,
        connection=session.connection,
        return_url=session.return_url,
        origin=session.origin,
        app_name=session.app_name,
        owner_label=session.owner_label,
        created_at=time_of(session.created_at),
        expires_at=time_of(session.expires_at),
    )


def api_key_members(key: ApiKey) -> Mapping[str, Any]:
    """The members that every view of an API key has."""
    return {
        "id": key.id,
        "name": key.name,
        "scopes": sorted(key.scopes),
        "connectors": sorted(key.connectors),
        "owners": sorted(key.owners),
        "created_at": time_of(key.created_at),
        "created_by": key.created_by,
        "expires_at": maybe_time(key.expires_at),
        "last_used_at": maybe_time(key.last_used_at),
    }
