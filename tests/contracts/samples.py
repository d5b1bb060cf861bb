"""Values that the contracts write and expect back: every attribute is set, and no two alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keyturn.core.audit_record import AuditRecord
from keyturn.core.connection import Connection, ConnectionSecrets, Intent, IntentKind, State, TestRecord
from keyturn.core.connector import (
    AllowedUrl,
    Connector,
    ProviderRequest,
    Refresh,
    RequestParameters,
    TestCall,
    Trust,
    TrustReason,
)
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.templates import Template
from keyturn.core.token_set import TokenSet
from keyturn.ports.access.api_keys import ApiKey
from keyturn.ports.challenges import ChallengeRow
from keyturn.ports.store import ConnectSession

NOW = 1_700_000_000.0

FULL_CONNECTION = Connection(
    id="cxn_full",
    connector="acme",
    connector_version=3,
    owner="owner-1",
    name="Ada’s account",
    unique_id="4711",
    created_at=NOW + 0.125,
    updated_at=NOW + 0.25,
    state=State.UNCERTAIN,
    reason="renewal_outcome_unknown",
    paused=True,
    unconfirmed=True,
    revision=0,
    generation=7,
    token_issued_at=NOW + 1.5,
    expires_at=NOW + 3600.5,
    renews_at=NOW + 3000.75,
    refreshable=True,
    password_kept_at=NOW + 2,
    password_rejected=True,
    fields={"host": "a.example.com", "pages": 3, "beta": False, "note": "ü“"},
    sealed_fields=("pin", "seed"),
    hosts=("a.example.com", "b.example.com:8443"),
    unique=True,
    intent=Intent(IntentKind.LOGIN, 7, "att_1", NOW + 5.5, tries=2),
    last_error="provider_timeout",
    last_error_at=NOW + 6,
    failures_in_a_row=4,
    failing_since=NOW + 5.25,
    last_answer={"status": 401, "members": ["code", "message"]},
    last_test=TestRecord(
        NOW + 7, passed=False, status=503, code="connection_test_failed", cause="provider_unreachable"
    ),
    last_used_at=NOW + 8,
    worked_generation=6,
    disconnected_at=NOW + 9,
    revocation={"refresh_token": {"status": 200, "at": NOW}},
    totp_step=56_666_666,
    refresh_expires_at=NOW + 86_400.5,
    state_since=NOW + 0.25,
    retry_at=NOW + 3001.25,
    retry_asked=True,
    parked_at=NOW + 10,
    parked_why="ValueError",
)


def connection(connection_id: str = "cxn_1", **changes: Any) -> Connection:
    """An active connection with an account of its own."""
    plain = Connection(
        id=connection_id,
        connector="acme",
        connector_version=1,
        owner="owner-1",
        name="Ada",
        unique_id=f"account of {connection_id}",
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(plain, **changes)


def token_set(name: str = "1", **changes: Any) -> TokenSet:
    """A token set whose secrets carry the name."""
    plain = TokenSet(
        access_token=Secret(f"access-{name}"),
        issued_at=NOW,
        refresh_token=Secret(f"refresh-{name}"),
        expires_at=NOW + 3600,
        scope=("read", "write"),
        kept={"instance": {"url": f"https://{name}.example.com", "ids": [1, 2.5, None, True]}},
    )
    return replace(plain, **changes)


def secrets(name: str = "1") -> ConnectionSecrets:
    """One of each kind of secret that a connection may keep."""
    return ConnectionSecrets(
        token_set=token_set(name),
        username=Secret(f"user-{name}"),
        password=Secret(f"password-{name} ü\ud800\n"),
        fields={"pin": Secret(f"pin-{name}"), "seed": Secret(f"seed-{name}")},
    )


def revocation(revocation_id: str = "rev_1", **changes: Any) -> Revocation:
    """A revocation that is due."""
    plain = Revocation(
        id=revocation_id,
        connector="acme",
        connector_version=2,
        cause=RevocationCause.REPLACED,
        due_at=NOW,
        give_up_at=NOW + 86_400,
        token_set=token_set(revocation_id),
        hosts=("a.example.com",),
        values={"fields": {"pin": Secret("1234"), "host": "a"}, "client_id": "x"},
    )
    return replace(plain, **changes)


def record(action: str = "connection.renewed", **changes: Any) -> AuditRecord:
    """An audit record with every part set."""
    plain = AuditRecord(
        at=NOW,
        action=action,
        actor="key:1",
        outcome="provider_timeout",
        connector="acme",
        connection="cxn_1",
        owner="owner-1",
        request_id="req-1",
        facts={"generation": 2},
    )
    return replace(plain, **changes)


def connector(connector_id: str = "acme", title: str = "Acme") -> Connector:
    """The smallest connector."""
    request = ProviderRequest(Template.parse("https://acme.example.com/token"))
    return Connector(
        id=connector_id,
        title=title,
        trust=Trust(TrustReason.LEGACY),
        token=request,
        test=TestCall(request),
        allowed_urls=(AllowedUrl(Template.parse("https://acme.example.com/")),),
        unique_id=Template.parse("{{ test.id }}"),
        connection_name=Template.parse("{{ test.name }}"),
        request=RequestParameters(Template.parse("https://acme.example.com")),
        refresh=Refresh(request),
    )


def api_key(key_id: str = "key_1", **changes: Any) -> ApiKey:
    """A good API key."""
    plain = ApiKey(
        id=key_id, name="ci", digest=f"digest of {key_id}", scopes=frozenset({"read", "call"}), created_at=NOW
    )
    return replace(plain, **changes)


def session(session_id: str = "ses_1", **changes: Any) -> ConnectSession:
    """An open connect session."""
    plain = ConnectSession(
        id=session_id,
        connector="acme",
        owner="owner-1",
        link_digest=f"link of {session_id}",
        created_at=NOW,
        expires_at=NOW + 1800,
    )
    return replace(plain, **changes)


def challenge(challenge_id: str = "chl_1", **changes: Any) -> ChallengeRow:
    """A challenge that waits for an answer."""
    plain = ChallengeRow(
        id=challenge_id,
        holder="key:k1",
        connector="acme",
        connector_version=1,
        owner="owner-1",
        place=0,
        created_at=NOW,
        expires_at=NOW + 600,
    )
    return replace(plain, **changes)
