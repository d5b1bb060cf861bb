"""Which inputs each step's form has; step 0 is what the connector says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keyturn.web.console.pages.connectors.inputs import Input, Kind

_AUTHENTICATION: Final = {
    "": "as the standard says: HTTP Basic",
    "basic": "HTTP Basic header",
    "basic_raw": "HTTP Basic header, without percent-encoding",
    "post": "id and secret in the body",
    "none": "no secret",
}
_ENCODING: Final = {
    "": "as a form (the default)",
    "form": "as a form",
    "json": "as JSON",
    "multipart": "as multipart form data",
    "query": "in the URL's query",
}
_METHODS: Final = {
    "": "POST (the default)",
    "POST": "POST",
    "GET": "GET",
    "PUT": "PUT",
    "PATCH": "PATCH",
    "DELETE": "DELETE",
}
_TEST_METHODS: Final = {"": "GET (the default)", "GET": "GET", "HEAD": "HEAD", "POST": "POST"}
_UNITS: Final = {
    "": "seconds (the default)",
    "s": "seconds",
    "ms": "milliseconds",
    "minutes": "minutes",
    "absolute_s": "an instant, Unix seconds",
    "absolute_ms": "an instant, Unix milliseconds",
    "iso8601": "an instant, ISO 8601",
    "http_date": "an instant, HTTP date",
    "jwt_exp": "the exp of a JWT",
}
_PATH: Final = "A path in the answer (JMESPath), header:NAME or cookie:NAME."
_TEMPLATE: Final = "Values stand as {{ name }}."

INPUTS: Final[Mapping[int, tuple[Input, ...]]] = {
    0: (
        Input("/title", "Title", hint="The provider's name as people know it."),
        Input(
            "/trust/reason",
            "Why is a password acceptable here?",
            Kind.CHOICE,
            choices={
                "": "not said: it can't be published",
                "legacy": "the provider offers nothing newer",
                "first_party": "the provider is ours",
                "no_alternative": "the provider's other ways can't be used",
            },
        ),
        Input("/trust/note", "In your words", hint="The person who connects reads it."),
        Input("/trust/alternative", "Safer way in", hint="Another connector's id or a URL, where there is one."),
        Input("/docs_url", "The provider's documentation"),
        Input("/register_url", "Where the application is registered"),
        Input("/notes/setup", "Note for whoever sets it up", more=True),
        Input("/notes/warning", "Warning for the person who connects", more=True),
        Input("/notes/disconnect", "Note for the person who disconnects", more=True),
        Input("/links/reset_password", "Where a password is reset", more=True),
        Input("/links/unlock", "Where an account is unlocked", more=True),
        Input("/links/app_password", "Where an app password is made", more=True),
    ),
    1: (
        Input("/fields", "Further fields", Kind.FIELDS, "Ask only for what the requests need."),
        Input("/username/label", "Label of the username", fallback="Username"),
        Input(
            "/username/type",
            "Kind of username",
            Kind.CHOICE,
            choices={"": "text (the default)", "text": "text", "email": "e-mail address"},
        ),
        Input("/username/help", "Hint for the username"),
        Input("/password/label", "Label of the password", fallback="Password"),
        Input("/password/help", "Hint for the password"),
        Input(
            "/password/keep",
            "May the password be kept?",
            Kind.CHOICE,
            "RFC 6749 says it must not be. Keep it only where no refresh token is given.",
            choices={
                "": "never (the default)",
                "never": "never: used once and forgotten",
                "offer": "where the person agrees",
                "required": "always: it can't work without",
            },
        ),
        Input("/password/reason", "Reason for keeping it", hint="Shown to the person."),
    ),
    2: (
        Input("/token/url", "Token URL", hint="Where username and password go."),
        Input("/token/method", "Method", Kind.CHOICE, choices=_METHODS),
        Input("/client/authentication", "How the application proves itself", Kind.CHOICE, choices=_AUTHENTICATION),
        Input("/token/encoding", "How values are sent", Kind.CHOICE, choices=_ENCODING),
        Input(
            "/token/params",
            "Parameters",
            Kind.PAIRS,
            f"{_TEMPLATE} Without any: grant_type, username, password, scope of RFC 6749.",
        ),
        Input("/token/headers", "Headers", Kind.PAIRS, more=True),
        Input("/token/response/access_token", "Where the access token stands", hint=_PATH, fallback="access_token"),
        Input("/token/response/refresh_token", "Where the refresh token stands", fallback="refresh_token"),
        Input("/token/response/expires/from", "Where the lifetime stands", fallback="expires_in"),
        Input("/token/response/expires/unit", "What it counts", Kind.CHOICE, choices=_UNITS),
        Input("/token/default_ttl", "Lifetime where nothing says it", Kind.NUMBER, "Seconds."),
        Input("/token/response/token_type", "Where the type stands", more=True, fallback="token_type"),
        Input("/token/response/scope", "Where the scope stands", more=True, fallback="scope"),
        Input("/token/response/error", "Where the error code stands", more=True, fallback="error"),
        Input("/token/response/keep", "Further values to keep", Kind.PAIRS, "Afterwards {{ token.NAME }}.", more=True),
        Input("/token/failures", "What refusals mean", Kind.YAML, "A list of when, class and help.", more=True),
        Input(
            "/challenges", "Codes and other challenges", Kind.YAML, "A list of when, ask, capture and then.", more=True
        ),
        Input("/limits/logins", "Failed logins allowed", Kind.NUMBER, more=True, fallback="5"),
        Input(
            "/limits/per",
            "In which time",
            hint="Such as 15m; stay below the provider's lock-out.",
            more=True,
            fallback="15m",
        ),
    ),
    3: (
        Input(
            "/refresh/strategy",
            "How a connection is renewed",
            Kind.CHOICE,
            choices={
                "": "by the refresh token; by the password where it is kept",
                "refresh_only": "by the refresh token only",
                "refresh_then_password": "by the refresh token, else by the kept password",
                "password_only": "by the kept password only",
            },
        ),
        Input("/refresh/url", "Refresh token URL", hint="Empty: the token URL."),
        Input(
            "/refresh/rotation",
            "Is a refresh token good once?",
            Kind.CHOICE,
            choices={
                "": "yes, each answer brings a new one (the default)",
                "rotating": "yes, rotating",
                "stable": "no, it stays",
            },
        ),
        Input("/refresh/params", "Parameters", Kind.PAIRS, "Without any: grant_type and refresh_token."),
        Input(
            "/refresh/encoding", "How values are sent", Kind.CHOICE, choices={**_ENCODING, "": "as at the token URL"}
        ),
        Input("/refresh/method", "Method", Kind.CHOICE, choices={**_METHODS, "": "as at the token URL"}, more=True),
        Input("/refresh/headers", "Headers", Kind.PAIRS, more=True),
        Input(
            "/refresh/leeway", "Reuse interval", hint="How long an old one may be sent again, such as 30s.", more=True
        ),
    ),
    4: (
        Input("/revoke/url", "Revoke token URL", hint="Empty: the provider is not told, and the person is told so."),
        Input("/revoke/method", "Method", Kind.CHOICE, choices=_METHODS),
        Input("/revoke/params", "Parameters", Kind.PAIRS, "Without any: token and token_type_hint of RFC 7009."),
        Input("/revoke/tokens", "Which tokens", Kind.LIST, fallback="refresh_token, access_token"),
        Input("/revoke/headers", "Headers", Kind.PAIRS, more=True),
        Input("/revoke/encoding", "How values are sent", Kind.CHOICE, choices=_ENCODING, more=True),
        Input(
            "/revoke/on_replace",
            "After a new login, revoke what it replaced?",
            Kind.CHOICE,
            choices={"": "yes (the default)", "true": "yes", "false": "no: it would end the new one too"},
            more=True,
        ),
    ),
    5: (
        Input("/test/url", "URL", hint="Has to be covered by step 7."),
        Input("/test/method", "Method", Kind.CHOICE, choices=_TEST_METHODS),
        Input("/test/expect/status", "Expected status", Kind.LIST, fallback="any 2xx", numbers=True),
        Input(
            "/test/expect/body",
            "Expected in the body",
            hint="A path or condition (JMESPath) that must come out true.",
            fallback="any body",
        ),
        Input("/test/params", "Parameters", Kind.PAIRS, more=True),
        Input("/test/headers", "Headers", Kind.PAIRS, "Beside those of step 9.", more=True),
    ),
    6: (Input("/connection_name", "Name", hint=f"{_TEMPLATE} The test's answer is test."),),
    7: (
        Input(
            "/allowed_urls",
            "Allowed URLs",
            Kind.RULES,
            "Scheme, host and the beginning of the path; methods where not all.",
        ),
    ),
    8: (
        Input("/unique_id", "Identifier", hint=f"{_TEMPLATE} Take the account's id, no name and no address."),
        Input(
            "/on_duplicate",
            "When the account is connected already",
            Kind.CHOICE,
            choices={
                "": "use the connection that there is (the default)",
                "update": "use the connection that there is",
                "reject": "refuse",
                "allow": "make another connection",
            },
        ),
    ),
    9: (
        Input("/request/base_url", "Base URL of calls", fallback="the first allowed URL"),
        Input(
            "/request/headers",
            "Headers",
            Kind.PAIRS,
            "Authorization: Bearer {{ access_token }} is put on unless a value here uses the token.",
        ),
        Input("/request/query", "Query", Kind.PAIRS),
        Input("/request/body", "Body", Kind.PAIRS, "Put into JSON objects and forms."),
        Input(
            "/request/locked",
            "Which of them callers may not override",
            Kind.LIST,
            "Names; a value with a secret always is.",
        ),
        Input(
            "/stale_when/status",
            "Status of an answer when the token is no longer good",
            Kind.LIST,
            fallback="401",
            numbers=True,
            more=True,
        ),
    ),
}
