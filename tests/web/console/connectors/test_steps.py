"""The nine steps as forms over a file: what is shown, what is saved, and what is left alone."""

from __future__ import annotations

import pytest

from keyturn.adapters.catalogue.starter import starter
from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from tests.engine.builder.texts import text
from tests.web.console.connectors.authoring import author, inputs_of, source_of
from tests.web.console.visiting import Visitor

STEPS = [pytest.param(step, id=f"step {step}") for step in range(10)]


async def save(visitor: Visitor, step: int, **changed: str) -> object:
    """Open a step, change inputs (a double underscore stands for a dot) and send it; returns the answer."""
    path = f"/connectors/acme/edit/{step}"
    page = await visitor.get(path)
    values = inputs_of(page.text, path) | {name.replace("__", "."): value for name, value in changed.items()}
    values.pop("form")
    return await visitor.post(path, values)


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", [pytest.param(None, id="starter"), "directus", "matrix"])
async def test_saving_an_unchanged_form_changes_nothing(step: int, name: str | None) -> None:
    """Whatever a file holds, its form gives it back; not a character moves."""
    source = starter("acme")
    if name is not None:
        source = YamlCatalogue().splice(YamlCatalogue().ready()[name], "/connector", "acme")
    visitor = await author(source)
    answer = await save(visitor, step)

    assert 303 == answer.status_code  # type: ignore[attr-defined]
    assert answer.headers["location"].endswith("said=same")  # type: ignore[attr-defined]
    assert source == await source_of(visitor)


async def test_an_edit_changes_its_own_characters() -> None:
    """One line differs, its comment stays, and the next step follows."""
    source = starter("acme")
    visitor = await author(source)
    answer = await save(visitor, 2, token__default_ttl="7200")

    assert "/connectors/acme/edit/3?said=saved" == answer.headers["location"]  # type: ignore[attr-defined]
    expected = source.replace("default_ttl: 3600         # seconds", "default_ttl: 7200         # seconds")
    assert expected == await source_of(visitor)


async def test_rows_are_added_and_taken_out() -> None:
    """Parameters, fields and allowed URLs are tables with spare rows."""
    visitor = await author()
    page = await save(
        visitor,
        1,
        fields__0__key="region",
        fields__0__label="Region",
        fields__0__type="choice",
        fields__0__choices="eu=Europe, us=United States",
    )
    assert 303 == page.status_code  # type: ignore[attr-defined]
    value = YamlCatalogue().read(await source_of(visitor)).value
    expected = [
        {"key": "region", "label": "Region", "type": "choice", "choices": {"eu": "Europe", "us": "United States"}}
    ]
    assert expected == value["fields"]  # type: ignore[index]

    await save(visitor, 7, allowed_urls__1__url="https://api.acme.example/b", allowed_urls__1__methods="get, head")
    await save(visitor, 1, fields__0__remove="1")
    value = YamlCatalogue().read(await source_of(visitor)).value
    assert "fields" not in value  # type: ignore[operator]
    assert {"url": "https://api.acme.example/b", "methods": ["GET", "HEAD"]} == value["allowed_urls"][1]  # type: ignore[index]


async def test_refresh_and_revoke_come_and_go() -> None:
    """`refresh: none` is a choice of the form; without a URL there is no revocation."""
    visitor = await author()
    await save(visitor, 3, mode="none")
    await save(visitor, 4, revoke__url="")
    value = YamlCatalogue().read(await source_of(visitor)).value
    assert ("none", None) == (value["refresh"], value.get("revoke"))  # type: ignore[index,attr-defined]

    await save(visitor, 3, mode="used", refresh__rotation="stable")
    value = YamlCatalogue().read(await source_of(visitor)).value
    assert {"rotation": "stable"} == value["refresh"]  # type: ignore[index]


async def test_what_is_wrong_is_said_and_nothing_is_saved() -> None:
    """Summary and message at the input, what was typed stays, the page's title says so."""
    visitor = await author()
    before = await source_of(visitor)
    answer = await save(visitor, 2, token__url="https://auth.acme.example/{{ nobody }}")

    assert 422 == answer.status_code  # type: ignore[attr-defined]
    page = answer.text  # type: ignore[attr-defined]
    assert "<title>Error: 2 Token URL" in page
    assert 'href="#token.url"' in page
    assert 'value="https://auth.acme.example/{{ nobody }}"' in page
    assert 'id="token.url-error"' in page
    assert before == await source_of(visitor)


async def test_the_request_is_shown_as_it_would_be_sent() -> None:
    """At load and, for a script, while one types; the latter saves nothing."""
    visitor = await author()
    page = await visitor.get("/connectors/acme/edit/2")
    path = "/connectors/acme/edit/2"
    typed = inputs_of(page.text, path) | {"token.encoding": "json"}
    before = await source_of(visitor)
    shown = (await visitor.post(f"{path}/preview", typed)).json()
    wrong = (await visitor.post(f"{path}/preview", typed | {"token.url": "nothing"})).json()

    assert "POST /token HTTP/1.1\nHost: auth.acme.example" in page.text
    assert "username=‹username›&amp;password=‹password›" in page.text
    assert '"password":"‹password›"' in shown["requests"][0]["text"].replace(": ", ":")
    assert "encoding: json" in shown["yaml"]
    assert wrong["errors"]
    assert before == await source_of(visitor)
    assert "client-secret-canary" not in page.text


async def test_every_step_says_how_far_it_is() -> None:
    """The nine are in view with their state, and a finding stands on its step's page with what to do."""
    visitor = await author(starter("acme"))
    page = (await visitor.get("/connectors/acme/edit/7")).text

    assert 10 == page.count('<span class="number">')
    assert "not started" in page
    assert 'aria-current="step"' in page
    fresh = await author(text().replace("expect: {status: [200], body: id}", ""))
    assert "K503" in (await fresh.get("/connectors/acme/edit/5")).text


@pytest.mark.parametrize(
    ("method", "url", "expected"),
    [
        pytest.param(
            "GET", "https://api.acme.example/b/c", "allowed by the rule https://api.acme.example.", id="allowed"
        ),
        pytest.param(
            "POST", "https://new.acme.example/v1/x", "only for GET, HEAD", id="covered, but not for this method"
        ),
        pytest.param(
            "GET",
            "https://new.acme.example/v2",
            "Nearest is https://new.acme.example/v1, which has another path",
            id="beside the path",
        ),
        pytest.param("GET", "http://new.acme.example/v1", "neither https, nor http", id="plain http"),
        pytest.param("GET", "https://old.acme.example/v1", "which has another host", id="another host"),
        pytest.param("GET", "https://new.acme.example:8443/v1", "which has another port", id="another port"),
        pytest.param("DELETE", "https://api.acme.example/never/x", "/never says never", id="denied"),
        pytest.param("GET", "https://api.acme.example/never#part", "/never says never", id="denied, with a fragment"),
        pytest.param("POST", "https://new.acme.example/v1#part", "only for GET, HEAD", id="a fragment"),
    ],
)
async def test_a_url_is_tried_against_the_rules_as_they_are_typed(method: str, url: str, expected: str) -> None:
    """By which rule it is allowed, or what keeps it out; nothing is saved, and what is typed stays."""
    visitor = await author()
    before = await source_of(visitor)
    page = await save(
        visitor,
        7,
        do="judge",
        judged__url=url,
        judged__method=method,
        allowed_urls__1__url="https://new.acme.example/v1",
        allowed_urls__1__methods="GET",
        allowed_urls__2__url="https://api.acme.example/never",
        allowed_urls__2__deny="true",
    )

    assert 200 == page.status_code  # type: ignore[attr-defined]
    assert expected in page.text  # type: ignore[attr-defined]
    assert 'value="https://new.acme.example/v1"' in page.text  # type: ignore[attr-defined]
    assert before == await source_of(visitor)


async def test_there_is_no_tenth_step() -> None:
    """Another number is no page."""
    visitor = await author()
    assert 404 == (await visitor.get("/connectors/acme/edit/10")).status_code


async def test_the_rows_beside_an_edited_one_stay_as_they_are() -> None:
    """Blanks around a value, and kinds that an input shows as text."""
    params = 'params: {username: "{{ username }}", password: "{{ password }}", pad: " x ", n: 5, s: "5", yes: "true"}'
    visitor = await author(text(token=f", {params}"))
    before = YamlCatalogue().read(await source_of(visitor)).value["token"]["params"]  # type: ignore[index]
    await save(visitor, 2, token__params__0__value="{{ username | lower }}")
    after = YamlCatalogue().read(await source_of(visitor)).value["token"]["params"]  # type: ignore[index]

    assert before | {"username": "{{ username | lower }}"} == after
