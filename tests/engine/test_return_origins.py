"""Where the operator names the origins, people are sent back to no other."""

from __future__ import annotations

import pytest

from keyturn.core.errors import ReturnUrlNotAllowed, ValidationFailed
from keyturn.engine.actor import Actor
from keyturn.engine.login.connect_sessions import SessionRequest
from tests.engine.story import publish
from tests.fakes.application import make_world

ACTOR = Actor("key:test")
OWN = "https://app.example"


@pytest.mark.parametrize(
    ("named", "return_url", "allowed"),
    [
        pytest.param((), "https://anywhere.example/done", True, id="none named"),
        pytest.param((OWN,), "https://app.example/done?x=1", True, id="a path of a named one"),
        pytest.param((OWN,), "https://APP.example:443/done", True, id="written in another way"),
        pytest.param((OWN,), "https://app.example:8443/done", False, id="another port"),
        pytest.param((OWN,), "https://app.example.evil.example/done", False, id="one that begins alike"),
        pytest.param((OWN,), "http://localhost:3000/done", False, id="loopback that is not named"),
        pytest.param((OWN,), None, True, id="no return at all"),
    ],
)
async def test_where_a_link_may_send_back_to(named: tuple[str, ...], return_url: str | None, allowed: bool) -> None:
    """Judged by the whole origin, when the link is made."""
    world = make_world(return_origins=frozenset(named))
    await publish(world)
    request = SessionRequest("acme", "owner-1", return_url)
    if allowed:
        await world.application.connect_sessions.create(request, ACTOR)
    else:
        with pytest.raises(ReturnUrlNotAllowed):
            await world.application.connect_sessions.create(request, ACTOR)

    assert allowed is bool(world.stores.sessions.rows)


async def test_a_window_of_another_origin_is_not_told() -> None:
    """The popup's opener is one of them, too."""
    world = make_world(return_origins=frozenset({OWN}))
    await publish(world)
    create = world.application.connect_sessions.create
    await create(SessionRequest("acme", "owner-1", origin=OWN), ACTOR)

    with pytest.raises(ValidationFailed) as refused:
        await create(SessionRequest("acme", "owner-1", origin="https://other.example"), ACTOR)
    assert ["/origin"] == [each.pointer for each in refused.value.errors]
