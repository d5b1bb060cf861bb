"""Connectors in the console: list, beginning one, its overview, YAML, trials, review and versions."""

from __future__ import annotations

import asyncio
import html
import json
import re

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.errors import ProviderTlsFailed, TlsCheck
from keyturn.core.renewal.quiet_hours import QuietHours, Window
from keyturn.web.console.pages.connectors.forms.step_inputs import INPUTS
from tests.engine.builder.test_trials import MFA, done
from tests.engine.builder.texts import text
from tests.engine.story import ACTOR, actions, error, log_in, me, token
from tests.fakes.egress import json_answer
from tests.web.console.connectors.authoring import OPERATOR, author, inputs_of, source_of
from tests.web.console.visiting import Visitor, make_visitor

YAML = "/connectors/acme/edit/yaml"
TRY = "/connectors/acme/try"
TYPED = {"username": "jo@acme.example", "password": "password-canary"}
CURL = """curl -u app:client-canary https://login.acme.example/oauth/token \\
  -d grant_type=password -d username=ada@person.example -d 'password=hunter-canary'
curl https://api.acme.example/v1/me -H 'Authorization: Bearer token-canary' -H 'X-Api-Version: 3'
"""


async def begun(visitor: Visitor, **typed: str) -> str:
    """Type, start a trial, and wait until it needs nothing of ours; returns its page's path."""
    await visitor.get(TRY)
    answer = await visitor.post(TRY, TYPED | typed)
    assert 303 == answer.status_code, answer.text
    path = answer.headers["location"]
    for _ in range(200):
        await asyncio.sleep(0)
    return path


async def test_the_list_says_what_there_is() -> None:
    """Name, hosts, version, draft and findings; without any, how to begin."""
    empty = make_visitor()
    await empty.sign_in(Role.AUTHOR)
    first = await empty.get("/connectors")
    visitor = await author(published=True)
    page = (await visitor.get("/connectors")).text

    assert "There is no connector yet" in first.text
    assert all(each in page for each in ("Acme", "auth.acme.example", "api.acme.example", "good"))
    assert "and a draft" not in page


@pytest.mark.parametrize(
    ("values", "connector", "first_open"),
    [
        pytest.param({"way": "catalogue", "name": "matrix", "id": ""}, "matrix", 1, id="catalogue"),
        pytest.param({"way": "catalogue", "name": "matrix", "id": "my-matrix"}, "my-matrix", 1, id="renamed"),
        pytest.param({"way": "yaml", "text": text(), "id": ""}, "acme", 1, id="yaml"),
        pytest.param({"way": "blank", "id": "fresh"}, "fresh", 0, id="blank"),
    ],
)
async def test_a_connector_is_begun(values: dict[str, str], connector: str, first_open: int) -> None:
    """Its draft is stored, and it goes on at the first step that needs something."""
    visitor = make_visitor()
    await visitor.sign_in(Role.AUTHOR)
    await visitor.get("/connectors/new")
    answer = await visitor.post("/connectors/new", values)

    assert f"/connectors/{connector}/edit?said=begun" == answer.headers["location"]
    first = await visitor.get(f"/connectors/{connector}/edit?said=begun")
    assert f"/connectors/{connector}/edit/{first_open}?said=begun" == first.headers["location"]
    assert 200 == (await visitor.get(f"/connectors/{connector}")).status_code
    again = await visitor.post("/connectors/new", values)
    assert (422, True) == (again.status_code, "There is a connector of this id already." in again.text)


async def test_a_curl_command_is_understood() -> None:
    """Steps 2, 5 and 9 are filled, it is said what was understood, and nothing secret of it is kept."""
    visitor = make_visitor()
    await visitor.sign_in(Role.AUTHOR)
    await visitor.get("/connectors/new?from=curl")
    answer = await visitor.post("/connectors/new", {"way": "curl", "id": "acme", "text": CURL})
    source = await source_of(visitor)

    assert "Step 2: POST to login.acme.example" in answer.text
    assert "url: https://login.acme.example/oauth/token" in source
    assert "X-Api-Version" in source
    shown = answer.text + source
    assert [] == [each for each in ("client-canary", "ada@person", "hunter-canary", "token-canary") if each in shown]
    missing = await visitor.get("/connectors/acme/edit")
    assert "/connectors/acme/edit/0" == missing.headers["location"]
    open_quote = await visitor.post("/connectors/new", {"way": "curl", "id": "other", "text": "curl 'https://a"})
    assert (422, True) == (open_quote.status_code, "Line 1, column 6" in open_quote.text)


async def test_the_overview_shows_the_steps_and_who_gets_what() -> None:
    """A viewer reads it; the client's form is an operator's, and its secret is never shown."""
    visitor = await author(role=Role.VIEWER)
    page = (await visitor.get("/connectors/acme")).text
    assert "Who sends what where" in page
    assert "username and password, client id and secret" in page
    assert "client_secret" not in page

    operator = await author(role=Role.OPERATOR)
    await operator.get("/connectors/acme")
    set_it = await operator.post("/connectors/acme/client", {"client_id": "new", "client_secret": "sealed-canary"})
    page = (await operator.get("/connectors/acme?said=client_set")).text
    empty = await operator.post("/connectors/acme/client", {"client_id": "", "client_secret": "sealed-canary"})
    assert (303, 422) == (set_it.status_code, empty.status_code)
    assert "sealed-canary" not in page + empty.text
    found = await operator.world.stores.connectors.client("acme")
    assert found is not None
    assert "new" == found.client_id


async def test_the_overview_shows_quiet_hours() -> None:
    """Which they are, and that they are now; none where there are none."""
    visitor = await author(published=True)
    before = (await visitor.get("/connectors/acme")).text
    hours = QuietHours("UTC", (Window(0, 1430), Window(1320, 1380, frozenset({0}))))
    await visitor.world.application.quiet_hours("acme", hours, ACTOR)
    page = (await visitor.get("/connectors/acme")).text

    assert "Quiet hours" not in before
    assert "00:00-23:50, mon 22:00-23:00 (UTC); now, until <time" in page
    assert "a call that needs a renewal still gets it" in page


async def test_a_text_with_an_error_is_kept_and_closes_the_forms() -> None:
    """Line and column are said, nothing is lost, the forms say where; thrown away, they open again."""
    visitor = await author()
    before = await source_of(visitor)
    values = inputs_of((await visitor.get(YAML)).text, YAML)
    wrong = values["text"].replace("unique_id:", "unique_ids:")
    answer = await visitor.post(YAML, values | {"text": wrong})
    closed = await visitor.get("/connectors/acme/edit/2")
    kept = await visitor.get(YAML)

    assert 422 == answer.status_code
    assert "<b>Line 12, column 1:</b>" in answer.text
    assert wrong == inputs_of(kept.text, YAML)["text"]
    assert "The form is closed" in closed.text
    assert '<fieldset class="plain" disabled' in closed.text
    assert before == await source_of(visitor)
    await visitor.post(f"{YAML}/drop")
    assert "The form is closed" not in (await visitor.get("/connectors/acme/edit/2")).text


async def test_a_text_is_saved_as_it_is() -> None:
    """And while one types, a script gets errors with their places."""
    visitor = await author()
    values = inputs_of((await visitor.get(YAML)).text, YAML)
    new = "# mine\n" + values["text"]
    answer = await visitor.post(YAML, values | {"text": new.replace("\n", "\r\n")})
    linted = (await visitor.post(f"{YAML}/lint", {"text": "keyturn: 1\n"})).json()

    assert 303 == answer.status_code
    assert new == await source_of(visitor)
    assert linted["errors"]
    assert linted["errors"][0]["line"]


async def test_a_trial_is_run_from_the_page() -> None:
    """The host is named before the password is asked; rows are shown masked, and the draft can be published then."""
    visitor = await author(text(more='connection_name: "{{ test.name }}"'))
    form = (await visitor.get(TRY)).text
    assert "The password goes to <b>auth.acme.example</b>" in form
    visitor.world.egress.will_reply(token(1), me(), json_answer("{}", 404), token(2), *[done() for _ in range(4)])
    page = (await visitor.get(await begun(visitor))).text

    assert "The trial passed" in page
    assert "<dt>Certificate</dt><dd>auth.acme.example, issued by Acme Trust, Acme CA</dd>" in page
    assert 'http-equiv="refresh"' not in page
    canaries = ("password-canary", "jo@acme", "access-1", "refresh-2", "client-secret-canary")
    assert [] == [each for each in canaries if each in page]
    review = (await visitor.get("/connectors/acme/review")).text
    assert "A trial of exactly this text passed" in review
    published = await visitor.post("/connectors/acme/review", inputs_of(review, "/connectors/acme/review"))
    assert "/connectors/acme/versions?said=published_1" == published.headers["location"]


async def test_a_trial_that_fails_offers_an_edit() -> None:
    """One press changes the draft by that value; another person doesn't see the run."""
    visitor = await author()
    visitor.world.egress.will_reply(json_answer('{"data": {"jwt": "a.b.c"}}'))
    path = await begun(visitor)
    page = (await visitor.get(path)).text
    assert "Use data.jwt" in page
    applied = await visitor.post(f"{path}/apply", {"row": "0"})
    assert f"{TRY}?said=applied" == applied.headers["location"]
    assert "access_token: data.jwt" in await source_of(visitor)
    await visitor.sign_in(Role.ADMIN)
    assert 404 == (await visitor.get(path)).status_code


async def test_a_failed_check_of_tls_leads_to_the_fold_that_is_there() -> None:
    """What the diagnosis calls the place for an authority of one's own is what the form of step 2 calls it."""
    visitor = await author()
    visitor.world.egress.will_reply(ProviderTlsFailed.at(TlsCheck.UNKNOWN_ISSUER, "canary"))
    page = html.unescape((await visitor.get(await begun(visitor))).text)
    place = next(each.group for each in INPUTS[2] if each.pointer == "/tls/ca")

    assert f"step 2, “{place}”" in page
    assert "canary" not in page


@pytest.mark.parametrize("row", ["", "x", "9", "00009", "9" * 5000])
async def test_a_row_that_is_not_there_has_nothing_to_apply(row: str) -> None:
    """However it is written."""
    visitor = await author()
    visitor.world.egress.will_reply(error("invalid_grant"))
    path = await begun(visitor)
    await visitor.get(path)

    assert 400 == (await visitor.post(f"{path}/apply", {"row": row})).status_code


async def test_a_trial_that_passes_can_still_have_something_to_look_at() -> None:
    """Its row stands open, what it says is no error, and the headline leads there."""
    visitor = await author(text(token=", default_ttl: 60, response: {expires: {from: lives}}"))
    visitor.world.egress.will_reply(token(), me(), json_answer("{}", 404), token(2), *[done()] * 4)
    page = (await visitor.get(await begun(visitor))).text

    assert "The trial passed" in page
    assert "safe to publish this text, once you have looked at what stands open below." in page
    assert '<p class="warning">The answer has no lifetime at lives' in page
    assert 1 == page.count("<details open>")


async def test_a_challenge_is_added_from_the_trial() -> None:
    """What the answer doesn't show is asked beside the button; empty it changes nothing."""
    visitor = await author()
    visitor.world.egress.will_reply(json_answer('{"error": "mfa_required", "mfa_token": "m"}', 403))
    path = await begun(visitor)
    before = await source_of(visitor)
    page = (await visitor.get(path)).text
    assert "This provider asks for a code" in page
    refused = await visitor.post(f"{path}/apply", {"row": "0", "blank": " "})
    assert (422, before) == (refused.status_code, await source_of(visitor))
    assert 'id="blank.0-error"' in refused.text
    applied = await visitor.post(f"{path}/apply", {"row": "0", "blank": "urn:acme:mfa-otp"})

    assert f"{TRY}?said=applied" == applied.headers["location"]
    draft = await visitor.world.application.connectors.draft("acme")
    assert draft is not None
    (challenge,) = draft.connector.challenges
    assert "mfa_token" in challenge.capture
    assert "urn:acme:mfa-otp" in await source_of(visitor)


async def test_a_trial_goes_on_from_the_step_that_failed() -> None:
    """What failed is mended by a press, and the rest is tried without another login; the list names the step."""
    visitor = await author(text("{{ test.uid }}"))
    now = visitor.world.clock.now()
    replies = (json_answer("{}"), token(2, at=now), *[done()] * 4)
    visitor.world.egress.will_reply(token(1, at=now), me(), *replies)
    path = await begun(visitor)
    page = (await visitor.get(path)).text
    assert "The trial waits at step 8" in page
    assert '<b>9 Request parameters</b> <span class="quiet">not reached yet</span>' in page
    assert "✗ step 8, Unique id (waits to go on)" in (await visitor.get(TRY)).text
    applied = await visitor.post(f"{path}/apply", {"row": "3"})
    assert f"{path}?said=applied" == applied.headers["location"]
    assert 303 == (await visitor.post(f"{path}/continue", {})).status_code
    for _ in range(200):
        await asyncio.sleep(0)
    page = (await visitor.get(path)).text

    assert "The trial passed" in page
    assert "not reached" not in page
    assert 1 == sum(b"password=" in each.body for each in visitor.world.egress.requests)
    late = await visitor.post(f"{path}/continue", {})
    assert f"{path}?said=over" == late.headers["location"]


async def test_a_held_trial_is_ended_and_another_login_is_refused() -> None:
    """A draft that signs in elsewhere is no text to go on with; a press revokes what came."""
    visitor = await author(text("{{ test.uid }}"))
    visitor.world.egress.will_reply(token(1, at=visitor.world.clock.now()), me(), done(), done())
    path = await begun(visitor)
    other = text(url="https://login.acme.example")
    await visitor.world.application.edit_connector.save("acme", other, OPERATOR)
    refused = await visitor.post(f"{path}/continue", {})
    assert 422 == refused.status_code
    assert "signs in otherwise" in refused.text
    await visitor.post(f"{path}/end", {})
    for _ in range(200):
        await asyncio.sleep(0)

    assert "The trial failed" in (await visitor.get(path)).text
    assert 2 == sum(each.url.endswith("/revoke") for each in visitor.world.egress.requests)


async def test_a_code_is_typed_on_the_runs_page() -> None:
    """The page asks, a wrong shape is refused there, and the run goes on."""
    visitor = await author(text(more=MFA))
    challenge = json_answer('{"error": "mfa_required", "mfa_token": "m"}', 403)
    visitor.world.egress.will_reply(challenge, token(1), me(), json_answer("{}"), token(2), *[done() for _ in range(4)])
    path = await begun(visitor)
    page = (await visitor.get(path)).text
    assert "The provider asks for something" in page
    assert 422 == (await visitor.post(path, {"answer.code": ""})).status_code
    assert 303 == (await visitor.post(path, {"answer.code": "123456"})).status_code
    for _ in range(200):
        await asyncio.sleep(0)
    assert "The trial passed" in (await visitor.get(path)).text


async def test_rows_come_as_events() -> None:
    """For a script: each row once, from where it has them, then that it is over."""
    visitor = await author()
    visitor.world.egress.will_reply(error("invalid_grant"))
    path = await begun(visitor)
    answer = await visitor.get(f"{path}/events")
    rows = [line for line in answer.text.splitlines() if line.startswith('data: {"mark"')]

    assert "text/event-stream; charset=utf-8" == answer.headers["content-type"]
    assert ["failed"] == [json.loads(row.removeprefix("data: "))["mark"] for row in rows]
    assert "event: ended" in answer.text
    assert "event: row" not in (await visitor.get(f"{path}/events?after=1")).text


async def test_no_password_is_asked_for_before_the_application_is_known() -> None:
    """A trial could not send it: what is missing stands in the form's place, with the way there for whoever may."""
    source = text().replace("connector: acme", "connector: fresh")
    visitor = await author()
    await visitor.world.application.edit_connector.save("fresh", source, OPERATOR)
    page = (await visitor.get("/connectors/fresh/try")).text
    of_operator = await author(role=Role.ADMIN)
    await of_operator.world.application.edit_connector.save("fresh", source, OPERATOR)
    led = (await of_operator.get("/connectors/fresh/try")).text

    assert 'name="password"' not in page + led
    assert "An operator sets them in step 2" in page
    assert '<a href="/connectors/fresh/edit/2#client">Set them in step 2</a>' in led


async def test_a_trial_that_waits_is_found_before_another_is_begun() -> None:
    """On the page to which the tab leads: going on needs no password."""
    visitor = await author(re.sub(r"(?m)^revoke: .*\n", "", text("{{ test.uid }}")))
    visitor.world.egress.will_reply(token(1, at=visitor.world.clock.now()), me())
    path = await begun(visitor)
    run, page = (await visitor.get(path)).text, (await visitor.get(TRY)).text

    assert "waits at step 8, and needs no other login" in page
    assert f'<a href="{path}">go on from there</a>' in page
    assert "stay good at the provider until they end" in run
    assert "revoke the tokens" not in run


async def test_what_is_typed_wrong_is_said() -> None:
    """Nothing is sent, and nothing that was typed stands in the page."""
    visitor = await author()
    await visitor.get(TRY)
    answer = await visitor.post(TRY, {"username": "", "password": "password-canary"})

    assert 422 == answer.status_code
    assert 'href="#username"' in answer.text
    assert "password-canary" not in answer.text
    assert [] == visitor.world.egress.requests


async def test_publishing_without_a_trial_is_said_in_so_many_words() -> None:
    """The id has to be typed, and the audit log has it; a viewer may look and not publish."""
    visitor = await author()
    page = (await visitor.get("/connectors/acme/review")).text
    values = inputs_of(page, "/connectors/acme/review")
    refused = await visitor.post("/connectors/acme/review", values)
    done_it = await visitor.post("/connectors/acme/review", values | {"confirm": "acme"})

    assert (422, 303) == (refused.status_code, done_it.status_code)
    assert 'href="#confirm"' in refused.text
    assert ("connector.published", "ok") in actions(visitor.world)
    record = next(each for each in visitor.world.stores.database.records if each.action == "connector.published")
    assert "trial_missing" == record.facts["override"]
    viewer = await author(role=Role.VIEWER)
    assert "Somebody who may publish" in (await viewer.get("/connectors/acme/review")).text


async def test_risky_changes_stand_first() -> None:
    """In sentences, and the text's difference beneath; what was saved meanwhile is looked at again."""
    visitor = await author(published=True)
    moved = text(url="https://login.other.example").replace("title: Acme", "title: Acme 2")
    await visitor.world.application.edit_connector.save("acme", moved, OPERATOR)
    page = (await visitor.get("/connectors/acme/review")).text
    values = inputs_of(page, "/connectors/acme/review") | {"confirm": "acme"}
    await visitor.world.application.edit_connector.save("acme", moved + "\n", OPERATOR)
    stale = await visitor.post("/connectors/acme/review", values)

    assert "Token host changes from auth.acme.example to login.other.example" in page
    assert page.index("Token host changes") < page.index("title changes")
    assert '<span class="minus">-title: Acme' in page
    assert 409 == stale.status_code


async def test_versions_are_compared_and_brought_back() -> None:
    """An old text becomes the draft; the versions stay."""
    visitor = await author(published=True)
    first = await source_of(visitor)
    edit = visitor.world.application.edit_connector
    await edit.save("acme", first.replace("title: Acme", "title: Acme 2"), OPERATOR)
    await edit.publish("acme", OPERATOR)
    page = (await visitor.get("/connectors/acme/versions")).text
    compared = (await visitor.get("/connectors/acme/versions/1...2")).text
    restored = await visitor.post("/connectors/acme/versions/restore", {"version": "1"})

    assert "/connectors/acme/versions/1...2" in page
    assert "title changes from “Acme” to “Acme 2”" in compared
    assert "/connectors/acme/review?said=restored" == restored.headers["location"]
    assert first == await source_of(visitor)
    assert 404 == (await visitor.get("/connectors/acme/versions/1...9")).status_code
    assert 404 == (await visitor.get("/connectors/acme/versions/x")).status_code


async def test_the_last_answer_stands_beside_the_name() -> None:
    """Its paths with their values, what the saved template makes of it, and live what the typed one does."""
    visitor = await author(text(more='connection_name: "{{ test.name }}"'))
    before = (await visitor.get("/connectors/acme/edit/6")).text
    visitor.world.egress.will_reply(token(1), me(), json_answer("{}", 404), token(2), *[done()] * 4)
    await visitor.get(await begun(visitor))
    page = (await visitor.get("/connectors/acme/edit/6")).text
    form = inputs_of(page, "/connectors/acme/edit/6")
    typed = await visitor.post("/connectors/acme/edit/6/preview", form | {"connection_name": "{{ test.nam }}"})
    broken = await visitor.post("/connectors/acme/edit/6/preview", form | {"connection_name": "{{ test."})

    assert "After a" in before
    assert "<span data-outcome>Jo</span>" in page
    assert 'data-insert="{{ test.id }}" data-into="connection_name"' in page
    assert 'id="connection_name"' in page
    note = "test.nam is not in the last trial's answer. Did you mean test.name?"
    assert {"text": "", "notes": [note], "same": None} == typed.json()["last"]
    assert {} == broken.json()["last"]


async def test_the_id_says_who_has_it_already() -> None:
    """Counted over the connector's connections; the ways to write an id alike are offered."""
    visitor = await author(published=True)
    await log_in(visitor.world, account="42")
    visitor.world.egress.will_reply(token(1), me(), json_answer("{}", 404), token(2), *[done()] * 4)
    await visitor.get(await begun(visitor))
    page = (await visitor.get("/connectors/acme/edit/8")).text

    assert "1 connection of Acme has this id already." in page
    assert 'data-filter="lower" data-into="unique_id"' in page


async def test_the_panel_shows_what_was_answered_and_who_gets_what() -> None:
    """The last trial's exchange of the step, masked; the request for curl; each host with what goes there."""
    visitor = await author()
    empty = (await visitor.get("/connectors/acme/edit/2?tab=response")).text
    visitor.world.egress.will_reply(error("invalid_grant"))
    await visitor.get(await begun(visitor))
    page = (await visitor.get("/connectors/acme/edit/2?tab=response")).text
    pane = page[page.index('data-pane="response"') :]

    assert "No trial of the last day has reached this step." in empty
    assert "invalid_grant" in pane
    assert "password-canary" not in page
    assert "--data-urlencode &#34;password=${PASSWORD}&#34;" in page
    assert "<dt>auth.acme.example</dt>" in page
    assert "username and password, client id and secret" in page


FIELDS = """fields:
  - {key: region, label: Region, type: choice, choices: {eu: Europe, us: America}}
  - {key: pin, label: Pin, type: secret, help: On your card.}
"""


async def test_step_one_shows_what_people_see() -> None:
    """The connect page's own inputs, switched off, outside of any form; and which field is asked for nothing."""
    url = "https://{{ region }}.acme.example"
    visitor = await author(text(url=url, more=FIELDS))
    page = (await visitor.get("/connectors/acme/edit/1")).text
    picture = page[page.index('<fieldset class="phone" disabled>') :].partition("</fieldset>\n<h2>Where")[0]
    style = re.search(r'href="(/assets/[^"]*connect-form.css)"', page)

    assert "Connect your <bdi>Acme</bdi> account" in picture
    assert '<input type="radio" id="field-region-0"' in picture
    assert "On your card." in picture
    assert 'id="password" name="password"' in picture
    assert "<form" not in picture
    assert style is not None
    assert (await visitor.get(style[1])).text.startswith("@scope (.phone) {")
    uses = page[page.index("Where each field is used") :]
    assert '<a href="/connectors/acme/edit/2">2 Token URL</a>' in uses
    assert "nowhere: it need not be asked" in uses


async def test_what_step_nine_puts_on_a_call_is_marked() -> None:
    """The connector's headers and the line with its query; what any call has is not."""
    more = "request: {headers: {X-Tenant: acme}, query: {version: v2}}"
    visitor = await author(text(more=more))
    page = (await visitor.get("/connectors/acme/edit/9")).text

    assert "<ins>X-Tenant: acme</ins>" in page
    assert "<ins>Authorization: Bearer ‹access_token›</ins>" in page
    assert "version=v2 HTTP/1.1</ins>" in page
    assert "<ins>Host:" not in page
