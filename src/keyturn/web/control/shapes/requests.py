"""What callers send, as models: shapes only; what values mean is checked by the use cases.

Rule 1: an unknown member is refused.
Rule 2: a secret is a `Secret` from the moment it is read; no model holds one in its repr.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from keyturn.core.format.moments import instant_of, moment_of
from keyturn.core.requests.client_address import address_from
from keyturn.core.secret import Secret
from keyturn.engine.edit_connector import LONGEST_NOTE

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


class _SecretText:
    """Reads a text into a `Secret`; nothing else of the model can give it away."""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(strict=True)
        return core_schema.no_info_after_validator_function(Secret, text)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: Any) -> dict[str, Any]:
        return {"type": "string", "format": "password", "writeOnly": True}


def _plain(text: str) -> str:
    if _CONTROL.search(text):
        raise PydanticCustomError("control_characters", "no control characters")
    return text


def _instant(given: Any) -> Any:
    found = instant_of(given) if isinstance(given, str) else None
    if found is None:
        raise PydanticCustomError("instant", "no instant")
    return found


def _moment(given: Any) -> Any:
    found = moment_of(given) if isinstance(given, str) else None
    if found is None:
        raise PydanticCustomError("moment", "no moment")
    return found


def _address(text: str) -> str:
    found = address_from(text)
    if found is None:
        raise PydanticCustomError("address", "no address")
    return found


SecretText = Annotated[Secret, _SecretText]
Text = Annotated[str, AfterValidator(_plain), Field(max_length=4096)]
Note = Annotated[str, AfterValidator(_plain), Field(max_length=LONGEST_NOTE)]
ConnectorId = Annotated[str, Field(max_length=63, pattern=r"^[a-z][a-z0-9-]{1,62}$")]
AnyId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$")]
Address = Annotated[str, AfterValidator(_address), Field(max_length=50)]
Instant = Annotated[datetime, BeforeValidator(_instant)]
Moment = Annotated[
    float, BeforeValidator(_moment), WithJsonSchema({"type": "string", "description": "RFC 3339, or Unix seconds"})
]
Number = Annotated[int, Field(ge=1, le=2**63 - 1, strict=False)]
Mac = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
FieldValue = SecretText | bool | int | float | None


class Members(BaseModel):
    """What all bodies have in common: an unknown member is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, arbitrary_types_allowed=True)


class ClientSetting(Members):
    """The application registered with the provider."""

    client_id: Text
    client_secret: SecretText | None = Field(default=None, repr=False)


class Publishing(Members):
    """`corrects`: the published version whose advice alone is to be corrected; without it the newest, or a new one.

    `note`: one line on what it is for, kept with a new version and in the audit log.
    """

    corrects: Number | None = None
    note: Note | None = None


class NewConnection(Members):
    """Somebody's credentials. `connection` reconnects that one instead of making another.

    `client_address`: the person's IP address, for a connector with `client_address_header`; else it is not used.
    """

    connector: ConnectorId
    owner: Text
    username: Text | None = Field(default=None, repr=False)
    password: SecretText | None = Field(default=None, repr=False)
    fields: dict[str, FieldValue] = Field(default_factory=dict, repr=False, max_length=100)
    keep_password: bool = False
    keep_totp_seed: bool = False
    connection: Text | None = None
    allow_account_change: bool = False
    client_address: Address | None = Field(default=None, repr=False)


class Answers(Members):
    """What the person answered, by the keys that the challenge asks for. `client_address`: as in the login."""

    answers: dict[str, FieldValue] = Field(default_factory=dict, repr=False, max_length=100)
    client_address: Address | None = Field(default=None, repr=False)


class NewConnectSession(Members):
    """Who shall get a link, and where the person goes afterwards.

    `origin`: of the page that opens the link in a popup, such as `https://app.example`.
    """

    connector: ConnectorId
    owner: Text
    return_url: Text | None = None
    origin: Text | None = None
    app_name: Text = ""
    owner_label: Text = ""


class Reconnect(Members):
    """How the person who repairs a connection is spoken to; without any of these an unopened link is shown again."""

    return_url: Text | None = None
    origin: Text | None = None
    app_name: Text = ""
    owner_label: Text = ""


class NewPersonLink(Members):
    """Until when a link for the person is good; 7 days from now where nothing is said, 366 at most."""

    expires_at: Instant | None = None


class Confirmation(Members):
    """The one-time code that came to the return URL."""

    code: Text = Field(repr=False)


class NewApiKey(Members):
    """What a new API key may do, and until when."""

    name: Text
    scopes: list[Text] = Field(max_length=20)
    connectors: list[ConnectorId] = Field(default_factory=list, max_length=1000)
    owners: list[Text] = Field(default_factory=list, max_length=1000)
    expires_at: Instant | None = None


class RollApiKey(Members):
    """For how many seconds the old key goes on beside the new one."""

    overlap_s: Annotated[int, Field(ge=0, le=30 * 86_400)] | None = None


class JobFilter(Members):
    """Which connections a job is about; what is left out means any.

    `search`: what name, owner or id begins with. `reason`: why those that need the person do. `error`, `attention`,
    `ends_before`, `renews_before`: as in a list.
    """

    connector: ConnectorId | None = None
    owner: Text | None = None
    state: Text | None = None
    search: Text | None = None
    reason: Text | None = None
    error: Text | None = None
    attention: bool = False
    ends_before: Moment | None = None
    renews_before: Moment | None = None


class NewJob(Members):
    """One action on many connections: on those of `filter`, or on these `connections`."""

    kind: Text
    action: Text
    filter: JobFilter = Field(default_factory=JobFilter)
    connections: list[AnyId] | None = Field(default=None, min_length=1, max_length=1000)


class Nothing(Members):
    """No members: a body may be left out."""


class ConnectionQuery(Members):
    """Which connections to list.

    `search`: what name, owner or id begins with; of a name A to Z count as a to z. `reason`: why those that need the
    person do. `error`: that reason, or where there is none the code of the last failure. `attention=true`: those that
    are active, and yet their last renewal or test failed, their token ended and nothing renewed it, or they end soon.
    `ends_before`: active ones without anything that could renew them, whose token ends before. `renews_before`: those
    whose next renewal is due before. `calls=true`: each with its calls of the last 24 hours.
    """

    connector: Text | None = None
    owner: Text | None = None
    state: Text | None = None
    search: Text | None = None
    reason: Text | None = None
    error: Text | None = None
    attention: Literal["true"] | None = None
    ends_before: Moment | None = None
    renews_before: Moment | None = None
    calls: Literal["true"] | None = None
    cursor: Text | None = None
    limit: Annotated[int, Field(ge=1, le=200, strict=False)] = 50


class PageQuery(Members):
    """Which part of a list."""

    cursor: Text | None = None
    limit: Annotated[int, Field(ge=1, le=200, strict=False)] = 50


class JobQuery(PageQuery):
    """Which jobs; those of one kind or in one state, or all."""

    kind: Text | None = None
    state: Text | None = None


class EventQuery(PageQuery):
    """Which part of a timeline. `kind`: only what is about `renewals`, tests and `calls`, `failures` or `changes`.

    `calls=true`: also the calls, folded by the hour. Its cursors are its own.
    """

    kind: Literal["renewals", "calls", "failures", "changes"] | None = None
    calls: Literal["true"] | None = None


class AuditQuery(PageQuery):
    """Which records: all that are given have to fit. `since` is included, `until` is not.

    `without`: actions that are left out, with commas between, such as `connection.expiring`.
    """

    actor: Text | None = None
    action: Text | None = None
    owner: Text | None = None
    connection: Text | None = None
    connector: Text | None = None
    outcome: Text | None = None
    without: Text = ""
    since: Instant | None = None
    until: Instant | None = None


class SessionsQuery(PageQuery):
    """Which connect sessions: all that are given have to fit. `state`: `open` (nobody has opened it) or `claimed`."""

    connector: ConnectorId | None = None
    owner: Text | None = None
    state: Literal["open", "claimed"] | None = None


class ExportQuery(Members):
    """From when, included, and until when, not included."""

    since: Instant | None = None
    until: Instant | None = None


class VerifyQuery(Members):
    """`seq`, `mac`: a head that was kept elsewhere, to be held against the log; both or neither.

    `first`, `last`: the records where a stretch begins and ends; neither: the whole log.
    """

    seq: Number | None = None
    mac: Mac | None = None
    first: Number | None = None
    last: Number | None = None


class TestQuery(Members):
    """Whether to send the test call or to show it."""

    __test__ = False  # not for pytest to collect

    dry_run: Annotated[bool, Field(strict=False)] = False


class CallToShow(Members):
    """A call of the API as it would be given to the proxy. `path`: with its query. `base_url`: another allowed base."""

    method: Text
    path: Text
    headers: dict[Text, Text] = Field(default_factory=dict, repr=False, max_length=100)
    body: str = Field(default="", repr=False)
    base_url: Text | None = None


class DisconnectQuery(Members):
    """`forget=now`: do not try to tell the provider again later."""

    forget: Annotated[str, Field(pattern="^now$")] | None = None


class NewLogLevel(Members):
    """How much to log, and for how many seconds."""

    level: Literal["debug", "info", "warning", "error"]
    for_s: Annotated[int, Field(ge=1, le=86_400)] = 600
