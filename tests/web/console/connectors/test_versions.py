"""Who published each version and why, and all of them page by page."""

from __future__ import annotations

from tests.web.console.connectors.authoring import OPERATOR, author, inputs_of, source_of
from tests.web.console.visiting import Visitor

REVIEW = "/connectors/acme/review"
VERSIONS = "/connectors/acme/versions"


async def publish(visitor: Visitor, note: str) -> int:
    """Publish by the review's form; the answer's status."""
    values = inputs_of((await visitor.get(REVIEW)).text, REVIEW)
    return (await visitor.post(REVIEW, values | {"confirm": "acme", "note": note})).status_code


async def test_a_note_stands_with_its_version() -> None:
    """Beside who published it, by name, on the page and in the audit log."""
    visitor = await author()
    status = await publish(visitor, "  the provider's <new> host ")
    page = (await visitor.get(VERSIONS)).text
    record = next(each for each in visitor.world.stores.database.records if each.action == "connector.published")

    assert 303 == status
    assert "the provider&#39;s &lt;new&gt; host" in page
    assert "by A author<" in page
    assert "the provider's <new> host" == record.facts["note"]


async def test_a_note_that_is_no_line_is_refused() -> None:
    """Nothing is published, and what was typed is still there; one of 500 characters is a line."""
    visitor = await author()
    values = inputs_of((await visitor.get(REVIEW)).text, REVIEW) | {"confirm": "acme"}
    refused = await visitor.post(REVIEW, values | {"note": "x" * 501})

    assert 422 == refused.status_code
    assert 'href="#note"' in refused.text
    assert "x" * 501 in refused.text
    assert await visitor.world.application.connectors.version("acme") is None
    assert 303 == await publish(visitor, "x" * 500)


async def test_versions_that_nobody_signed() -> None:
    """Those of before are said to be so; the program's own name is shown as it is."""
    visitor = await author()
    read = await visitor.world.application.connectors.draft("acme")
    assert read is not None
    await visitor.world.stores.connectors.publish(read.connector, read.source, "old", at=0)
    await visitor.world.application.edit_connector.publish("acme", OPERATOR)
    page = (await visitor.get(VERSIONS)).text

    assert "nobody wrote down by whom" in page
    assert "by operator<" in page


async def test_versions_are_paged() -> None:
    """None is left out in silence; the current one stays the current one on every page."""
    visitor = await author()
    source = await source_of(visitor)
    connector = await visitor.world.application.edit_connector.read(source)
    for n in range(51):
        await visitor.world.stores.connectors.publish(connector, source, f"d{n}", at=n)
    first, second = [(await visitor.get(path)).text for path in (VERSIONS, f"{VERSIONS}?cursor=1")]
    refused = await visitor.get(f"{VERSIONS}?cursor=0")

    assert 'href="/connectors/acme/versions?cursor=1" rel="next"' in first
    assert (50, 1) == (first.count("Make it the draft"), second.count("Make it the draft"))
    assert (1, 0) == (first.count(">current</span>"), second.count(">current</span>"))
    assert "/versions/1...51" in second
    assert 422 == refused.status_code
