"""Which inputs each step's form has; step 0 is what the connector says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from keyturn.web.console.pages.connectors.forms.inputs import Input, Kind
from keyturn.web.console.pages.connectors.forms.request_inputs import (
    AUTHENTICATION,
    ENCODING,
    FAILURES_HINT,
    METHODS,
    PATH,
    TEMPLATE,
    UNITS,
    request_more,
    revoke_inputs,
)

MODE: Final = "mode"  # of step 3: whether there is a refresh at all
MODE_LABEL: Final = "Does the provider give refresh tokens?"
_TEST_METHODS: Final = {"": "GET (the default)", "GET": "GET", "HEAD": "HEAD", "POST": "POST"}
_KEEP: Final = "Afterwards {{ token.NAME }}. A host: {from: instance_url, hosts: ['*.example.com']}."
_YES: Final = {"": "no (the default)", "true": "yes", "false": "no"}
_REQUEST: Final = "More of this request and its answer"
_REQUEST_HINT: Final = "For providers that say yes or no in their own way."
_REFUSALS: Final = "What refusals mean, and limits"
_REFUSALS_HINT: Final = "The provider's own ways of saying no, and how many logins may fail."
_VALUES: Final = "Values made here"
_VALUES_HINT: Final = "Further names for templates: made of others, made once for each connection, or given by a login."
_SESSIONS: Final = "Few sessions per account"
_SESSIONS_HINT: Final = "Only where the provider counts the sessions of an account."
_TLS: Final = "Networks, addresses and certificates"
_TLS_HINT: Final = "Each needs the operator's allowance as well, where it opens something."


def _folded(inputs: tuple[Input, ...]) -> tuple[Input, ...]:
    """What is seldom said of a step's own request, under a heading of its own."""
    return tuple(replace(each, more=False).in_group(_REQUEST, _REQUEST_HINT) for each in inputs)


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
        Input("/notes/access", "What applications can do", hint="One sentence; the person reads it before signing in."),
        Input("/notes/setup", "Note for whoever sets it up", more=True),
        Input("/notes/warning", "Warning for the person who connects", more=True),
        Input("/notes/disconnect", "Note for the person who disconnects", more=True),
        Input("/links/reset_password", "Where a password is reset", more=True),
        Input("/links/unlock", "Where an account is unlocked", more=True),
        Input("/links/app_password", "Where an app password is made", more=True),
        Input("/retires/on", "The provider ends this way on", hint="A day, such as 2027-01-31.", more=True),
        Input("/retires/source", "Where the provider says so", more=True),
        Input("/retires/successor", "What takes its place", hint="Another connector's id or a URL.", more=True),
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
                "": "never: used once and forgotten (the default)",
                "never": "never: used once and forgotten",
                "offer": "where the person agrees",
                "required": "always: it can't work without",
            },
        ),
        Input("/password/reason", "Reason for keeping it", hint="Shown to the person."),
    ),
    2: (
        Input("/token/url", "Token URL", hint="Where username and password go."),
        Input("/token/method", "Method", Kind.CHOICE, choices=METHODS),
        Input("/client/authentication", "How the application proves itself", Kind.CHOICE, choices=AUTHENTICATION),
        Input("/token/encoding", "How values are sent", Kind.CHOICE, choices=ENCODING),
        Input(
            "/token/params",
            "Parameters",
            Kind.PAIRS,
            f"{TEMPLATE} Without any: grant_type, username, password, scope of RFC 6749.",
        ),
        Input("/token/headers", "Headers", Kind.PAIRS, more=True),
        Input("/token/response/access_token", "Where the access token stands", hint=PATH, fallback="access_token"),
        Input("/token/response/refresh_token", "Where the refresh token stands", fallback="refresh_token"),
        Input("/token/response/expires/from", "Where the token's lifetime stands", fallback="expires_in"),
        Input("/token/response/expires/unit", "What the lifetime is given in", Kind.CHOICE, choices=UNITS),
        Input(
            "/token/default_ttl",
            "Lifetime of a token whose answer names none",
            Kind.NUMBER,
            "Seconds; the provider's documentation has it.",
        ),
        Input("/token/response/token_type", "Where the token's type stands", more=True, fallback="token_type"),
        Input("/token/response/scope", "Where the scope stands", more=True, fallback="scope"),
        Input("/token/response/error", "Where the error code stands", more=True, fallback="error"),
        *_folded(request_more("/token", response=False)),
        Input("/token/response/keep", "Further values to keep", Kind.PAIRS, _KEEP, more=True),
        Input("/token/response/refresh_expires/from", "Where the refresh token's lifetime stands", more=True),
        Input(
            "/token/response/refresh_expires/unit",
            "What the refresh token's lifetime is given in",
            Kind.CHOICE,
            choices=UNITS,
            more=True,
        ),
        Input("/token/response/retry_after/from", "Where a refusal says how long to wait", more=True),
        Input("/token/response/retry_after/unit", "What the wait is given in", Kind.CHOICE, choices=UNITS, more=True),
        *(
            each.in_group(_REFUSALS, _REFUSALS_HINT)
            for each in (
                Input(
                    "/failures",
                    "What refusals mean, everywhere",
                    Kind.YAML,
                    FAILURES_HINT,
                ),
                Input("/limits/logins", "Failed logins allowed", Kind.NUMBER, fallback="5"),
                Input(
                    "/limits/per",
                    "In which time",
                    hint="Such as 15m; stay below the provider's lock-out.",
                    fallback="15m",
                ),
            )
        ),
        *(
            each.in_group(_VALUES, _VALUES_HINT)
            for each in (
                Input(
                    "/derive",
                    "Made of others",
                    Kind.PAIRS,
                    "Such as {{ a }}:{{ b }}, or {join: [...], filters: [...]}.",
                ),
                Input("/generate", "Made once for each connection", Kind.PAIRS, "The value is uuid."),
                Input("/remember", "Given by a login, shown with later ones", Kind.PAIRS, f"Sealed. {PATH}"),
            )
        ),
        *(
            each.in_group(_TLS, _TLS_HINT)
            for each in (
                Input(
                    "/client_address_header",
                    "Header with the person's address",
                    hint="Only where the provider asks so.",
                ),
                Input("/private_network", "Are its hosts in a private network?", Kind.CHOICE, choices=_YES),
                Input("/insecure_http", "Is it plain http?", Kind.CHOICE, choices=_YES),
                Input(
                    "/tls/ca",
                    "Certificates that are trusted",
                    Kind.LONG,
                    "PEM, or the name of a sealed field: {{ ca }}.",
                ),
                Input("/tls/client_certificate", "Client certificate", hint="A sealed field: {{ certificate }}."),
            )
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
        Input(
            "/login",
            "Does each login need a code?",
            Kind.CHOICE,
            "Then none is tried without the person, who is warned before the end.",
            choices={"": "no (the default)", "interactive": "yes: only the person can log in"},
        ),
        Input(
            "/refresh/with",
            "What renews?",
            Kind.CHOICE,
            choices={"": "a refresh token", "token": "the live access token, before it ends"},
        ),
        Input("/refresh/url", "Refresh token URL", hint="Empty: the token URL."),
        Input(
            "/refresh/rotation",
            "Is a refresh token good once?",
            Kind.CHOICE,
            choices={
                "": "yes, each answer brings a new one (the default)",
                "rotating": "yes, each answer brings a new one",
                "stable": "no, it stays",
            },
        ),
        Input("/refresh/params", "Parameters", Kind.PAIRS, "Without any: grant_type and refresh_token."),
        Input("/refresh/encoding", "How values are sent", Kind.CHOICE, choices={**ENCODING, "": "as at the token URL"}),
        Input("/refresh/method", "Method", Kind.CHOICE, choices={**METHODS, "": "as at the token URL"}, more=True),
        Input("/refresh/headers", "Headers", Kind.PAIRS, more=True),
        Input("/refresh/lifetime", "A refresh token lives", hint="Where no answer says it; such as 30d.", more=True),
        Input(
            "/refresh/keep_alive",
            "Renew it in time even where nobody calls?",
            Kind.CHOICE,
            choices=_YES,
            more=True,
        ),
        Input(
            "/refresh/leeway", "Reuse interval", hint="How long an old one may be sent again, such as 30s.", more=True
        ),
        Input(
            "/refresh/last_resort",
            "Send it once more where nobody knows what became of it?",
            Kind.CHOICE,
            "Only after the access token's end, where nothing else is left. Not where reuse locks the account or ends "
            "all its sessions, or where connections share a grant.",
            choices=_YES,
            more=True,
        ),
        *_folded(request_more("/refresh")),
    ),
    4: (
        *revoke_inputs("/revoke"),
        *_folded(request_more("/revoke")),
        *(
            each.in_group(_SESSIONS, _SESSIONS_HINT)
            for each in (
                Input("/session/limit", "Sessions that one account may have", Kind.NUMBER),
                Input(
                    "/session/logout_first",
                    "What becomes of the old session at a new login?",
                    Kind.CHOICE,
                    choices={
                        "": "the provider ends it (the default)",
                        "false": "the provider ends it",
                        "true": "nothing: keyturn has to log out first",
                    },
                ),
            )
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
        Input(
            "/test/encoding",
            "How values are sent",
            Kind.CHOICE,
            choices={**ENCODING, "": "in the query (the default)"},
            more=True,
        ),
        Input("/test/body", "Whole body", Kind.LONG, "For XML and text.", more=True),
    ),
    6: (Input("/connection_name", "Name", hint=f"{TEMPLATE} The test's answer is test."),),
    7: (
        Input(
            "/allowed_urls",
            "Allowed URLs",
            Kind.RULES,
            "Scheme, host and the beginning of the path; methods where not all.",
        ),
    ),
    8: (
        Input("/unique_id", "Identifier", hint=f"{TEMPLATE} Take the account's id, no name and no address."),
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
        Input("/stale_when/body", "Or what its body says then", hint="JMESPath.", more=True),
        Input("/stale_when/header", "Or its headers", Kind.PAIRS, "A name and a regular expression.", more=True),
        Input(
            "/request/encoded_slashes",
            "May a path hold %2F?",
            Kind.CHOICE,
            choices={"": "no (the default)", "allow": "yes; it is judged as a slash as well"},
            more=True,
        ),
    ),
}
