"""The nine steps as values: what a connector says, with every default resolved.

Rule 1: nothing in here does anything; a `Connector` is read by `reading`, judged by `lint`, run by the engine.
Rule 2: every default stands in `reading` or in these declarations, once; a published version has them all frozen.
Rule 3: text with `{{ … }}` in it is a `Template`, parsed once when the connector is read.

Source: the connector format, version 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any, TypeAlias

from keyturn.core.advice.texts import Links, Notes, Retirement
from keyturn.core.templates import Made, Template

FORMAT_VERSION = 1

# What a request parameter may be: text with templates, or JSON around such text.
Params: TypeAlias = "Template | int | float | bool | tuple[Params, ...] | Mapping[str, Params] | None"


def _empty() -> Mapping[str, Any]:
    return MappingProxyType({})


# Key of a field → the values of which it has to have one.
Values: TypeAlias = "Mapping[str, tuple[str | int | float | bool, ...]]"


class FieldType(StrEnum):
    """What an input of the connect form takes."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105
    CHOICE = "choice"
    NUMBER = "number"
    BOOLEAN = "boolean"
    URL = "url"
    EMAIL = "email"
    HOST = "host"
    OTP = "otp"
    TOTP_SEED = "totp_seed"


class Keep(StrEnum):
    """How long a field's value lives: in the clear, sealed, or only while the login runs."""

    PLAIN = "plain"
    SEALED = "sealed"
    NEVER = "never"


class PasswordKeep(StrEnum):
    """Whether the password may outlive the login (RFC 6749 §4.3.1 says that it must not)."""

    NEVER = "never"
    OFFER = "offer"
    REQUIRED = "required"


class TrustReason(StrEnum):
    """Why a password grant is acceptable at this provider."""

    LEGACY = "legacy"
    FIRST_PARTY = "first_party"
    NO_ALTERNATIVE = "no_alternative"


class Encoding(StrEnum):
    """How parameters travel."""

    FORM = "form"
    JSON = "json"
    MULTIPART = "multipart"
    QUERY = "query"
    XML = "xml"
    TEXT = "text"


class ClientAuthentication(StrEnum):
    """How keyturn proves which application it is (RFC 6749 §2.3.1). Exactly one, never two at once."""

    NONE = "none"
    BASIC = "basic"
    BASIC_RAW = "basic_raw"
    POST = "post"
    PRIVATE_KEY_JWT = "private_key_jwt"  # RFC 7523; the application's secret is the private key


class ExpiryUnit(StrEnum):
    """In what an answer counts the life of a token."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MINUTES = "minutes"
    ABSOLUTE_SECONDS = "absolute_s"
    ABSOLUTE_MILLISECONDS = "absolute_ms"
    ISO8601 = "iso8601"
    HTTP_DATE = "http_date"
    JWT_EXP = "jwt_exp"


class FailureClass(StrEnum):
    """What a refusal means; decides what the person reads and what is tried again."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105
    WRONG_CODE = "wrong_code"
    PASSWORD_OR_CODE = "password_or_code"  # noqa: S105
    LOCKED = "locked"
    PASSWORD_EXPIRED = "password_expired"  # noqa: S105
    MUST_ACT = "must_act"
    GRANT_DISABLED = "grant_disabled"
    CLIENT_WRONG = "client_wrong"
    SCOPE_DENIED = "scope_denied"
    RATE_LIMITED = "rate_limited"


class Strategy(StrEnum):
    """What a renewal may use, in order."""

    REFRESH_ONLY = "refresh_only"
    PASSWORD_ONLY = "password_only"  # noqa: S105
    REFRESH_THEN_PASSWORD = "refresh_then_password"  # noqa: S105


class Rotation(StrEnum):
    """Whether a refresh token is good once (rotating, assumed) or until it ends (stable)."""

    ROTATING = "rotating"
    STABLE = "stable"


class Generator(StrEnum):
    """How a value is made that a connection has for its whole life."""

    UUID = "uuid"  # random, version 4 (RFC 9562 §5.4)


class TokenKind(StrEnum):
    """Which of a token set is meant, by the hints of RFC 7009 §2.1."""

    REFRESH_TOKEN = "refresh_token"  # noqa: S105
    ACCESS_TOKEN = "access_token"  # noqa: S105


class OnDuplicate(StrEnum):
    """What a second login of an already connected account does."""

    UPDATE = "update"
    REJECT = "reject"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True)
class Trust:
    """Why the password grant is acceptable here; a connector without one cannot be published."""

    reason: TrustReason
    note: str = ""
    alternative: str | None = None  # a connector's id or a URL, where a safer flow exists


@dataclass(frozen=True, slots=True)
class Field:
    """One extra input of the connect form (step 1), or one thing that a challenge asks."""

    key: str
    label: str
    type: FieldType = FieldType.TEXT
    help: str = ""
    choices: Mapping[str, str] = field(default_factory=_empty)  # value → label; only with type choice
    default: str | int | float | bool | None = None
    required: bool = True
    keep: Keep = Keep.PLAIN
    pattern: str | None = None  # a regular expression that the whole value has to match
    min_length: int | None = None
    max_length: int | None = None
    hosts: tuple[str, ...] = ()  # only with type host: patterns such as *.my.example.com
    self_hosted: bool = False  # only with type host: any public host, shown before the password
    choices_from: str | None = None  # only in a challenge: JMESPath on its answer, a list of {value, label}
    visible_when: Values = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class UsernameInput:
    """How the connect form asks for the username."""

    label: str = "Username"
    type: FieldType = FieldType.TEXT  # text or email
    help: str = ""


@dataclass(frozen=True, slots=True)
class PasswordInput:
    """How the connect form asks for the password, and what becomes of it."""

    label: str = "Password"
    keep: PasswordKeep = PasswordKeep.NEVER
    reason: str = ""  # required where keep is offer or required; shown to the person
    help: str = ""


@dataclass(frozen=True, slots=True)
class When:
    """A condition on an answer; all of its parts that are given must hold.

    `status`: HTTP status codes, empty for any. `body`: JMESPath that must come out true.
    `header`: lower-case name → regular expression, found anywhere in the value.
    """

    status: frozenset[int] = frozenset()
    body: str | None = None
    header: Mapping[str, str] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class Failure:
    """The provider's own way of saying no, and what it means."""

    when: When
    failure_class: FailureClass
    help: str = ""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """Where in an answer a span or instant stands, and in which unit."""

    source: str  # JMESPath, header:NAME, cookie:NAME or @
    unit: ExpiryUnit = ExpiryUnit.SECONDS


@dataclass(frozen=True, slots=True)
class ResponseMapping:
    """Where an answer's values stand: a JMESPath on the body, `header:NAME`, `cookie:NAME` or `@` for the whole body.

    None means the usual top-level member of RFC 6749 §5.1 (and, for `expires`, the usual three names).
    `hosts`: kept values that name a host or an https origin → the hosts that they may name.
    """

    access_token: str | None = None
    refresh_token: str | None = None
    token_type: str | None = None
    scope: str | None = None
    error: str | None = None
    expires: Lifetime | None = None
    retry_after: Lifetime | None = None
    keep: Mapping[str, str] = field(default_factory=_empty)  # name → where; afterwards {{ token.NAME }}
    hosts: Mapping[str, tuple[str, ...]] = field(default_factory=_empty)
    refresh_expires: Lifetime | None = None


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One request to a provider: token, refresh, revoke, test or a challenge's next step."""

    url: Template
    method: str = "POST"
    encoding: Encoding = Encoding.FORM
    headers: Mapping[str, Template] = field(default_factory=_empty)
    params: Mapping[str, Params] = field(default_factory=_empty)
    body: Template | None = None  # with encoding xml or text, in the place of parameters
    authentication: ClientAuthentication = ClientAuthentication.NONE
    response: ResponseMapping = ResponseMapping()
    success_when: When | None = None
    rejected_when: When | None = None
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True, slots=True)
class Refresh:
    """Step 3: how a token set is renewed.

    `honoured` is False for `refresh: none`: a refresh token that is handed out but does not work is ignored.
    `leeway_s`: for so many seconds after it was used an old refresh token may be sent again (the provider's
    reuse interval); 0 means never. `with_token`: the live access token is what renews, for as long as it lives; no
    refresh token is needed. `lifetime_s`: how long a refresh token lives from each answer on, where no answer says it.
    `keep_alive`: it is renewed in time even where nobody calls, and in a connection that is paused or unconfirmed.
    `last_resort`: a refresh token of unknown fate is sent once more, once its access token has ended and nothing else
    is left; where the provider did replace it, that may end the grant.
    """

    request: ProviderRequest
    strategy: Strategy = Strategy.REFRESH_ONLY
    rotation: Rotation = Rotation.ROTATING
    leeway_s: float = 0.0
    honoured: bool = True
    with_token: bool = False
    lifetime_s: float | None = None
    keep_alive: bool = False
    last_resort: bool = False


@dataclass(frozen=True, slots=True)
class Revoke:
    """Step 4: one request that tells the provider that a token set is done with (RFC 7009)."""

    request: ProviderRequest
    tokens: tuple[TokenKind, ...] = (TokenKind.REFRESH_TOKEN, TokenKind.ACCESS_TOKEN)
    on_replace: bool = True


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the test's answer has to look like; no status means any 2xx, no body means one that is not empty."""

    status: frozenset[int] = frozenset()
    body: str | None = None


@dataclass(frozen=True, slots=True)
class TestCall:
    """Step 5: the call that proves a token, and whose answer feeds name and unique id."""

    __test__ = False  # not for pytest to collect

    request: ProviderRequest
    expect: Expectation = Expectation()


@dataclass(frozen=True, slots=True)
class AllowedUrl:
    """Step 7: a place that calls may reach, or with `deny` may not; `methods`: in capitals, none for all."""

    url: Template
    methods: frozenset[str] = frozenset()
    deny: bool = False


@dataclass(frozen=True, slots=True)
class OnSomeCalls:
    """What is put only on calls with one of these methods and below one of these paths; none of either: all.

    `paths`: as they stand in the URL, from the host on; a segment `*` stands for any one.
    """

    methods: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    headers: Mapping[str, Template] = field(default_factory=_empty)
    query: Mapping[str, Template] = field(default_factory=_empty)
    body: Mapping[str, Params] = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class RequestParameters:
    """Step 9: what is put on every call through a connection.

    `headers` and `query` keep the author's spelling of names; `locked` holds names in lower case that the caller
    may not override (each value that uses a secret is in it, whether the author wrote it or not). `only`: put on some
    calls, over what is put on all. `encoded_slashes`: whether a path may hold `%2F`.
    """

    base_url: Template
    headers: Mapping[str, Template] = field(default_factory=_empty)
    query: Mapping[str, Template] = field(default_factory=_empty)
    body: Mapping[str, Params] = field(default_factory=_empty)
    locked: frozenset[str] = frozenset()
    only: tuple[OnSomeCalls, ...] = ()
    encoded_slashes: bool = False


@dataclass(frozen=True, slots=True)
class Poll:
    """What the person confirms elsewhere: `then` is sent again while an answer says that nothing was decided yet.

    `every_s`, `for_s`: seconds between two requests, and in all. `pending`: JMESPath on the body (the file's `while`).
    """

    pending: str
    every_s: float = 3.0
    for_s: float = 120.0


@dataclass(frozen=True, slots=True)
class Challenge:
    """Something that the provider asks in between: a code, a choice, a confirmation elsewhere.

    `then` is the next request with the keys of `token` where the author gave none;
    `extra_params` add to its parameters or replace one of the same name. `resend` asks the provider for another code,
    with the same defaults as `then`; None where it has no such request. `answers_challenge`: the answer of `then` is a
    further challenge by design, and one that matches none is malformed. `lifetime`: seconds, or where the answer says
    them; ten minutes at most either way.
    """

    when: When
    ask: tuple[Field, ...] = ()
    capture: Mapping[str, str] = field(default_factory=_empty)
    then: ProviderRequest | None = None
    poll: Poll | None = None
    answers_challenge: bool = False
    lifetime: float | Lifetime | None = None
    resend: ProviderRequest | None = None


@dataclass(frozen=True, slots=True)
class Before:
    """A request that runs before the token request of each login: it finds out a tenant, a nonce, a session.

    `capture`: name → where in its answer; each has to be there. `when`: only with these values of the fields.
    """

    name: str
    request: ProviderRequest
    capture: Mapping[str, str] = field(default_factory=_empty)
    when: Values = field(default_factory=_empty)


@dataclass(frozen=True, slots=True)
class Tls:
    """Whose certificates are trusted (the only ones then), and which one is shown: PEM, or a name that holds it."""

    ca: Template | None = None
    client_certificate: Template | None = None


@dataclass(frozen=True, slots=True)
class LoginLimits:
    """How many logins of one account may fail in how many seconds, to stay below the provider's lock-out.

    `renewals_at_once`: how many renewals may be under way at one host of the provider.
    """

    logins: int = 5
    per_s: float = 900.0
    renewals_at_once: int = 8


@dataclass(frozen=True, slots=True)
class SessionRules:
    """What a provider that allows few sessions says of them.

    `limit`: how many one account may have at once; None where that is not said. `logout_first`: a new login does not
    end an old one there, so that room has to be made before it.
    """

    logout_first: bool = False
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class Connector:
    """How one API logs in, in nine steps, every default resolved."""

    id: str
    title: str
    trust: Trust | None
    token: ProviderRequest
    test: TestCall
    allowed_urls: tuple[AllowedUrl, ...]
    unique_id: Template
    connection_name: Template
    request: RequestParameters
    refresh: Refresh
    docs_url: str | None = None
    register_url: str | None = None
    fields: tuple[Field, ...] = ()
    username: UsernameInput = UsernameInput()
    password: PasswordInput = PasswordInput()
    client_authentication: ClientAuthentication = ClientAuthentication.BASIC
    default_ttl_s: float | None = None
    revoke: Revoke | None = None
    further_revokes: tuple[Revoke, ...] = ()  # after `revoke`, where that is a list
    on_duplicate: OnDuplicate = OnDuplicate.UPDATE
    challenges: tuple[Challenge, ...] = ()
    stale_when: When = field(default_factory=lambda: When(status=frozenset({401})))
    limits: LoginLimits = LoginLimits()
    failures: tuple[Failure, ...] = ()
    links: Links = field(default_factory=Links)
    notes: Notes = field(default_factory=Notes)
    private_network: bool = False
    insecure_http: bool = False
    tls: Tls | None = None
    retires: Retirement | None = None
    derive: Mapping[str, Made] = field(default_factory=_empty)  # name → how it is made of others
    before: tuple[Before, ...] = ()  # in order
    generate: Mapping[str, Generator] = field(default_factory=_empty)  # name → what is made once per connection
    remember: Mapping[str, str] = field(default_factory=_empty)  # name → where in a login's last answer
    client_address_header: str | None = None  # in which a login passes the end user's address on
    session: SessionRules | None = None  # where the provider allows few sessions
    interactive: bool = False  # `login: interactive`: each login needs a code, so none is tried without the person

    @property
    def revokes(self) -> tuple[Revoke, ...]:
        """The requests of step 4, in their order; none: disconnecting only forgets."""
        return () if self.revoke is None else (self.revoke, *self.further_revokes)

    def field_named(self, key: str) -> Field | None:
        """Find the step-1 field with this key."""
        return next((each for each in self.fields if each.key == key), None)
