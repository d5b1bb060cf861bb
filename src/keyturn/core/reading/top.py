"""The keys of the whole file, in the order of the nine steps.

Source: the connector format.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from keyturn.core.connector import FORMAT_VERSION, ClientAuthentication, Generator, OnDuplicate, TrustReason
from keyturn.core.reading.fields import ASK, FIELDS, PASSWORD, USERNAME
from keyturn.core.reading.keys.address import ADDRESS_HEADER
from keyturn.core.reading.keys.advice import RETIRES
from keyturn.core.reading.keys.calls import ALLOWED_URL, CALL_HEADERS, CALL_QUERY, ENCODED_SLASHES, ONLY
from keyturn.core.reading.keys.sessions import SESSION
from keyturn.core.reading.keys.tls import TLS
from keyturn.core.reading.requests import (
    CAPTURE,
    FAILURES,
    LIFETIME,
    NAME,
    NAME_FORM,
    REFRESH,
    REMEMBER,
    RESEND,
    REVOKE,
    TEST,
    THEN,
    TOKEN,
    When,
)
from keyturn.core.reading.shapes import Key, ListOf, Table
from keyturn.core.reading.templated import DerivedValue, ParamsTree, PlainUrl, TemplateText
from keyturn.core.reading.values import Boolean, Choice, Constant, Duration, DurationOr, MapOf, Text, Whole

CONNECTOR_ID: Final = r"[a-z][a-z0-9-]{1,62}"
_ID: Final = Text("an id", 63, pattern=CONNECTOR_ID, form="2 to 63 lower-case letters, digits and -, a letter first")
_NOTE: Final = Text("text", 4_000, lines=True, empty=True)


class LoginKind(StrEnum):
    """What a login needs, where username and password alone don't do."""

    INTERACTIVE = "interactive"


TRUST: Final = Table(
    "trust",
    (
        Key("reason", Choice(TrustReason), "why a password grant is acceptable here", required=True),
        Key("note", Text("text", 2_000, lines=True, empty=True), "the same in a sentence or two"),
        Key("alternative", PlainUrl(or_id=CONNECTOR_ID), "a connector or a URL, where a safer flow exists"),
    ),
)

CLIENT: Final = Table(
    "client",
    (
        Key(
            "authentication",
            Choice(ClientAuthentication),
            "how the application proves itself to the provider",
            default="basic",
        ),
    ),
)

REQUEST: Final = Table(
    "request",
    (
        Key("base_url", TemplateText("a URL, with templates"), "what paths are joined to; the first allowed URL"),
        Key("headers", CALL_HEADERS, "headers put on every call"),
        Key("query", CALL_QUERY, "query parameters put on every call"),
        Key("body", ParamsTree(), "values merged into JSON objects and forms"),
        Key(
            "locked",
            ListOf(Text("a name", 200), "names", 0, 100),
            "what the caller may not override; values that use a secret are locked in any case",
        ),
        Key("only", ONLY, "what is put on some calls only, over what is put on all"),
        Key("encoded_slashes", ENCODED_SLASHES, "allow: a path may hold %2F, and is judged with it as a slash as well"),
    ),
)

CHALLENGE: Final = Table(
    "a challenge",
    (
        Key("when", When(), "which answers are meant", required=True),
        Key("ask", ASK, "what the person is asked"),
        Key(
            "capture",
            CAPTURE,
            "name → where it stands in this answer, for templates in then",
        ),
        Key("then", THEN, "the next request; absent keys are those of token"),
        Key("resend", RESEND, "the request for another code; absent keys are those of token"),
        Key(
            "lifetime",
            DurationOr(Duration(1, 86_400), LIFETIME),
            "how long the provider waits, or where its answer says so; ten minutes at most",
        ),
    ),
)

LINKS: Final = Table(
    "links",
    tuple(
        Key(name, PlainUrl(https_only=True), doc)
        for name, doc in (
            ("reset_password", "where the person sets a new password"),
            ("unlock", "where the person unlocks the account"),
            ("app_password", "where the person makes a password for applications"),
        )
    ),
)

NOTES: Final = Table(
    "notes",
    (
        Key("access", Text("text", 300, empty=True), "what an application can do with a connection, for the person"),
        Key("setup", _NOTE, "what an administrator has to switch on first"),
        Key("warning", _NOTE, "what the person should know before"),
        Key("disconnect", _NOTE, "what the person should do at the provider afterwards"),
    ),
)

CONNECTOR: Final = Table(
    "a connector",
    (
        Key("keyturn", Constant(FORMAT_VERSION), "the version of the format, 1", required=True),
        Key("connector", _ID, "its id", required=True),
        Key("title", Text("a title", 100), "its name for people", required=True),
        Key("docs_url", PlainUrl(), "where the provider documents the login"),
        Key("register_url", PlainUrl(), "where the operator registers the application"),
        Key("trust", TRUST, "why a password grant is acceptable here; cannot be published without"),
        Key("fields", FIELDS, "step 1: further inputs of the connect form"),
        Key("username", USERNAME, "step 1: how the username is asked for"),
        Key("password", PASSWORD, "step 1: how the password is asked for, and what becomes of it"),
        Key("login", Choice(LoginKind), "interactive: each login needs a code, so none is tried without the person"),
        Key(
            "derive",
            MapOf(DerivedValue(), NAME, NAME_FORM, max_items=20),
            "name → a value made of others, for templates",
        ),
        Key(
            "generate",
            MapOf(Choice(Generator), NAME, NAME_FORM, max_items=10),
            "name → how a value is made, once per connection, sealed; for templates in every request",
        ),
        Key("remember", REMEMBER, "name → where a login's last answer has what later logins show, sealed"),
        Key("client", CLIENT, "step 2: the application registered with the provider"),
        Key("token", TOKEN, "step 2: username and password for a token", required=True),
        Key("refresh", REFRESH, "step 3: renewal without the person; none where refresh tokens are not honoured"),
        Key("revoke", REVOKE, "step 4: what is sent when the person disconnects"),
        Key("test", TEST, "step 5: the call that proves a token", required=True),
        Key("connection_name", TemplateText(), "step 6: the connection's name for people"),
        Key(
            "allowed_urls",
            ListOf(ALLOWED_URL, "URLs", 1, 100, unique=True),
            "step 7: the only places that a call or a test may reach",
            required=True,
        ),
        Key("unique_id", TemplateText(), "step 8: one stored connection for one account", required=True),
        Key("on_duplicate", Choice(OnDuplicate), "step 8: what a second login of an account does", default="update"),
        Key("request", REQUEST, "step 9: what is put on every call"),
        Key("challenges", ListOf(CHALLENGE, "challenges", 0, 30), "what the provider asks in between"),
        Key("failures", FAILURES, "the provider's own ways of saying no, for every request"),
        Key("stale_when", When(anything=True), "what an API answer looks like when the token is no longer good"),
        Key(
            "limits",
            Table(
                "limits",
                (
                    Key("logins", Whole(1, 1_000), "how many logins may fail", default=5),
                    Key("per", Duration(1, 7 * 86_400), "in which time", default="15m"),
                    Key(
                        "renewals_at_once",
                        Whole(1, 64),
                        "how many renewals may be under way at one host; what a provider that hangs can cost",
                        default=8,
                    ),
                ),
            ),
            "stays below the provider's lock-out and its pace",
        ),
        Key("session", SESSION, "where the provider allows few sessions per account: how many, and who makes room"),
        Key("links", LINKS, "where pages send the person"),
        Key("notes", NOTES, "what pages say besides"),
        Key("retires", RETIRES, "when the provider ends this way of connecting"),
        Key(
            "client_address_header",
            ADDRESS_HEADER,
            "the header in which the requests of a login pass the end user's address on, where the provider asks so",
        ),
        Key("private_network", Boolean(), "hosts in private networks; needs the operator's allowance", default=False),
        Key("insecure_http", Boolean(), "plain http; needs the operator's allowance", default=False),
        Key("tls", TLS, "authorities of its own, and a certificate that is shown"),
    ),
)
