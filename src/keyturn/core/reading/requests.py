"""The keys of everything that goes to a provider or comes from it: requests, answers, conditions.

Source: the connector format, "Requests: token, refresh, revoke, challenge, test".
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from keyturn.core.connector import (
    ClientAuthentication,
    Encoding,
    ExpiryUnit,
    FailureClass,
    Rotation,
    Strategy,
    TokenKind,
)
from keyturn.core.format.expressions import HEADER_NAME
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.keys.revocations import SeveralInOrder
from keyturn.core.reading.shapes import Absent, Cursor, Key, ListOf, ObjectOr, Schema, Shape, Table, WordOr
from keyturn.core.reading.templated import ParamsTree, TemplateText
from keyturn.core.reading.values import (
    Boolean,
    Choice,
    Duration,
    Expression,
    MapOf,
    OneOrSeveral,
    Pattern,
    Scalar,
    Text,
    Whole,
)

NAME: Final = r"[A-Za-z_][A-Za-z0-9_-]{0,63}"  # what a template can name
NAME_FORM: Final = "a name of letters, digits, _ and -"
# Key of a field → the value that it has to have, or several of which it has to have one.
VALUES: Final = MapOf(OneOrSeveral(Scalar()), NAME, NAME_FORM, max_items=5, min_items=1)


class Method(StrEnum):
    """HTTP methods that a provider request may have."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    PATCH = "PATCH"
    DELETE = "DELETE"
    HEAD = "HEAD"


class RefreshWith(StrEnum):
    """What a renewal shows, where it is no refresh token."""

    TOKEN = "token"  # noqa: S105


class ThenAnswers(StrEnum):
    """What the answer of a challenge's request is by design, where it is no token."""

    CHALLENGE = "challenge"


class When:
    """A condition on an answer; `anything`: whether one without parts is fine."""

    def __init__(self, *, anything: bool = False) -> None:
        self._anything = anything
        self._table = Table(
            "a condition",
            (
                Key(
                    "status",
                    ListOf(Whole(100, 599), "HTTP status codes", 0, 50, unique=True),
                    "HTTP status codes, any of them",
                ),
                Key("body", Expression(), "a JMESPath on the body that has to come out true"),
                Key(
                    "header",
                    MapOf(Pattern(), HEADER_NAME.pattern, "a header's name", 20, fold_case=True),
                    "a header's name → a regular expression, found anywhere in its value",
                ),
            ),
        )

    def read(self, at: Cursor) -> object:
        """Read the parts; a condition that would hold always is refused."""
        read = self._table.read(at)
        empty = isinstance(at.value, dict) and not any(at.value.values())
        if empty and not self._anything and not isinstance(read, Absent):
            return at.fault(Fault.EMPTY_CONDITION, "expected at least one of status, body and header")
        return read

    def schema(self) -> Schema:
        """Describe the parts."""
        return self._table.schema() | ({} if self._anything else {"minProperties": 1})


FAILURES: Final = ListOf(
    Table(
        "a failure",
        (
            Key("when", When(), "which answers are meant", required=True),
            Key("class", Choice(FailureClass), "what it means", required=True),
            Key("help", Text("text", 1_000, lines=True), "what the person reads besides"),
        ),
    ),
    "failures",
)

_LIFETIME_KEYS: Final = (
    Key("from", Expression(place=True), "where it stands in the answer", required=True),
    Key("unit", Choice(ExpiryUnit), "in what it is counted", default="s"),
)

HOST_PATTERN: Final = Text("a host such as *.example.com", 253)
_KEPT_HOST: Final = Table(
    "a kept host",
    (
        Key("from", Expression(place=True), "where the host, or an https address of it, stands", required=True),
        Key("hosts", ListOf(HOST_PATTERN, "hosts", 1, 50, unique=True), "which hosts it may be", required=True),
    ),
)

RESPONSE: Final = Table(
    "response",
    (
        Key("access_token", Expression(place=True), "where the access token stands"),
        Key("refresh_token", Expression(place=True), "where the refresh token stands"),
        Key("token_type", Expression(place=True), "where the token type stands"),
        Key("scope", Expression(place=True), "where the granted scope stands"),
        Key("error", Expression(place=True), "where the OAuth error code stands"),
        Key("expires", Table("expires", _LIFETIME_KEYS), "where the access token's lifetime stands"),
        Key("refresh_expires", Table("refresh_expires", _LIFETIME_KEYS), "where the refresh token's lifetime stands"),
        Key("retry_after", Table("retry_after", _LIFETIME_KEYS), "where the provider says how long to wait"),
        Key(
            "keep",
            MapOf(ObjectOr(_KEPT_HOST, Expression(place=True)), NAME, NAME_FORM, max_items=30),
            "further values, used as {{ token.NAME }}",
        ),
    ),
)

LIFETIME: Final = Table("lifetime", _LIFETIME_KEYS)

HEADERS: Final = MapOf(
    TemplateText("a header's value, with templates"), HEADER_NAME.pattern, "a header's name", fold_case=True
)
URL: Final = TemplateText("a URL, with templates")
BODY: Final = TemplateText("a body, with templates", lines=True)


def _request_keys(*, url_required: bool, encoding: str | None = "form", method: str = "POST") -> tuple[Key, ...]:
    return (
        Key("url", URL, "where the request goes", required=url_required),
        Key("method", Choice(Method), "the HTTP method", default=method),
        Key("encoding", Choice(Encoding), "how the parameters travel", default=encoding),
        Key("headers", HEADERS, "headers of this request"),
        Key("params", ParamsTree(), "parameters, nested with json"),
        Key("body", BODY, "the whole body, with templates: for encoding xml and text, in the place of params"),
        Key(
            "authentication",
            Choice(ClientAuthentication),
            "how the application proves itself here; client.authentication where absent",
        ),
        Key("response", RESPONSE, "where the values of the answer stand"),
        Key("success_when", When(), "what only a success looks like"),
        Key("rejected_when", When(), "what a rejected password looks like, where status alone doesn't tell"),
        Key("failures", FAILURES, "the provider's own ways of saying no"),
    )


def _request(what: str, keys: tuple[Key, ...]) -> Table:
    return Table(what, keys)


CAPTURE: Final = MapOf(Expression(place=True), NAME, NAME_FORM, max_items=20)

REMEMBER: Final = MapOf(Expression(place=True), NAME, NAME_FORM, max_items=10)

BEFORE: Final = _request(
    "a request before the login",
    (
        Key("name", Text("a name", 64, pattern=NAME, form=NAME_FORM), "what the audit log calls it", required=True),
        Key("capture", CAPTURE, "name → where it stands in this answer, for templates in token, challenges and later"),
        Key("when", VALUES, "sent only while each of these fields has the value, or one of the values"),
        *_request_keys(url_required=True),
    ),
)

TOKEN: Final = _request(
    "token",
    (
        Key("before", ListOf(BEFORE, "requests", 0, 10), "requests that run before each login, in this order"),
        *_request_keys(url_required=True),
        Key("default_ttl", Duration(1, 10 * 366 * 86_400), "the token's life where the provider says nothing"),
    ),
)

REFRESH: Final[Shape] = WordOr(
    "none",
    _request(
        "refresh",
        (
            Key("strategy", Choice(Strategy), "what a renewal may use, in order"),
            Key("rotation", Choice(Rotation), "whether a refresh token is good once", default="rotating"),
            Key("leeway", Duration(0, 86_400), "how long a used refresh token may be sent again", default=0),
            Key("with", Choice(RefreshWith), "token: the live token renews itself, before it ends"),
            Key(
                "lifetime",
                Duration(60, 10 * 366 * 86_400),
                "how long a refresh token lives from each answer on, where no answer says it",
            ),
            Key(
                "keep_alive",
                Boolean(),
                "renewed in time even where nobody calls, also while paused or unconfirmed",
                default=False,
            ),
            Key(
                "last_resort",
                Boolean(),
                "a refresh token of unknown fate is sent once more, after the access token's end",
                default=False,
            ),
            *_request_keys(url_required=False, encoding=None),
        ),
    ),
)

REVOKE: Final[Shape] = SeveralInOrder(
    _request(
        "revoke",
        (
            Key(
                "tokens",
                ListOf(Choice(TokenKind), "tokens", 1, 2, unique=True),
                "which tokens are revoked, in order",
                default=["refresh_token", "access_token"],
            ),
            Key("on_replace", Boolean(), "false where revoking an old token kills the new one", default=True),
            *_request_keys(url_required=True),
        ),
    )
)

TEST: Final = _request(
    "test",
    (
        Key(
            "expect",
            Table(
                "expect",
                (
                    Key("status", ListOf(Whole(100, 599), "HTTP status codes", 0, 50, unique=True), "any of these"),
                    Key("body", Expression(), "a JMESPath that has to come out true"),
                ),
            ),
            "what the answer has to look like; any 2xx with a body that isn't empty where absent",
        ),
        *_request_keys(url_required=True, encoding=None, method="GET"),
    ),
)

_EXTRA_PARAMS: Final = Key(
    "extra_params", ParamsTree(), "parameters added to those of the token request, or in their place"
)

POLL: Final = Table(
    "poll",
    (
        Key("every", Duration(1, 60), "how long to wait between two requests", default=3),
        Key("for", Duration(1, 600), "how long to go on in all", default=120),
        Key("while", Expression(), "a JMESPath on the body that is true as long as nothing is decided", required=True),
    ),
)

THEN: Final = _request(
    "then",
    (
        _EXTRA_PARAMS,
        Key("poll", POLL, "sent again and again, for what the person confirms elsewhere"),
        Key("answers", Choice(ThenAnswers), "where the answer is a further challenge by design, and never a token"),
        *_request_keys(url_required=False, encoding=None),
    ),
)

RESEND: Final = _request("resend", (_EXTRA_PARAMS, *_request_keys(url_required=False, encoding=None)))
