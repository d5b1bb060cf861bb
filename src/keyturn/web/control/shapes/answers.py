"""What callers get, as models; the OpenAPI document is made from these.

Rule 1: nothing secret has a member here; the two that are shown once come from `shown_once`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, RootModel, WithJsonSchema

Time = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]


class TestAnswer(BaseModel):
    """The last test call: `status` of the API's answer, None where none came; `code` where it did not pass.

    `cause` then: a code that says what hindered it, or the part of the answer that was not as expected.
    """

    __test__ = False  # not for pytest to collect

    at: Time
    passed: bool
    status: int | None
    code: str | None
    cause: str | None = None


class KeptAnswer(BaseModel):
    """That something is kept: since when, until when if that is known, and whether it is sealed."""

    since: Time | None
    until: Time | None
    sealed: bool


class StoredAnswer(BaseModel):
    """What is kept of a connection; None says that it is not. Never the thing itself."""

    access_token: KeptAnswer | None = None
    refresh_token: KeptAnswer | None = None
    username: KeptAnswer | None = None
    password: KeptAnswer | None = None
    fields: dict[str, KeptAnswer] = Field(default_factory=dict)


class ConnectionAnswer(BaseModel):
    """A connection; no secret is in it.

    `attention`: it is active, and yet something is wrong with it. `state_since`: when state or reason last changed,
    None where that is not known.
    """

    id: str
    connector: str
    connector_version: int
    owner: str
    name: str
    unique_id: str
    state: str
    reason: str | None
    attention: bool
    state_since: Time | None
    generation: int
    created_at: Time
    updated_at: Time
    expires_at: Time | None
    refresh_expires_at: Time | None
    expires_soon: bool
    renews_at: Time | None
    last_test: TestAnswer | None
    last_error: str | None
    last_error_at: Time | None
    last_used_at: Time | None
    hosts: list[str]
    fields: dict[str, Any]
    stored: StoredAnswer
    disconnected_at: Time | None
    revocation: dict[str, Any] | None


class HourAnswer(BaseModel):
    """Calls in the hour from `start` on; `failed`: those that the API refused or failed."""

    start: Time
    calls: int
    failed: int


class ListedConnection(ConnectionAnswer):
    """A connection in a list. `calls`: by the hour, of the last 24 hours; None unless they were asked for."""

    calls: list[HourAnswer] | None


class ConnectionList(BaseModel):
    """One page, newest first."""

    data: list[ListedConnection]
    next_cursor: str | None


class DisconnectAnswer(BaseModel):
    """How far the disconnect is, and what the provider said to the revocation."""

    state: str
    revocation: dict[str, Any]


class NextStepAnswer(BaseModel):
    """What follows, and a time if one is known.

    `at_is`: what happens at that time; empty where it is this step itself.
    """

    text: str
    at: Time | None
    at_is: str


class WhyAnswer(BaseModel):
    """State, cause, whose move, and what is tried next.

    `provider`: what it answered to the last renewal that brought no token: `status`, and `error`, `failure`, `members`
    (their names), `cut` or `unreadable`; no value of an answer.
    """

    state: str
    code: str | None
    text: str
    who: str
    next: NextStepAnswer
    provider: dict[str, Any] | None


class EventAnswer(BaseModel):
    """One thing that happened. `seq` grows with each record of the audit log."""

    seq: int
    at: Time
    action: str
    actor: str
    outcome: str
    connector: str | None
    connection: str | None
    owner: str | None
    request_id: str | None
    facts: dict[str, Any]


class EventList(BaseModel):
    """One page, newest first."""

    data: list[EventAnswer]
    next_cursor: str | None


class TimelineAnswer(EventList):
    """The same of one connection. `hours`: its calls by the hour between these records; None unless asked for."""

    hours: list[HourAnswer] | None


class PreviewAnswer(BaseModel):
    """The request that a test would send, secrets shown by their names."""

    method: str
    url: str
    headers: list[tuple[str, str]]
    body: str


class ShownHeaderAnswer(BaseModel):
    """A header. `added`: by the connector, not by who calls."""

    name: str
    value: str
    added: bool


class CallPreviewAnswer(BaseModel):
    """A call as it would be sent, secrets shown by their names; what was written is None in a replay.

    `added_query`: the pairs that the connector puts on. `body_changed`: it merges parameters into the body.
    `left_out`: headers that are not sent on.
    """

    method: str
    url: str | None
    headers: list[ShownHeaderAnswer] | None
    body: str | None
    added_query: list[str]
    body_changed: bool
    left_out: list[str]


class TestedAnswer(RootModel[ConnectionAnswer | PreviewAnswer]):
    """The connection with the verdict in `last_test`; with `dry_run=true` the request that would be sent."""

    __test__ = False


class FindingAnswer(BaseModel):
    """One finding of the linter."""

    code: str
    name: str
    severity: str
    step: int
    pointer: str
    message: str
    remedy: str


class FindingList(BaseModel):
    """What the linter finds; `publishable` unless one is an error."""

    findings: list[FindingAnswer]
    publishable: bool


class DraftAnswer(BaseModel):
    """A connector being written, byte for byte as its author wrote it."""

    revision: int
    updated_at: Time
    source: str


class VersionAnswer(BaseModel):
    """A published version, of which only the advice is ever corrected. `published_by`: null where nobody knows."""

    version: int
    digest: str
    published_at: Time
    published_by: str | None
    note: str | None
    source: str


class RetirementAnswer(BaseModel):
    """When the provider ends this way of connecting (a day), where it says so, and what takes its place."""

    on: str
    source: str | None
    successor: str | None


class ConnectorAnswer(BaseModel):
    """A connector with its draft, its newest version and what the linter finds in the draft.

    `logins_stopped_since`: None where its logins are sent. `retires`: as the newest version says, else the draft.
    """

    id: str
    title: str
    client_id_set: bool
    logins_stopped_since: Time | None
    latest_version: int | None
    draft: DraftAnswer | None
    version: VersionAnswer | None
    retires: RetirementAnswer | None
    findings: list[FindingAnswer]


class ConnectorRow(BaseModel):
    """A connector in a list."""

    id: str
    title: str
    latest_version: int | None
    has_draft: bool
    client_id_set: bool
    updated_at: Time


class ConnectorList(BaseModel):
    """All connectors that the key may know of, by id."""

    data: list[ConnectorRow]
    next_cursor: None = None


class VersionRow(BaseModel):
    """A published version in a list. `published_by`: null where nobody knows."""

    version: int
    digest: str
    published_at: Time
    published_by: str | None
    note: str | None


class VersionList(BaseModel):
    """The published versions, newest first."""

    data: list[VersionRow]
    next_cursor: str | None


class PublishedAnswer(BaseModel):
    """The version that says what the draft says.

    `result`: `published`, it is new; `corrected`, its advice was, in place; `unchanged`, it said the same before.
    `corrected`: the keys of the advice that was corrected.
    """

    version: int
    digest: str
    result: Literal["published", "corrected", "unchanged"]
    corrected: list[str]


class LinkAnswer(BaseModel):
    """A connect session and the link that opens it once; None in a replay, where nobody can open it any more."""

    id: str
    url: str | None
    expires_at: Time


class PersonLinkAnswer(BaseModel):
    """The link by which a person sees and ends a connection; None in a replay, as it is shown once."""

    url: str | None
    expires_at: Time


class SessionAnswer(BaseModel):
    """A connect session: `open`, `claimed`, `done`, `confirmed`, `failed`, `revoked` or `expired`."""

    id: str
    state: str
    connector: str
    owner: str
    reconnects: str | None
    connection: str | None
    return_url: str | None
    origin: str | None
    app_name: str
    owner_label: str
    created_at: Time
    expires_at: Time


class SessionList(BaseModel):
    """One page of the sessions that wait for their person, newest first."""

    data: list[SessionAnswer]
    next_cursor: str | None


class LoginStopAnswer(BaseModel):
    """Since when a connector's logins are stopped; None where they are not."""

    connector: str
    logins_stopped_since: Time | None


class ApiKeyRow(BaseModel):
    """An API key, without the key. Empty lists of connectors and owners: it is not limited."""

    id: str
    name: str
    scopes: list[str]
    connectors: list[str]
    owners: list[str]
    created_at: Time
    created_by: str
    expires_at: Time | None
    last_used_at: Time | None


class NewKeyAnswer(ApiKeyRow):
    """A new API key: the only time that `key` is shown; None in a replay."""

    key: str | None


class ApiKeyList(BaseModel):
    """The API keys that are not revoked, newest first."""

    data: list[ApiKeyRow]
    next_cursor: None = None


class ProblemCodeAnswer(BaseModel):
    """A code of the register. `who`: whose move it is; `action`: what that move is; `exit_code`: the command line's."""

    code: str
    status: int
    title: str
    who: str
    action: str
    retryable: bool
    exit_code: int


class ProblemCodeList(BaseModel):
    """All of them, by code."""

    data: list[ProblemCodeAnswer]
    next_cursor: None = None


class HealthAnswer(BaseModel):
    """The process answers."""

    status: str = "ok"


class LogLevelAnswer(BaseModel):
    """`setting`: the level that comes back. `until`: when it does; None where nothing else was asked for."""

    level: str
    setting: str
    until: Time | None


class SettingAnswer(BaseModel):
    """A setting of the server. `value`: as text; of one that may hold a secret None, whether it is set or not.

    `source`: `default`, `environment`, `file` or `start` (by the command that started the server).
    """

    name: str
    value: str | None
    is_set: bool
    source: str


class SettingList(BaseModel):
    """All of them, in the order of the settings' reference."""

    data: list[SettingAnswer]
    next_cursor: None = None


class SetAsideAnswer(BaseModel):
    """How many rows can't be read or opened, so that they are out of use."""

    connections: int = 0
    revocations: int = 0


class ReadyAnswer(BaseModel):
    """Each part that is needed, and `ok` or what is wrong with it."""

    ready: bool
    parts: dict[str, str] = Field(default_factory=dict)
    set_aside: SetAsideAnswer = Field(default_factory=SetAsideAnswer)
