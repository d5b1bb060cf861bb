"""The inputs that every request to a provider has, and words that several steps use."""

from __future__ import annotations

from typing import Final

from keyturn.core.connector import FailureClass
from keyturn.web.console.pages.connectors.forms.inputs import Input, Kind

AUTHENTICATION: Final = {
    "": "HTTP Basic header (the default)",
    "basic": "HTTP Basic header",
    "basic_raw": "HTTP Basic header, without percent-encoding",
    "post": "id and secret in the body",
    "private_key_jwt": "a JWT signed with the application's private key",
    "none": "not at all, or by its id alone",
}
FAILURES_HINT: Final = (
    "Such as - {when: {body: \"reason == 'LOCKED'\"}, class: locked}. Classes: " + ", ".join(FailureClass) + "."
)
ENCODING: Final = {
    "": "as a form (the default)",
    "form": "as a form",
    "json": "as JSON",
    "multipart": "as multipart form data",
    "query": "in the URL's query",
    "xml": "as XML: the body beneath",
    "text": "as text: the body beneath",
}
METHODS: Final = {
    "": "POST (the default)",
    "POST": "POST",
    "GET": "GET",
    "PUT": "PUT",
    "PATCH": "PATCH",
    "DELETE": "DELETE",
}
UNITS: Final = {
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
PATH: Final = "A path in the answer (JMESPath), header:NAME or cookie:NAME."
TEMPLATE: Final = "Values stand as {{ name }}."


def when_inputs(at: str) -> tuple[Input, ...]:
    """A condition on an answer."""
    return (
        Input(f"{at}/status", "When the answer has this status", Kind.LIST, fallback="any", numbers=True),
        Input(f"{at}/body", "And this is true of its body", hint="JMESPath, such as error == 'mfa_required'."),
        Input(f"{at}/header", "And these headers", Kind.PAIRS, "A name and a regular expression."),
    )


def request_inputs(at: str) -> tuple[Input, ...]:
    """Where a request goes and what it carries."""
    return (
        Input(f"{at}/url", "URL"),
        Input(f"{at}/method", "Method", Kind.CHOICE, choices=METHODS),
        Input(f"{at}/encoding", "How values are sent", Kind.CHOICE, choices=ENCODING),
        Input(f"{at}/params", "Parameters", Kind.PAIRS, TEMPLATE),
        Input(f"{at}/headers", "Headers", Kind.PAIRS),
    )


def request_more(at: str, *, response: bool = True) -> tuple[Input, ...]:
    """What is seldom said of a request. `response`: whether where its values stand is said here."""
    places = Input(f"{at}/response", "Where the answer's values stand", Kind.YAML, "Such as {access_token: data.jwt}.")
    return (
        Input(f"{at}/body", "Whole body", Kind.LONG, f"For XML and text. {TEMPLATE}", more=True),
        Input(
            f"{at}/authentication",
            "How the application proves itself here",
            Kind.CHOICE,
            choices={**AUTHENTICATION, "": "as at the token URL"},
            more=True,
        ),
        *((places.as_more(),) if response else ()),
        Input(
            f"{at}/success_when",
            "What only a success looks like",
            Kind.YAML,
            "Where a refusal has status 200 as well: such as {body: success}.",
            more=True,
        ),
        Input(
            f"{at}/rejected_when",
            "What a refusal looks like",
            Kind.YAML,
            "Where the status alone doesn't tell: such as {status: [403]}.",
            more=True,
        ),
        Input(f"{at}/failures", "What refusals mean here", Kind.YAML, FAILURES_HINT, more=True),
    )


def revoke_inputs(at: str) -> tuple[Input, ...]:
    """One request of step 4."""
    return (
        Input(f"{at}/url", "Revoke token URL", hint="Empty: the provider is not told, and the person is told so."),
        Input(f"{at}/method", "Method", Kind.CHOICE, choices=METHODS),
        Input(f"{at}/params", "Parameters", Kind.PAIRS, "Without any: token and token_type_hint of RFC 7009."),
        Input(f"{at}/tokens", "Which tokens", Kind.LIST, fallback="refresh_token, access_token"),
        Input(f"{at}/headers", "Headers", Kind.PAIRS, more=True),
        Input(f"{at}/encoding", "How values are sent", Kind.CHOICE, choices=ENCODING, more=True),
        Input(
            f"{at}/on_replace",
            "After a new login, revoke what it replaced?",
            Kind.CHOICE,
            choices={"": "yes (the default)", "true": "yes", "false": "no: it would end the new one too"},
            more=True,
        ),
    )
