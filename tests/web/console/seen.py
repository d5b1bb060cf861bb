"""Connections in every state in a fake world, for tests of the console's pages."""

from __future__ import annotations

from typing import Any

from keyturn.core.connection import ConnectionSecrets, State
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from tests.contracts.samples import connection
from tests.engine.story import publish
from tests.fakes.application import FakeWorld
from tests.web.console.visiting import Visitor

CANARIES = ("canary-access", "canary-refresh", "canary-password", "canary-field", "client-secret-canary")


def kept() -> ConnectionSecrets:
    """Secrets that no page may show."""
    return ConnectionSecrets(
        TokenSet(Secret("canary-access-0123456789"), 0.0, Secret("canary-refresh-0123456789")),
        Secret("jo"),
        Secret("canary-password-0123456789"),
        {"pin": Secret("canary-field-0123456789")},
    )


async def fill(world: FakeWorld) -> None:
    """One of each: well, lost, paused, uncertain, unconfirmed, ended."""
    await publish(world)
    now = world.clock.now()
    usual = {"created_at": now, "updated_at": now, "token_issued_at": now, "expires_at": now + 3600.0}
    states: dict[str, dict[str, Any]] = {
        "well": {"refreshable": True, "renews_at": now + 3000.0},
        "lost": {"state": State.NEEDS_RECONNECT, "reason": "grant_lost"},
        "paused": {"paused": True, "refreshable": True},
        "uncertain": {"state": State.UNCERTAIN, "reason": "renewal_outcome_unknown", "refreshable": True},
        "unconfirmed": {"unconfirmed": True},
        "ended": {"state": State.DISCONNECTED, "disconnected_at": now, "revocation": {"result": "done"}},
    }
    for n, (name, changes) in enumerate(states.items()):
        parts = {**usual, "created_at": now + n, "name": f"{name}'s account", "owner": f"owner-{n}", **changes}
        secrets = ConnectionSecrets() if name == "ended" else kept()
        await world.stores.connections.insert(connection(f"cxn_{name}", **parts), secrets)


def without_secrets(*texts: str) -> None:
    """Nothing of what is kept stands in these pages."""
    for canary in CANARIES:
        assert not any(canary in text for text in texts), canary


async def title(visitor: Visitor, path: str) -> str:
    """The title of a page that is there."""
    answer = await visitor.get(path)
    assert 200 == answer.status_code, (path, answer.status_code)
    return answer.text.partition("<title>")[2].partition(" ·")[0]
