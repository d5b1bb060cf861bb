"""Two authors of one draft: changes of other values are put together, of the same value asked; nothing is lost."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.web.console.pages.connectors.merging import MOST_PACKED, pack, unpack
from tests.engine.builder.texts import text
from tests.web.console.connectors.authoring import OPERATOR, author, inputs_of, source_of
from tests.web.console.visiting import Visitor

YAML = "/connectors/acme/edit/yaml"
COMMENTED = text().replace("title: Acme", "title: Acme  # mine since 2019")


def path_of(step: int) -> str:
    """A step's page."""
    return f"/connectors/acme/edit/{step}"


async def loaded(visitor: Visitor, step: int, **changed: str) -> dict[str, str]:
    """A step's form as a browser has it, with inputs changed (a double underscore stands for a dot)."""
    page = await visitor.get(path_of(step))
    return inputs_of(page.text, path_of(step)) | {name.replace("__", "."): each for name, each in changed.items()}


async def they_save(visitor: Visitor, **edits: Any) -> str:
    """Somebody else saves the draft with values changed; returns its text."""
    drafts = visitor.world.application.builder.drafts
    draft = await drafts.draft("acme")
    pointers = {f"/{name.replace('__', '/')}": value for name, value in edits.items()}
    changed = await drafts.edited(draft.source, pointers)
    return (await drafts.save("acme", changed, draft.revision, OPERATOR)).draft.source


def value(source: str) -> Any:
    """A text as plain data."""
    return YamlCatalogue().read(source).value


async def test_changes_of_other_values_are_put_together() -> None:
    """Also in the same step; the notice says what the other has changed, and the way on is there."""
    visitor = await author(COMMENTED)
    mine = await loaded(visitor, 2, token__default_ttl="77")
    await they_save(visitor, token__url="https://login.acme.example/token", unique_id="{{ test.name }}")
    answer = await visitor.post(path_of(2), mine)
    page, source = html.unescape(answer.text), await source_of(visitor)

    assert 200 == answer.status_code
    assert "Saved, on top of what somebody else has saved meanwhile" in page
    assert "Token host changes from auth.acme.example to login.acme.example" in page
    assert "The unique id changes from {{ test.id }} to {{ test.name }}" in page
    assert '<a class="button plain" href="/connectors/acme/edit/3">Go on</a>' in page
    assert (77, "https://login.acme.example/token") == (
        value(source)["token"]["default_ttl"],
        value(source)["token"]["url"],
    )
    assert "title: Acme  # mine since 2019" in source
    assert {"token.default_ttl": "77", "token.url": "https://login.acme.example/token"}.items() <= inputs_of(
        answer.text, path_of(2)
    ).items()


async def test_a_form_that_changed_nothing_takes_nothing_back() -> None:
    """It shows what was there before somebody else's save, and is sent as it is."""
    visitor = await author()
    mine = await loaded(visitor, 8)
    theirs = await they_save(visitor, unique_id="{{ test.name }}")
    answer = await visitor.post(path_of(8), mine)

    assert 303 == answer.status_code
    assert answer.headers["location"].endswith("said=same")
    assert theirs == await source_of(visitor)


@pytest.mark.parametrize(("side", "expected"), [("mine", "{{ test.mail }}"), ("theirs", "{{ test.name }}")])
async def test_the_same_value_is_asked(side: str, expected: str) -> None:
    """With both values and the one before; whatever else was changed is kept, and no choice is one for neither."""
    visitor = await author()
    mine = await loaded(visitor, 8, unique_id="{{ test.mail }}", on_duplicate="reject")
    theirs = await they_save(visitor, unique_id="{{ test.name }}", title="Acme Corporation")
    asked = await visitor.post(path_of(8), mine)
    action = f"{path_of(8)}/together"
    form = inputs_of(asked.text, action)
    unchosen = await visitor.post(action, form)
    again = inputs_of(unchosen.text, action)
    saved = await visitor.post(action, again | {"choice./unique_id": side})
    found = value(await source_of(visitor))

    assert (409, 422, 303) == (asked.status_code, unchosen.status_code, saved.status_code)
    page = html.unescape(asked.text)
    assert ["{{ test.id }}", "{{ test.mail }}", "{{ test.name }}"] == re.findall(
        r"<pre tabindex=\"0\"(?: id=\"[^\"]*\")?>(\{\{ test.*?)</pre>", page
    )
    assert "<legend>Identifier</legend>" in page
    assert "title changes from “Acme” to “Acme Corporation”" in page
    assert 'href="#choice./unique_id.mine">Choose for “Identifier”.' in html.unescape(unchosen.text)
    assert theirs != await source_of(visitor)
    assert (expected, "reject", "Acme Corporation") == (found["unique_id"], found["on_duplicate"], found["title"])
    assert "/connectors/acme/edit/9?said=saved" == saved.headers["location"]


async def test_a_choice_counts_for_what_was_seen() -> None:
    """Where it is saved once more meanwhile, the choice is asked again, of the values that there are now."""
    visitor = await author()
    mine = await loaded(visitor, 8, unique_id="{{ test.mail }}")
    await they_save(visitor, unique_id="{{ test.name }}")
    action = f"{path_of(8)}/together"
    form = inputs_of((await visitor.post(path_of(8), mine)).text, action)
    await they_save(visitor, unique_id="{{ test.uid }}")
    again = await visitor.post(action, form | {"choice./unique_id": "mine"})

    assert 409 == again.status_code
    assert "{{ test.uid }}" in html.unescape(again.text)
    assert " checked" not in again.text[again.text.index(action) : again.text.index("Save it so")]
    assert "{{ test.uid }}" == value(await source_of(visitor))["unique_id"]


async def test_rows_of_two_authors_stand_beside_each_other() -> None:
    """A parameter, a field and an allowed URL of each."""
    visitor = await author()
    region = {"key": "region", "label": "Region"}
    header = {"token__headers__0__name": "X-Mine", "token__headers__0__value": "1"}
    forms: list[tuple[int, dict[str, str], dict[str, Any]]] = [
        (2, header, {"token__headers": {"X-Other": "2"}}),
        (1, {"fields__0__key": "tenant", "fields__0__label": "Tenant"}, {"fields": [region]}),
    ]
    for step, own, other in forms:
        mine = await loaded(visitor, step, **own)
        await they_save(visitor, **other)
        assert 200 == (await visitor.post(path_of(step), mine)).status_code
    found = value(await source_of(visitor))

    assert {"X-Mine": "1", "X-Other": "2"} == found["token"]["headers"]
    assert ["region", "tenant"] == [each["key"] for each in found["fields"]]


async def test_what_reads_as_no_connector_together_is_put_together_by_hand() -> None:
    """Each change reads alone; both texts are there, the fault is said, and nothing is stored."""
    visitor = await author(text(more="fields: [{key: region, label: Region}]"))
    mine = await loaded(visitor, 2, token__url="https://{{ region }}.acme.example/token")
    theirs = await they_save(visitor, fields=[{"key": "zone", "label": "Zone"}])
    answer = await visitor.post(path_of(2), mine)
    by_hand = inputs_of(answer.text, YAML)

    assert 409 == answer.status_code
    assert "Put together, the two read as no connector" in answer.text
    assert "{{ region }}.acme.example" in by_hand["text"]
    assert "zone" in by_hand["text"]
    assert theirs == await source_of(visitor)


async def test_without_the_text_it_began_from_the_whole_text_is_asked() -> None:
    """As of a form that is too large to carry it; the texts are put together by hand, and can be saved."""
    visitor = await author()
    mine = await loaded(visitor, 6, connection_name="{{ test.name }}", base="")
    theirs = await they_save(visitor, unique_id="{{ test.name }}")
    answer = await visitor.post(path_of(6), mine)

    assert 409 == answer.status_code
    assert "Somebody else has saved this draft meanwhile" in answer.text
    assert theirs == await source_of(visitor)
    merged = inputs_of(answer.text, YAML)
    assert 'connection_name: "{{ test.name }}"' in merged["text"]
    assert 303 == (await visitor.post(YAML, merged)).status_code
    assert 'connection_name: "{{ test.name }}"' in await source_of(visitor)


async def test_the_form_of_another_draft_of_the_same_number_is_noticed() -> None:
    """What was seen is the text, not its number: a file begun anew under one id counts from 1 again."""
    visitor = await author()
    mine = await loaded(visitor, 8, on_duplicate="reject")
    await they_save(visitor, unique_id="{{ test.name }}")
    draft = await visitor.world.application.builder.drafts.draft("acme")
    answer = await visitor.post(path_of(8), mine | {"revision": str(draft.revision)})

    assert 200 == answer.status_code
    assert "{{ test.name }}" == value(await source_of(visitor))["unique_id"]


@pytest.mark.parametrize("packed", ["", "x", "AAAA", "ä", pack("a" * 3_000_000), pack("canary")[:-8]])
def test_what_cannot_be_opened_is_nothing(packed: str) -> None:
    """Neither cut, nor bare, nor larger than a file may be once it is opened."""
    assert unpack(packed) is None


def test_a_text_goes_along_as_it_is() -> None:
    """With its line ends; what would not fit into a form is left at home."""
    odd = "a: 1\r\n# é\u2028\n"

    assert odd == unpack(pack(odd))
    assert "" == pack("".join(chr(0x4E00 + n * 7919 % 20_000) for n in range(60_000)))
    assert len(pack(text())) < MOST_PACKED / 10
