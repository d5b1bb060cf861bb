"""Names that the documents use exist: settings, codes, states, keys; and what exists is documented."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from keyturn.bootstrap.observing.metrics import TABLES as METRICS
from keyturn.core.events.catalogue import EVENT_TYPES
from scripts.reference_sources import (
    CLIENT_NAMES,
    FILTERS,
    PREFIX,
    PROBLEMS,
    Cause,
    Event,
    Fault,
    Settings,
    State,
    connector_schema,
)
from tests.docs.pages import Page, page, written_pages

SETTINGS = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | CLIENT_NAMES
SNAKE = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)+")
# Members of REST documents and words in them, actions of the audit log, a folder, and the first half of a kind of job.
OTHER_NAMES = {
    "app_name", "owner_label", "return_url", "keep_password", "next_action", "last_error", "expires_soon", "error_code",
    "connection_id", "keep_totp_seed", "sign_in", "logged_out",
    "client_id", "client_secret", "expires_at", "renews_at", "request_id", "retry_after", "required_scope",
    "end_to_end", "acme_authorization", "reconnect_links", "login_watch",
    "refresh_expires_at", "client_address", "step_sent", "step_answered", "access_denied", "expired_token",
    "given_up", "not_possible", "not_supported", "nothing_to_revoke", "refresh_sent", "refresh_answered",
    "first_generation", "token_vended", "tokens_vended",
    "set_aside",
    "auth_time", "email_verified", "openid_sign_in_failed", "realm_access", "role_changed",
}  # fmt: skip


def names_in(schema: object) -> Iterator[str]:
    """Keys and words of a JSON Schema."""
    if isinstance(schema, Mapping):
        properties: Any = schema.get("properties", {})
        yield from properties
        yield from (word for word in schema.get("enum", ()) if isinstance(word, str))
        for each in schema.values():
            yield from names_in(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from names_in(each)


KNOWN = (
    set(PROBLEMS)
    | {cause.value for cause in Cause}
    | {state.value for state in State}
    | {event.value for event in Event}
    | {fault.value for fault in Fault}
    | set(names_in(connector_schema()))
    | set(FILTERS)
    | {metric.name for metric in METRICS}
    | {name.partition(".")[2] for name in EVENT_TYPES}
    | OTHER_NAMES
)


@pytest.mark.parametrize("each", written_pages(), ids=lambda each: each.name)
def test_settings_that_are_named_exist(each: Page) -> None:
    """No page names a setting that keyturn would warn of."""
    named = set(re.findall(r"KEYTURN_[A-Z][A-Z_]*[A-Z]", each.text))
    unknown = {name for name in named if name.removesuffix("_FILE") not in SETTINGS}

    assert set() == unknown


def test_every_setting_is_documented() -> None:
    """The reference has a row for each setting there is."""
    rows = set(re.findall(r"^\| `(KEYTURN_[A-Z_]+)` ", page("docs/reference/settings.md").text, re.MULTILINE))

    assert rows >= SETTINGS


@pytest.mark.parametrize(
    "each",
    [
        each
        for each in written_pages()
        if each.name.startswith(("README", "docs/how-to", "docs/tutorial", "docs/explanation"))
    ],
    ids=lambda each: each.name,
)
def test_codes_and_keys_that_are_named_exist(each: Page) -> None:
    """Each snake_case word between backticks is a code, state, key or member that there is."""
    unknown = {
        word
        for _, span in each.code_spans()
        if not span.startswith(("/", "keyturn ", "http", "python "))
        for word in SNAKE.findall(span)
        if word not in KNOWN
    }

    assert set() == unknown


def test_every_state_and_reason_says_what_to_do() -> None:
    """Whoever meets a state or a reason finds its row in the page for connections that break."""
    rows = set(re.findall(r"^\| `([a-z_]+)` ", page("docs/how-to/when-a-connection-breaks.md").text, re.MULTILINE))

    assert rows >= {state.value for state in State} | {"paused", "unconfirmed"}
    assert rows >= {cause.value for cause in Cause}


def test_the_glossary_has_each_word_once() -> None:
    """The words stand in order, so that two for one idea meet each other."""
    words = re.findall(r"^\| ([^|]+?) \| ", page("docs/glossary.md").text, re.MULTILINE)[1:]

    assert sorted(words, key=str.lower) == words
    assert len(set(words)) == len(words)
