"""The audit log at the console: the filter is the address, a record shows its place, and what verifying found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.audit_record import AuditRecord
from keyturn.engine.actor import Actor
from tests.engine.builder.texts import text
from tests.web.console.seen import fill, title, without_secrets
from tests.web.console.visiting import Visitor, make_visitor

LOST = AuditRecord(0.0, "connection.needs_reconnect", "scheduler", "grant_lost", "acme", "cxn_lost", "owner-1")


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await fill(visitor.world)
    now = visitor.world.clock.now()
    await visitor.world.stores.audit.append([replace(LOST, at=now), replace(LOST, at=now - 86_400.0, owner="owner-2")])
    await visitor.sign_in(Role.VIEWER)
    return visitor


async def test_that_somebody_reads_is_recorded_once(visitor: Visitor) -> None:
    """Pages and records alike, and none shows itself first; what verifies is no read, nor is a refused filter."""
    for path in ("/audit/verify", "/audit?since=yesterday"):
        await visitor.get(path)
    before = list(visitor.world.stores.database.records)
    first = await visitor.get("/audit")
    for path in ("/audit/1", "/audit?actor=x"):
        await visitor.get(path)
    then = await visitor.get("/audit")
    after = visitor.world.stores.database.records

    assert "audit.read" not in first.text.partition("<tbody>")[2]
    assert "audit.read" in then.text.partition("<tbody>")[2]
    assert ["audit.read"] == [each.action for each in after[len(before) :]]
    assert after[-1].actor.startswith("person:")


@pytest.mark.parametrize(
    ("query", "owners"),
    [
        pytest.param("?outcome=grant_lost", ("owner-1", "owner-2"), id="by outcome"),
        pytest.param("?action=connection.needs_reconnect&owner=owner-2", ("owner-2",), id="by two parts"),
        pytest.param("?actor=nobody", (), id="by somebody who did nothing"),
        pytest.param("?since=2999-01-01", (), id="from a day to come"),
        pytest.param("?until=1970-01-01T00:00:00Z", (), id="before an instant long gone"),
    ],
)
async def test_the_filter_is_the_address(visitor: Visitor, query: str, owners: tuple[str, ...]) -> None:
    """What does not fit is not shown; where nothing does, the page says how to go on."""
    shown = (await visitor.get(f"/audit{query}")).text
    rows = shown.partition("<tbody>")[2]

    assert owners == tuple(each for each in ("owner-1", "owner-2") if each in rows)
    assert (not owners) is ("No record matches" in shown)


async def test_a_day_that_is_none_is_told(visitor: Visitor) -> None:
    """At its input, without a record beside it."""
    answer = await visitor.get("/audit?since=yesterday&action=x")

    assert 422 == answer.status_code
    assert "<title>Error: Audit" in answer.text
    assert 'id="since-error1"' in answer.text
    assert 'value="yesterday"' in answer.text


async def test_older_records_by_cursor(visitor: Visitor) -> None:
    """The next page keeps the filter."""
    now = visitor.world.clock.now()
    await visitor.world.stores.audit.append([replace(LOST, at=now, actor=f"many-{n}", owner=None) for n in range(60)])
    first = (await visitor.get("/audit?connection=cxn_lost")).text
    link = first.partition('<p class="pages"><a href="')[2].partition('"')[0].replace("&amp;", "&")
    second = (await visitor.get(link)).text

    assert "connection=cxn_lost" in link
    assert ("many-59" in first, "many-9<" in first) == (True, False)
    assert ("many-59" in second, "many-9<" in second) == (False, True)


async def test_a_record_in_its_place(visitor: Visitor) -> None:
    """With the MAC before it and its own; the record before shows that one as its own."""
    await visitor.get("/audit")  # that it is read stands there from now on
    head = (await visitor.world.stores.chain.bounds()).head[0]
    entry = await visitor.world.stores.chain.entry(head)
    assert entry is not None
    last, before = (await visitor.get(f"/audit/{head}")).text, (await visitor.get(f"/audit/{head - 1}")).text

    assert f"<dd><code>{entry.mac.hex()}</code></dd>" in last
    assert entry.previous.hex() in last
    assert f"<dt>MAC</dt><dd><code>{entry.previous.hex()}</code></dd>" in before
    assert ("Record after" in last, "Record after" in before) == (False, True)


@pytest.mark.parametrize("seq", ["0", "999999", "99999999999999999999999", "x", "%C2%B2"])
async def test_no_such_record(visitor: Visitor, seq: str) -> None:
    """Whatever stands in the address."""
    assert 404 == (await visitor.get(f"/audit/{seq}")).status_code


async def test_verifying(visitor: Visitor) -> None:
    """A right log is found right, and the page of the log says when; a GET verifies nothing."""
    before = (await visitor.get("/audit/verify")).text
    done = await visitor.post("/audit/verify")

    assert "never verified" in before
    assert 200 == done.status_code
    assert "The log is what was written." in done.text
    assert "found right" in (await visitor.get("/audit")).text


async def test_a_log_that_was_changed(visitor: Visitor) -> None:
    """It names the record, and what to do first."""
    chain = visitor.world.stores.chain
    chain.tampered = lambda entries: [
        replace(each, record=replace(each.record, actor="somebody else")) if each.seq == 2 else each for each in entries
    ]
    await visitor.get("/audit/verify")
    answer = await visitor.post("/audit/verify")

    assert "The log is not what was written." in answer.text
    assert 'record <a href="/audit/2">2</a>' in answer.text
    entry = (await chain.entries(1, limit=1))[0]
    assert f"it is <code>{entry.mac.hex()}</code>" in answer.text
    assert "--file log.ndjson --key-file" in answer.text


async def test_verifying_to_a_record(visitor: Visitor) -> None:
    """The record's page has the button; the answer is about these records, and is not noted of the whole log."""
    page = (await visitor.get("/audit/2")).text
    answer = await visitor.post("/audit/verify", {"last": "2"})
    beyond = await visitor.post("/audit/verify", {"first": "9", "last": "2"})

    assert '<input type="hidden" name="last" value="2">' in page
    assert "Verify to here" in page
    assert "These records are what was written." in answer.text
    assert "2, from number 1 on" in answer.text
    assert (422, True) == (beyond.status_code, 'id="last-error1"' in beyond.text)
    assert await visitor.world.stores.chain.verified_at() is None


async def test_the_chain_at_a_glance(visitor: Visitor) -> None:
    """How many records, the newest one's MAC, what is kept outside, and when it was found right."""
    page = (await visitor.get("/audit")).text
    head = (await visitor.world.stores.chain.bounds()).head

    assert f'<dt>Newest of the main chain</dt><dd><a href="/audit/{head[0]}">' in page
    assert f'<code title="{head[1].hex()}">{head[1].hex()[:8]}…</code>' in page
    assert "KEYTURN_AUDIT_ANCHOR" in page
    assert "never · " in page


async def test_what_recurs_is_left_out(visitor: Visitor) -> None:
    """The page offers it where it hides the rest, and keeps the filter that stands."""
    now = visitor.world.clock.now()
    await visitor.world.stores.audit.append([replace(LOST, at=now, action="connection.expiring")] * 40)
    full = (await visitor.get("/audit?connection=cxn_lost")).text
    link = "/audit?without=connection.expiring&amp;connection=cxn_lost"
    without = (await visitor.get(link.replace("&amp;", "&"))).text

    assert f'<a href="{link}">Leave out connection.expiring</a> (40 of these' in full
    assert "owner-2" in without
    assert '<th scope="row">connection.expiring</th>' not in without


async def test_exporting(visitor: Visitor) -> None:
    """A file for administrators: recorded, with a signed end; a viewer has no form and gets none."""
    viewer = (await visitor.get("/audit")).text
    refused = await visitor.post("/audit/export")
    await visitor.sign_in(Role.ADMIN)
    shown = (await visitor.get("/audit")).text
    answer = await visitor.post("/audit/export", {"export_since": "", "export_until": ""})
    wrong = await visitor.post("/audit/export", {"export_since": "soon", "export_until": ""})
    lines = answer.text.splitlines()

    assert ('action="/audit/export"' in viewer, 'action="/audit/export"' in shown) == (False, True)
    assert (403, 200, 422) == (refused.status_code, answer.status_code, wrong.status_code)
    assert 'attachment; filename="keyturn-audit-' in answer.headers["content-disposition"]
    assert "audit.exported" in lines[-2]
    assert '"kind":"export"' in lines[-1]
    assert 'id="export_since-error1"' in wrong.text


async def test_who_did_it(visitor: Visitor) -> None:
    """A key by its name, one that is gone too; the record's own word stands behind it."""
    application = visitor.world.application
    key, _ = await application.api_keys.create("billing", ["read"], Actor("operator"))
    await visitor.world.stores.audit.append([replace(LOST, at=visitor.world.clock.now(), actor=f"key:{key.id}")])
    before = (await visitor.get("/audit")).text
    await application.api_keys.revoke(key.id, Actor("operator"))

    assert f'<span title="key:{key.id}">API key billing</span>' in before
    assert "API key billing (revoked)" in (await visitor.get("/audit")).text
    assert "keyturn, by itself" in before


async def test_a_time_among_the_facts_is_told_as_one(visitor: Visitor) -> None:
    """Not as seconds."""
    told = replace(LOST, at=visitor.world.clock.now(), facts={"expires_at": 1_700_000_000.0, "generation": 3})
    await visitor.world.stores.audit.append([told])
    page = (await visitor.get(f"/audit/{(await visitor.world.stores.chain.bounds()).head[0]}")).text

    assert "<dt>Expires at</dt><dd>2023-11-14 22:13:20 UTC</dd>" in page
    assert "<dt>Generation</dt><dd>3</dd>" in page


async def test_what_a_saved_connector_changed(visitor: Visitor) -> None:
    """Its record says which keys, and between which texts."""
    edit = visitor.world.application.edit_connector
    for url in ("https://auth.acme.example", "https://b.example"):
        await edit.save("acme", text(url=url), Actor("operator"))
    head = (await visitor.world.stores.chain.bounds()).head[0]

    page = (await visitor.get(f"/audit/{head}")).text

    assert "<dt>Changed</dt><dd><code>token.url</code>" in page
    assert "<dt>Hosts added</dt><dd><code>b.example</code>" in page


@pytest.mark.parametrize(
    ("head", "at"),
    [
        pytest.param({"seq": "3", "mac": ""}, "mac", id="a number alone"),
        pytest.param({"seq": "", "mac": "0" * 64}, "seq", id="a MAC alone"),
        pytest.param({"seq": "1", "mac": "zz"}, "mac", id="no MAC"),
    ],
)
async def test_half_a_head_is_told(visitor: Visitor, head: dict[str, str], at: str) -> None:
    """A head is a number and a MAC."""
    await visitor.get("/audit/verify")
    answer = await visitor.post("/audit/verify", head)

    assert 422 == answer.status_code
    assert f'id="{at}-error1"' in answer.text


async def test_a_head_of_another_log(visitor: Visitor) -> None:
    """One that was kept outside and does not fit is the fault."""
    await visitor.get("/audit/verify")
    answer = await visitor.post("/audit/verify", {"seq": "1", "mac": "0" * 64})

    assert "<code>rewritten</code>" in answer.text


async def test_no_secret_is_shown(visitor: Visitor) -> None:
    """Neither in the list nor in a record."""
    pages = [await visitor.get(path) for path in ("/audit", "/audit/1", "/audit/2", "/audit/verify")]

    without_secrets(*(each.text for each in pages))
    assert "Audit" == await title(visitor, "/audit")
