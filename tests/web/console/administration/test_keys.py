"""Encryption keys at the console: how they stand, one more, another current, and the end of kept passwords."""

from __future__ import annotations

import re

import pytest

from keyturn.core.access.roles import Role
from keyturn.engine.actor import Actor
from tests.fakes.key_custody import FIRST
from tests.web.console.seen import fill, without_secrets
from tests.web.console.visiting import Visitor, make_visitor


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await fill(visitor.world)
    await visitor.sign_in(Role.ADMIN)
    await visitor.get("/keys")
    return visitor


async def added(visitor: Visitor) -> str:
    """One more key; returns its id."""
    answer = await visitor.post("/keys/add")
    assert (303, "/keys?said=added") == (answer.status_code, answer.headers["location"])
    return str((await visitor.world.application.keys.list())[-1].id)


async def test_a_rotation_from_end_to_end(visitor: Visitor) -> None:
    """Added, asked about, made current with a job, and the old one not retired while it seals something."""
    key = await added(visitor)
    listed = (await visitor.get("/keys")).text
    question = (await visitor.get(f"/keys/{key}/rotate")).text
    await visitor.post(f"/keys/{key}/rotate")
    after = (await visitor.get("/keys?said=rotated")).text
    rotation = await visitor.world.application.keys.rotation()
    states = {each.id: each.state.value for each in await visitor.world.application.keys.list()}

    assert f'href="/keys/{key}/rotate"' in listed
    assert "Is it backed up?" in question
    assert rotation is not None
    assert f'href="/jobs/{rotation.id}"' in after
    assert {FIRST: "standby", key: "current"} == states
    assert f"/keys/{FIRST}/retire" not in after


async def test_retiring(visitor: Visitor) -> None:
    """Only one under which nothing is sealed; the audit log names who did it."""
    key = await added(visitor)
    refused = (await visitor.get(f"/keys/{FIRST}/retire")).text
    asked = (await visitor.get(f"/keys/{key}/retire")).text
    answer = await visitor.post(f"/keys/{key}/retire")
    records, _ = await visitor.world.stores.audit.list(limit=1)

    assert ("Retire it" in refused, "Retire it" in asked) == (False, True)
    assert "/keys?said=retired" == answer.headers["location"]
    assert ("key.retired", True) == (records[0][1].action, records[0][1].actor.startswith("person:"))


async def test_what_cannot_be_done_is_told(visitor: Visitor) -> None:
    """The operator names the keys; the current one stays; there is no such key."""
    visitor.world.stores.keys.makes_keys = False
    named = await visitor.post("/keys/add")
    current = await visitor.post(f"/keys/{FIRST}/retire")
    unknown = await visitor.get("/keys/key_none/rotate")

    assert "<code>key_not_made_here</code>" in named.text
    assert "<code>key_state_conflict</code>" in current.text
    assert 404 == unknown.status_code


@pytest.mark.parametrize("word", ["", "yes", "destroyed"])
async def test_another_word_destroys_nothing(visitor: Visitor, word: str) -> None:
    """The page says so, and what to type."""
    answer = await visitor.post("/keys/destroy-passwords", {"word": word})
    found = await visitor.world.stores.connections.open("cxn_well")

    assert 422 == answer.status_code
    assert "Nothing was destroyed." in answer.text
    assert found is not None
    assert found[1].password is not None


async def test_the_end_of_all_kept_passwords(visitor: Visitor) -> None:
    """By the word; how many there were is said, and tokens stay."""
    asked = (await visitor.get("/keys/destroy-passwords")).text
    answer = await visitor.post("/keys/destroy-passwords", {"word": " Destroy "})
    found = await visitor.world.stores.connections.open("cxn_well")

    assert "be undone" in asked
    assert re.search(r"Destroyed: [1-9]\d* kept password", answer.text)
    assert found is not None
    assert found[1].password is None
    assert found[1].token_set is not None
    without_secrets(asked, answer.text)


async def test_how_much_is_resealed(visitor: Visitor) -> None:
    """In figures and as a bar, with a way to the job."""
    key = await added(visitor)
    await visitor.post(f"/keys/{key}/rotate")
    visitor.world.stores.keys.wrapped["meta.value"]["lookup"] = key
    page = (await visitor.get("/keys")).text

    assert "50 % re-sealed: 1 of 2 rows are under the current key" in page
    assert '<progress id="share" max="100" value="50">' in page
    assert "Watch it, or stop it for now" in page


async def test_the_last_backup_stands_before_retiring(visitor: Visitor) -> None:
    """When it was made, or that none is known; REST says the same."""
    key = await added(visitor)
    without = (await visitor.get(f"/keys/{key}/retire")).text
    visitor.world.stores.keys.backed_up_at = visitor.world.clock.now() - 7200.0
    known = (await visitor.get(f"/keys/{key}/retire")).text

    assert "No back-up is known." in without
    assert "2 hours ago" in known


async def test_the_keys_that_sign(visitor: Visitor) -> None:
    """The audit log's public key, and each webhook's secret by its age; a rolled one is new."""
    webhooks = visitor.world.application.webhooks
    hook, _ = await webhooks.create("https://hooks.example/in", (), "billing", Actor("operator"))
    visitor.world.clock.advance(3 * 86_400.0)
    await visitor.sign_in(Role.ADMIN)
    old = (await visitor.get("/keys")).text
    await webhooks.roll(hook.id, Actor("operator"))
    new = (await visitor.get("/keys")).text
    public_key, _ = await visitor.world.application.auditing.keeper.signing_key()

    assert public_key.hex() in old
    assert "Webhook billing" in old
    assert (old.count("3 days ago") - new.count("3 days ago")) == 1
