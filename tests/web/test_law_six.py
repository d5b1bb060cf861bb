"""Everything a page can do, the API and the command line can do: page by page, with what stands in its place.

Rule: a page that is new fails here until its row says by which call and by which command the same is done, or why it
is for browsers alone. A command stands here with the options that make it do what the page does.
"""

from __future__ import annotations

from dataclasses import dataclass

import click
import pytest

from keyturn.cli.command import load
from keyturn.cli.verbs import VERBS
from keyturn.web.console.page import OpenPage, Page
from keyturn.web.console.pages import ALL
from keyturn.web.control.application import OPERATIONS
from keyturn.web.dataplane.openapi import OPENAPI_PATHS

BESIDE = {f"{method.upper()} {path}" for path, methods in OPENAPI_PATHS.items() for method in methods}
CALLS = {f"{each.method} {each.path}" for each in OPERATIONS} | BESIDE | {"ANY /v1/proxy/{connection_id}/{path}"}
CONNECTOR, TRIAL = "/v1/connectors/{connector_id}", "/v1/trials/{trial_id}"
CONNECTION, JOB = "/v1/connections/{connection_id}", "/v1/jobs/{job_id}"
PERSON, WEBHOOK, KEY = "/v1/people/{person_id}", "/v1/webhooks/{webhook_id}", "/v1/keys/{key_id}"


@dataclass(frozen=True)
class By:
    """The calls and the commands that do what a page does, `; ` between several."""

    calls: str
    commands: str


@dataclass(frozen=True)
class ForBrowsers:
    """Why there is nothing but the page."""

    because: str


SIGN_IN = ForBrowsers("it lets a browser in or out; who calls has an API key")
OF_A_PAGE = ForBrowsers("it is about the page in this browser, not about anything that is stored for others")
TRY = By(f"POST {CONNECTOR}/trials; GET {TRIAL}", "connector try")
SAVE = By(f"PUT {CONNECTOR}", "connector save")
DRAFT = By(f"GET {CONNECTOR}", "connector show --yaml")
BULK = "connection test --all --search --reason --error --attention --ends-before --renews-before --connector --owner"

IN_PLACE_OF: dict[str, By | ForBrowsers] = {
    "POST /sign-in/openid": SIGN_IN,
    "GET /sign-in/openid/callback": SIGN_IN,
    "GET /signed-in-again": SIGN_IN,
    "GET /login": SIGN_IN,
    "GET /signed-in": SIGN_IN,
    "GET /sign-in/{link}": SIGN_IN,
    "POST /sign-in/{link}": SIGN_IN,
    "POST /logout": SIGN_IN,
    "POST /letter-keys": OF_A_PAGE,
    "GET /": By("GET /v1/overview", "overview --range"),
    # Your own are those of a person as well: an API key belongs to nobody, so that the person is named.
    "GET /sessions": By(f"GET {PERSON}/sessions", "person sessions"),
    "POST /sessions/end-others": By(f"DELETE {PERSON}/sessions", "person sign-out --all"),
    "POST /sessions/{session}/end": By(f"DELETE {PERSON}/sessions/{{session_id}}", "person sign-out"),
    "GET /connections": By(
        "GET /v1/connections", "connection list --state --connector --owner --search --reason --calls"
    ),
    "POST /connections/confirm": By("GET /v1/connections; GET /v1/overview", "connection list; overview"),
    "POST /connections/bulk": By(
        "POST /v1/jobs",
        f"{BULK}; connection renew --all; connection pause --all; connection resume --all; connection disconnect --all;"
        " connection reconnect --all; connection migrate --all",
    ),
    "GET /connections/{connection}": By(
        f"GET {CONNECTION}; GET {CONNECTION}/why; GET {CONNECTION}/stats",
        "connection show; connection why; connection stats",
    ),
    "POST /connections/{connection}/test": By(f"POST {CONNECTION}/test", "connection test"),
    "POST /connections/{connection}/renew": By(f"POST {CONNECTION}/renew", "connection renew"),
    "POST /connections/{connection}/reconnect": By(f"POST {CONNECTION}/reconnect", "connection reconnect"),
    "POST /connections/{connection}/person-link": By(f"POST {CONNECTION}/person-link", "connection person-link"),
    "POST /connections/{connection}/person-link/take-back": By(
        f"DELETE {CONNECTION}/person-link", "connection person-link --take-back"
    ),
    "POST /connections/{connection}/pause": By(f"POST {CONNECTION}/pause", "connection pause"),
    "POST /connections/{connection}/resume": By(f"POST {CONNECTION}/resume", "connection resume"),
    "GET /connections/{connection}/disconnect": By(f"GET {CONNECTION}", "connection show"),
    "POST /connections/{connection}/disconnect": By(f"DELETE {CONNECTION}", "connection disconnect --forget-now"),
    "GET /connections/{connection}/timeline": By(f"GET {CONNECTION}/events", "connection events --kind --calls"),
    "GET /connections/{connection}/console": By(f"GET {CONNECTION}", "connection show"),
    "POST /connections/{connection}/console": By(
        f"POST {CONNECTION}/preview; ANY /v1/proxy/{{connection_id}}/{{path}}",
        "call --dry-run --header --data --base-url",
    ),
    "GET /connectors": By("GET /v1/connectors; GET /v1/overview", "connector list; overview"),
    "GET /connectors/new": By("GET /v1/catalogue; GET /v1/catalogue/{entry_id}", "connector catalogue"),
    "POST /connectors/new": By(
        f"PUT {CONNECTOR}; POST {CONNECTOR}/from-curl; GET /v1/catalogue/{{entry_id}}",
        "connector new --from --from-curl; connector save",
    ),
    "GET /connectors/{connector}": By(f"GET {CONNECTOR}", "connector show"),
    "GET /connectors/{connector}/logins": By(f"GET {CONNECTOR}", "connector show"),
    "POST /connectors/{connector}/logins": By(f"POST {CONNECTOR}/stop-logins", "connector stop-logins"),
    "POST /connectors/{connector}/client": By(f"PUT {CONNECTOR}/client", "connector set-client"),
    "POST /connectors/new/check": By(f"POST {CONNECTOR}/from-curl; POST {CONNECTOR}/lint", "connector lint"),
    "GET /connectors/{connector}/edit": DRAFT,
    "GET /connectors/{connector}/edit/yaml": DRAFT,
    "POST /connectors/{connector}/edit/yaml": SAVE,
    "POST /connectors/{connector}/edit/yaml/drop": OF_A_PAGE,  # a text that was not saved
    "POST /connectors/{connector}/edit/yaml/lint": By(f"POST {CONNECTOR}/lint", "connector lint"),
    "GET /connectors/{connector}/edit/{step}": By(
        f"GET {CONNECTOR}; GET {CONNECTOR}/preview", "connector show --yaml; connector preview --step"
    ),
    "POST /connectors/{connector}/edit/{step}": SAVE,
    "POST /connectors/{connector}/edit/{step}/together": SAVE,
    "POST /connectors/{connector}/edit/{step}/preview": By(
        f"POST {CONNECTOR}/preview; POST {CONNECTOR}/lint", "connector preview --step; connector lint"
    ),
    "GET /connectors/{connector}/try": DRAFT,
    "POST /connectors/{connector}/try": TRY,
    "GET /connectors/{connector}/try/{run}": TRY,
    "GET /connectors/{connector}/try/{run}/events": TRY,
    "POST /connectors/{connector}/try/{run}": By(f"POST {TRIAL}", "connector try"),
    "POST /connectors/{connector}/try/{run}/resend": By(f"POST {TRIAL}/resend", "connector try"),
    "POST /connectors/{connector}/try/{run}/continue": By(
        f"POST {CONNECTOR}/trials; POST {TRIAL}/continue", "connector try --hold"
    ),
    "POST /connectors/{connector}/try/{run}/end": By(f"POST {TRIAL}/end", "connector try --hold"),
    # What is proposed stands in the trial's rows; applying it is an edit of the draft's text.
    "POST /connectors/{connector}/try/{run}/apply": SAVE,
    "GET /connectors/{connector}/try/{run}/fixture": By(f"GET {TRIAL}/fixture", "connector try --save-fixture"),
    "GET /connectors/{connector}/review": By(
        f"GET {CONNECTOR}/diff; GET {CONNECTOR}", "connector diff; connector show"
    ),
    "POST /connectors/{connector}/review": By(f"POST {CONNECTOR}/publish", "connector publish"),
    "GET /connectors/{connector}/versions": By(
        f"GET {CONNECTOR}/versions; GET {CONNECTOR}/versions/{{version}}", "connector versions; connector show --yaml"
    ),
    "GET /connectors/{connector}/versions/{pair}": By(f"GET {CONNECTOR}/diff", "connector diff"),
    "POST /connectors/{connector}/versions/restore": By(
        f"POST {CONNECTOR}/versions/{{version}}/rollback", "connector rollback"
    ),
    "GET /connectors/{connector}/move": By(f"POST {CONNECTOR}/migrate", "connector migrate --dry-run"),
    "POST /connectors/{connector}/move": By(f"POST {CONNECTOR}/migrate", "connector migrate"),
    "GET /links": By("GET /v1/connect-sessions", "link list"),
    "POST /links": By("POST /v1/connect-sessions", "link create --owner --owner-label --app-name --return-url"),
    "POST /links/{session}/revoke": By("DELETE /v1/connect-sessions/{session_id}", "link revoke"),
    "GET /jobs": By("GET /v1/jobs", "job list --kind --state"),
    "GET /jobs/{job}": By(f"GET {JOB}", "job show"),
    "GET /overview/live": By("GET /v1/overview", "overview"),
    "GET /jobs/{job}/live": By(f"GET {JOB}", "job watch"),
    "POST /jobs/{job}/cancel": By(f"POST {JOB}/cancel", "job cancel"),
    "POST /jobs/{job}/retry": By(f"POST {JOB}/retry", "job retry"),
    "POST /jobs/{job}/links": By(f"POST {JOB}/links", "job links"),
    "GET /people": By("GET /v1/people", "person list"),
    "POST /people": By("POST /v1/people", "person add --role --email"),
    "GET /people/{person}": By(f"GET /v1/people; GET {PERSON}/sessions", "person list; person sessions"),
    "POST /people/{person}/link": By(f"POST {PERSON}/sign-in-links", "person link"),
    "POST /people/{person}/invite": By(f"PATCH {PERSON}", "person invite"),
    "POST /people/{person}/role": By(f"PATCH {PERSON}", "person role"),
    "POST /people/{person}/remove": By(f"DELETE {PERSON}", "person remove"),
    "POST /people/{person}/sessions/{session}/end": By(f"DELETE {PERSON}/sessions/{{session_id}}", "person sign-out"),
    "GET /audit": By("GET /v1/audit", "audit list"),
    "GET /audit/verify": By("GET /v1/audit/anchor", "audit anchor"),
    "POST /audit/verify": By("GET /v1/audit/verify", "audit verify"),
    "POST /audit/export": By("GET /v1/audit/export", "audit export"),
    "GET /audit/{seq}": By("GET /v1/audit/{seq}", "audit show"),
    "GET /webhooks": By("GET /v1/webhooks", "webhook list"),
    "POST /webhooks": By("POST /v1/webhooks", "webhook create --event --description"),
    "GET /webhooks/{webhook}": By(f"GET {WEBHOOK}; GET {WEBHOOK}/deliveries", "webhook show; webhook deliveries"),
    "POST /webhooks/{webhook}": By(f"PATCH {WEBHOOK}", "webhook edit --url --event --description"),
    "POST /webhooks/{webhook}/enable": By(f"PATCH {WEBHOOK}", "webhook enable"),
    "POST /webhooks/{webhook}/disable": By(f"PATCH {WEBHOOK}", "webhook disable"),
    "POST /webhooks/{webhook}/roll": By(f"POST {WEBHOOK}/roll", "webhook roll"),
    "POST /webhooks/{webhook}/test": By(f"POST {WEBHOOK}/test", "webhook test"),
    "GET /webhooks/{webhook}/delete": By(f"GET {WEBHOOK}", "webhook show"),
    "POST /webhooks/{webhook}/delete": By(f"DELETE {WEBHOOK}", "webhook delete"),
    "GET /webhooks/{webhook}/deliveries/{delivery}": By(f"GET {WEBHOOK}/deliveries", "webhook deliveries"),
    "POST /webhooks/{webhook}/deliveries/{delivery}/replay": By(
        f"POST {WEBHOOK}/deliveries/{{delivery_id}}/replay", "webhook replay"
    ),
    "GET /keys": By("GET /v1/keys", "key status"),
    "GET /keys/add": By("GET /v1/keys", "key status"),
    "POST /keys/add": By("POST /v1/keys", "key add"),
    "GET /keys/destroy-passwords": By("GET /v1/keys", "key status"),
    "POST /keys/destroy-passwords": By("POST /v1/keys/destroy-passwords", "key destroy-passwords"),
    "GET /keys/{key}/rotate": By("GET /v1/keys", "key status"),
    "POST /keys/{key}/rotate": By(f"POST {KEY}/rotate", "key rotate"),
    "GET /keys/{key}/retire": By("GET /v1/keys", "key status"),
    "POST /keys/{key}/retire": By(f"POST {KEY}/retire", "key retire"),
    "GET /api-keys": By("GET /v1/api-keys", "apikey list"),
    "POST /api-keys": By("POST /v1/api-keys", "apikey create --scope --connector --owner --days"),
    "GET /api-keys/{key}": By("GET /v1/api-keys/{key_id}", "apikey show"),
    "POST /api-keys/{key}/roll": By("POST /v1/api-keys/{key_id}/roll", "apikey roll --overlap-hours"),
    "GET /api-keys/{key}/revoke": By("GET /v1/api-keys/{key_id}", "apikey show"),
    "POST /api-keys/{key}/revoke": By("DELETE /v1/api-keys/{key_id}", "apikey revoke"),
    "GET /settings": By("GET /v1/instance/settings; GET /v1/instance/log-level", "config list --origins; log-level"),
    # What is tried there is tried by eye; what is set is refused at the start where it can't be read.
    "GET /settings/appearance": By("GET /v1/instance/settings", "config list --origins; serve --check"),
    "POST /settings/log-level": By("PUT /v1/instance/log-level", "log-level --for"),
    "GET /api/docs": ForBrowsers("it shows the list of calls, which /openapi.json is; commands have --help"),
    "GET /problems": By("GET /v1/problems", "problem list"),
    "GET /problems/{code}": By("GET /v1/problems", "problem explain"),
}
DONE_OTHERWISE = {page: way for page, way in IN_PLACE_OF.items() if isinstance(way, By)}


def missing(command: str) -> list[str]:
    """What there is not of a command and its options; empty where all is there."""
    words = command.split()
    options = [word for word in words if word.startswith("--")]
    verb = VERBS.get(" ".join(word for word in words if not word.startswith("--")))
    if verb is None:
        return [command]
    known = {each for param in load(verb).params if isinstance(param, click.Option) for each in param.opts}
    return [each for each in options if each not in known]


def named(page: Page | OpenPage) -> str:
    """As the table has it."""
    return f"{page.method} {page.path}"


def test_every_page_has_its_row() -> None:
    """None is left out, and no row is about a page that is gone."""
    assert sorted(named(each) for each in ALL) == sorted(IN_PLACE_OF)


@pytest.mark.parametrize("page", DONE_OTHERWISE)
def test_what_stands_in_a_pages_place_is_there(page: str) -> None:
    """Each call and each command, with the options that it is named with."""
    way = DONE_OTHERWISE[page]

    assert [] == [each for each in way.calls.split("; ") if each not in CALLS]
    assert [] == [each for command in way.commands.split("; ") for each in missing(command)]


@pytest.mark.parametrize("page", [named(each) for each in ALL if each.method == "POST"])
def test_what_changes_something_is_no_mere_reading(page: str) -> None:
    """A form is done by a call that writes; what only asks, or shows what would be, is said to."""
    way = IN_PLACE_OF[page]
    asks = ("POST /connections/confirm", "POST /audit/verify", "POST /audit/export")
    writes = isinstance(way, ForBrowsers) or any(not each.startswith("GET ") for each in way.calls.split("; "))

    assert writes == (page not in asks)


def test_what_is_for_browsers_alone_stays_little() -> None:
    """A page that joins these has to be of their kind."""
    alone = {page for page, way in IN_PLACE_OF.items() if isinstance(way, ForBrowsers)}

    assert {
        "POST /letter-keys", "GET /api/docs", "POST /connectors/{connector}/edit/yaml/drop", "POST /sign-in/openid",
        "GET /sign-in/openid/callback", "GET /signed-in-again", "GET /signed-in", "GET /login",
        "GET /sign-in/{link}", "POST /sign-in/{link}", "POST /logout",
    } == alone  # fmt: skip


@pytest.mark.parametrize(
    ("command", "lacks"),
    [
        pytest.param("connection list --state", [], id="there"),
        pytest.param("connection lists", ["connection lists"], id="no such command"),
        pytest.param("connection list --colour --state", ["--colour"], id="no such option"),
    ],
)
def test_missing(command: str, lacks: list[str]) -> None:
    """A command that is not there is told from one that lacks an option."""
    assert lacks == missing(command)
