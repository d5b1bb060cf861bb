"""API keys at the console: shown once, limited, rolled, revoked."""

from __future__ import annotations

import re

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.errors import ApiKeyExpired, Unauthenticated
from tests.engine.story import publish
from tests.web.console.visiting import Visitor, make_visitor

KEY = re.compile(r'value="(kt_[^"]+)"')


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await publish(visitor.world)
    await visitor.sign_in(Role.ADMIN)
    await visitor.get("/api-keys")
    return visitor


async def made(visitor: Visitor, **more: str) -> tuple[str, str]:
    """A key: its id and itself."""
    answer = await visitor.post("/api-keys", {"name": "billing", "scope:read": "1", "lives": "30", **more})
    found = KEY.search(answer.text)
    assert found is not None, answer.text
    return (await visitor.world.application.api_keys.list())[0].id, found.group(1)


async def test_a_key_is_shown_once_and_works(visitor: Visitor) -> None:
    """With the scopes, limits and life that were chosen; afterwards no page has it."""
    key_id, text = await made(visitor, **{"scope:call": "1", "connectors": "acme\n", "owners": "owner-1\r\nowner-2"})
    principal = await visitor.world.application.api_keys.authenticate(text)
    pages = [(await visitor.get(path)).text for path in ("/api-keys", f"/api-keys/{key_id}", "/audit", "/audit/3")]

    assert ["call", "read"] == sorted(principal.scopes)
    assert (["acme"], ["owner-1", "owner-2"]) == (sorted(principal.connectors), sorted(principal.owners))
    assert visitor.world.clock.now() + 30 * 86_400 == principal.expires_at
    assert not any(text in page for page in pages)
    assert "acme, owner-1, owner-2" in pages[0]


@pytest.mark.parametrize(
    ("values", "at"),
    [
        pytest.param({"name": ""}, "name", id="no name"),
        pytest.param({"scope:read": ""}, "scopes", id="no scope"),
        pytest.param({"connectors": "nothing-of-ours"}, "connectors", id="no such connector"),
        pytest.param({"owners": "a" * 5000}, "owners", id="no owner"),
        pytest.param({"lives": "1"}, "lives", id="no such life"),
    ],
)
async def test_a_wrong_form_is_told(visitor: Visitor, values: dict[str, str], at: str) -> None:
    """At its input, with what was typed still there; nothing is made."""
    answer = await visitor.post("/api-keys", {"name": "billing", "scope:read": "1", "lives": "90", **values})

    assert 422 == answer.status_code
    assert "<title>Error: API keys" in answer.text
    assert f'id="{at}-error1"' in answer.text
    assert [] == await visitor.world.application.api_keys.list()


async def test_rolling(visitor: Visitor) -> None:
    """The new key is shown once; the old one ends when that was chosen."""
    key_id, old = await made(visitor)
    answer = await visitor.post(f"/api-keys/{key_id}/roll", {"overlap": "3600"})
    found = KEY.search(answer.text)
    wrong = await visitor.post(f"/api-keys/{key_id}/roll", {"overlap": "1"})
    keys = visitor.world.application.api_keys

    assert found is not None
    assert key_id == (await keys.authenticate(old)).id
    assert key_id != (await keys.authenticate(found.group(1))).id
    assert visitor.world.clock.now() + 3600 == (await keys.load(key_id)).expires_at
    assert 422 == wrong.status_code


async def test_rolling_at_once(visitor: Visitor) -> None:
    """The old key is worth nothing from then on, and can't be rolled again."""
    key_id, old = await made(visitor)
    await visitor.post(f"/api-keys/{key_id}/roll", {"overlap": "0"})
    page = (await visitor.get(f"/api-keys/{key_id}")).text

    with pytest.raises(ApiKeyExpired):
        await visitor.world.application.api_keys.authenticate(old)
    assert f'action="/api-keys/{key_id}/roll"' not in page


async def test_revoking_asks_first(visitor: Visitor) -> None:
    """The question changes nothing; the form ends it, by name of who did it."""
    key_id, text = await made(visitor)
    asked = (await visitor.get(f"/api-keys/{key_id}/revoke")).text
    still = await visitor.world.application.api_keys.authenticate(text)
    answer = await visitor.post(f"/api-keys/{key_id}/revoke")
    records, _ = await visitor.world.stores.audit.list(limit=1)

    assert "Revoke billing?" in asked
    assert key_id == still.id
    assert "/api-keys?said=revoked" == answer.headers["location"]
    with pytest.raises(Unauthenticated):
        await visitor.world.application.api_keys.authenticate(text)
    assert ("api_key.revoked", True) == (records[0][1].action, records[0][1].actor.startswith("person:"))
    assert 404 == (await visitor.get(f"/api-keys/{key_id}")).status_code


async def test_how_long_it_lives_is_chosen(visitor: Visitor) -> None:
    """Ninety days where nobody chose; for good only by choice, with a warning beside it."""
    form = (await visitor.get("/api-keys")).text
    await made(visitor, lives="forever")
    (key,) = await visitor.world.application.api_keys.list()
    listed = (await visitor.get("/api-keys")).text

    assert 'value="90" checked' in form
    assert "Whoever gets hold of it has it for good" in form
    assert key.expires_at is None
    assert "all connectors" in listed
