"""What a step's form does besides being saved: rows, folds, words, ways on, and how far each step is."""

from __future__ import annotations

import re
from typing import Any

import pytest

from keyturn.adapters.catalogue.starter import starter
from keyturn.core.access.roles import Role
from tests.engine.builder.texts import text
from tests.web.console.connectors.authoring import author, inputs_of, source_of
from tests.web.console.visiting import Visitor


async def send(visitor: Visitor, step: int, changed: dict[str, str], *, query: str = "") -> Any:
    """Open a step, change inputs and send it; returns the answer."""
    path = f"/connectors/acme/edit/{step}"
    page = await visitor.get(path + query)
    values = inputs_of(page.text, path) | changed
    values.pop("form")
    return await visitor.post(path, values)


def states(page: str) -> dict[int, str]:
    """What the task list says of each step."""
    tasks = page[page.index('class="tasks"') :]
    tasks = tasks[: tasks.index("</nav>")]
    found = re.findall(r'<span class="number">(\d)</span>.*?</span> ([^<]+)</small>', tasks)
    return {int(number): words for number, words in found}


async def test_another_row_is_asked_for() -> None:
    """The page has one more than it had; what was typed stays, and nothing is saved."""
    visitor = await author()
    before = await source_of(visitor)
    name = "challenges.0.then.extra_params"
    once = await send(visitor, 2, {"do": f"add.{name}", f"{name}.0.name": "code", f"{name}.0.value": "{{ code }}"})
    values = inputs_of(once.text, "/connectors/acme/edit/2") | {"do": f"add.{name}"}
    twice = await visitor.post("/connectors/acme/edit/2", values)

    assert (200, 200) == (once.status_code, twice.status_code)
    assert (1, 2) == (
        once.text.count(f'name="{name}.1.name"'),
        len(re.findall(rf'name="{name}\.[12]\.name"', twice.text)),
    )
    assert f'name="{name}.2.name"' not in once.text
    assert 'value="{{ code }}"' in twice.text
    assert re.search(r'<details id="fold\.challenges\.0[^"]*" open>', once.text)
    assert before == await source_of(visitor)


async def test_a_form_that_is_shown_again_keeps_what_its_author_saw() -> None:
    """What somebody else saved meanwhile is not overwritten by a form that shows what was there before."""
    visitor = await author()
    path = "/connectors/acme/edit/2"
    mine = inputs_of((await visitor.get(path)).text, path)
    await send(visitor, 2, {"token.default_ttl": "77"})
    again = await visitor.post(path, mine | {"do": "add.token.params"})
    saved = await visitor.post(path, inputs_of(again.text, path))

    assert (200, 303) == (again.status_code, saved.status_code)
    assert saved.headers["location"].endswith("said=same")
    assert "default_ttl: 77" in await source_of(visitor)


async def test_an_error_of_a_repeated_part_says_which_it_is() -> None:
    """The second request before the login has the same labels as the first."""
    visitor = await author()
    answer = await send(visitor, 2, {"token.before.0.name": "one", "token.before.0.url": "nothing"})

    assert '<a href="#token.before.0.url">A request before the login, URL</a>' in answer.text


async def test_saving_may_stay_in_its_fold() -> None:
    """Where it was saved is open again."""
    visitor = await author()
    stayed = await send(visitor, 2, {"do": "stay", "token.default_ttl": "60"})
    fold = await send(visitor, 2, {"do": "stay.fold.failures", "limits.logins": "4"})
    page = await visitor.get("/connectors/acme/edit/2?open=fold.failures")

    assert "/connectors/acme/edit/2?said=saved" == stayed.headers["location"]
    assert "/connectors/acme/edit/2?open=fold.failures&said=saved#fold.failures" == fold.headers["location"]
    assert '<details id="fold.failures" open>' in page.text


@pytest.mark.parametrize(
    ("then", "at", "expected"),
    [
        pytest.param("5", "", "/connectors/acme/edit/5?said=saved", id="a step"),
        pytest.param("0", "trust.note", "/connectors/acme/edit/0?open=trust.note&said=saved#trust.note", id="an input"),
        pytest.param("try", "", "/connectors/acme/try?said=saved", id="the trial"),
        pytest.param("overview", "", "/connectors/acme?said=saved", id="the overview"),
        pytest.param("//evil.example", "", "/connectors/acme/edit/3?said=saved", id="nowhere else"),
        pytest.param("5", "x#//evil", "/connectors/acme/edit/5?said=saved", id="no odd place"),
    ],
)
async def test_a_saved_step_leads_where_its_author_was_going(then: str, at: str, expected: str) -> None:
    """As a script of ours says it; anything else is as if it said nothing."""
    visitor = await author()
    answer = await send(visitor, 2, {"token.default_ttl": "60", "then": then, "at": at})

    assert expected == answer.headers["location"]


async def test_behind_the_last_step_is_what_needs_something_and_then_the_trial() -> None:
    """Nobody has to find out what is left."""
    visitor = await author(starter("acme"))
    unfinished = await send(visitor, 9, {})
    done = await author(text())
    for step in range(9):
        await send(done, step, {})
    finished = await send(done, 9, {})

    assert "/connectors/acme/edit/0?last=1&said=same" == unfinished.headers["location"]
    assert "/connectors/acme/try?said=same" == finished.headers["location"]


async def test_a_blank_file_is_not_started_anywhere() -> None:
    """Nothing is called done that nobody has looked at; what was saved is, changed or not."""
    visitor = await author(starter("acme"))
    first = states((await visitor.get("/connectors/acme/edit/1")).text)
    await send(visitor, 3, {})
    await send(visitor, 5, {"test.url": "https://api.acme.example/v1/me"})
    then = states((await visitor.get("/connectors/acme/edit/1")).text)

    assert {"not started"} == set(first.values())
    assert ("done", "1 problem", "not started") == (then[3], then[5], then[8])


async def test_a_warning_keeps_nobody_from_trying() -> None:
    """It may be meant; only what keeps a connector from being published leads back to its step."""
    warned = await author(text(url="https://192.0.2.1"))
    refused = await author(text(url="https://login.provider.example"))
    found = states((await warned.get("/connectors/acme/edit/9")).text)
    for visitor in (warned, refused):
        for step in range(9):
            await send(visitor, step, {})

    assert "1 problem" in found[2]
    assert "/connectors/acme/try?said=same" == (await send(warned, 9, {})).headers["location"]
    assert "/connectors/acme/edit/2?last=1&said=same" == (await send(refused, 9, {})).headers["location"]


async def test_a_finding_stands_at_the_step_where_it_can_be_mended() -> None:
    """Whatever the rule is about; an information is no problem."""
    visitor = await author(text(url="https://192.0.2.1").replace("https://api.acme.example", "https://192.0.2.2"))
    await send(visitor, 5, {})
    found = states((await visitor.get("/connectors/acme/edit/5")).text)
    page = (await visitor.get("/connectors/acme/edit/5")).text

    assert ("1 problem", "1 problem") == (found[5], found[7])
    assert "K205" in page
    assert '<a href="#test.url">URL</a>: The host is an IP address.' in page


async def test_an_error_is_said_in_the_forms_words() -> None:
    """The label and not the key, with a way to the input, whose fold is open; no line beside a form."""
    visitor = await author()
    answer = await send(visitor, 2, {"token.url": "http://auth.acme.example/token"})
    live = (
        await visitor.post("/connectors/acme/edit/2/preview", {"token.url": "http://auth.acme.example/token"})
    ).json()
    kept = await send(visitor, 1, {"password.keep": "offer", "password.reason": ""})

    assert (
        '<a href="#token.url">Token URL</a>: expected https; plain http needs <a href="#insecure_http">' in answer.text
    )
    assert re.search(r'<details id="fold\.client_address_header" open>', answer.text)
    assert "insecure_http:" not in answer.text[: answer.text.index('data-pane="yaml"')]
    assert ("Token URL", "#token.url") == (live["errors"][0]["label"], live["errors"][0]["href"])
    assert "line" not in live["errors"][0]
    assert '<a href="#password.reason">Reason for keeping it</a>' in kept.text


async def test_an_error_in_a_table_names_its_row() -> None:
    """And stands at the input in it."""
    visitor = await author()
    rule = await send(visitor, 7, {"allowed_urls.1.url": "https://*.com"})
    pair = await send(visitor, 2, {"token.params.0.name": "grant", "token.params.0.value": "{{ nobody }}"})

    assert '<a href="#allowed_urls.1.url">Allowed URLs, row 2: URL</a>' in rule.text
    assert (
        'name="allowed_urls.1.url" value="https://*.com" autocomplete="off" spellcheck="false" aria-invalid="true"'
        in rule.text
    )
    assert '<a href="#token.params.0.value">Parameters, grant</a>' in pair.text
    assert 'id="token.params.0.value-error"' in pair.text


@pytest.mark.parametrize(
    ("step", "typed", "label", "kept"),
    [
        pytest.param(
            2, {"token.params.3.value": "kept"}, '#token.params.0.name">Parameters, row 1</a>: Give it a name', "kept",
            id="a value without a name"),
        pytest.param(
            7, {"allowed_urls.1.methods": "PUT"}, '#allowed_urls.1.url">Allowed URLs, row 2</a>: Give it a URL', "PUT",
            id="methods without a URL"),
        pytest.param(
            2, {f"token.headers.{n}.{part}": text for n, text in enumerate("xy") for part, text in
                (("name", "X-Same"), ("value", text))},
            "X-Same</a>: It stands twice.", "y", id="a name that stands twice"),
    ],
)  # fmt: skip
async def test_what_is_typed_into_a_row_is_not_dropped(step: int, typed: dict[str, str], label: str, kept: str) -> None:
    """It is said what is missing, and it stays in the form."""
    visitor = await author()
    before = await source_of(visitor)
    answer = await send(visitor, step, typed)

    assert 422 == answer.status_code
    assert label in answer.text
    assert f'value="{kept}"' in answer.text
    assert before == await source_of(visitor)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        pytest.param("connection_name: x", ["use the connection that there is (the default)"], id="left out"),
        pytest.param("connection_name: x\non_duplicate: update", ["use the connection that there is"], id="said"),
    ],
)
async def test_a_default_is_offered_once(more: str, expected: list[str]) -> None:
    """As the file has it: left out, or said."""
    visitor = await author(text(more=more).replace("on_duplicate: update\n", "", 1))
    page = (await visitor.get("/connectors/acme/edit/8")).text
    select = page[page.index('<select id="on_duplicate"') :].partition("</select>")[0]

    assert expected == [each for each in re.findall(r">([^<>]+)</option>", select) if each.startswith("use the")]


async def test_the_review_counts_what_the_linter_finds() -> None:
    """Warnings too, with what they say and a way to the input; a first version is no risk to anybody."""
    visitor = await author(text(more="connection_name: Acme"))
    page = (await visitor.get("/connectors/acme/review")).text

    assert "The linter finds" in page
    assert re.search(r"\d warnings?", page)
    assert 'href="/connectors/acme/edit/6?open=connection_name#connection_name">Step 6, Name</a>' in page
    assert "<h2>Risky</h2>" not in page


async def test_after_publishing_a_link_can_be_made() -> None:
    """The next step stands where it is said that the version is published."""
    visitor = await author(published=True)
    page = (await visitor.get("/connectors/acme/versions?said=published_1")).text
    assert "Make a connect link" not in page  # an author may not

    operator = await author(published=True, role=Role.ADMIN)
    page = (await operator.get("/connectors/acme/versions?said=published_1")).text
    assert 'href="/links?connector=acme#make">Make a connect link</a>' in page


async def test_what_is_wrong_with_a_paste_is_asked_before_it_is_sent() -> None:
    """Where it is, and nothing of the text; what is wrong with the id stands at the id."""
    visitor = await author()
    pasted = "curl 'https://a -d password=hunter-canary"
    answer = await visitor.post("/connectors/new/check", {"way": "curl", "id": "other", "text": pasted})
    taken = await visitor.post("/connectors/new/check", {"way": "blank", "id": "acme"})
    posted = await visitor.post("/connectors/new", {"way": "curl", "id": "other", "text": pasted})

    (error,) = answer.json()["errors"]
    assert ("/text", 1, 6) == (error["pointer"], error["line"], error["column"])
    assert "hunter-canary" not in answer.text + posted.text
    assert ["/id"] == [each["pointer"] for each in taken.json()["errors"]]
    assert {"errors": []} == (await visitor.post("/connectors/new/check", {"way": "blank", "id": "free"})).json()
    assert re.search(r'<textarea [^>]*id="text"[^>]*aria-invalid="true"', posted.text)
    assert not re.search(r'<input id="id"[^>]*aria-invalid', posted.text)


async def test_few_sessions_are_said_at_the_logout() -> None:
    """Step 4 has them in a fold of their own, and what is wrong with them is said there."""
    visitor = await author()
    saved = await send(visitor, 4, {"do": "stay", "session.limit": "1", "session.logout_first": "true"})
    without = await send(visitor, 4, {"do": "stay", "session.limit": "0"})

    assert "said=saved" in saved.headers["location"]
    assert "session: {limit: 1, logout_first: true}" in (await source_of(visitor)).replace("\n  ", " ")
    assert '<a href="#session.limit">Sessions that one account may have</a>' in without.text
