"""Encryption keys: how they stand, one more, another current, one retired; and the end of all kept passwords.

Rule 1: each of these asks on a page of its own first; what can't be undone asks for a typed word.
Rule 2: no page has a key, or where one rests; only its id and its provider.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, NotFound
from keyturn.engine.webhooks.secrets import secret_made_at
from keyturn.ports.key_custody import KeyStanding, KeyState
from keyturn.web.console.page import Endpoint, Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

WORD: Final = "destroy"
MARKS: Final = {
    KeyState.STANDBY: ("○", "paused"),
    KeyState.CURRENT: ("●", "active"),
    KeyState.RETIRED: ("‖", "disconnected"),
    KeyState.LOST: ("✗", "needs_reconnect"),
}


async def show_keys(console: Console, visit: Visit) -> Response:
    """All that were ever known, and the newest rotation."""
    return await _list(console, visit)


def _asking(step: str, fits: Callable[[KeyStanding], bool]) -> Endpoint:
    async def show_question(console: Console, visit: Visit) -> Response:
        """Say what it will do, and ask."""
        found = [each for each in await console.application.keys.list() if each.id == visit.path("key")]
        if not found:
            raise NotFound("There is no such key.")
        return console.page(
            visit, "administration/key_step.html", each=found[0], step=step, possible=fits(found[0]), marks=MARKS,
            backup_made_at=await console.application.keys.backup_made_at(),
        )  # fmt: skip

    return show_question


async def show_add(console: Console, visit: Visit) -> Response:
    """Say what one more key is, and ask."""
    return console.page(visit, "administration/key_add.html")


async def post_add(console: Console, visit: Visit) -> Response:
    """Make a standby."""
    await console.application.keys.add(visit.actor)
    return console.back("/keys", said="added")


async def post_rotate(console: Console, visit: Visit) -> Response:
    """Make it current and begin to move what is there; the job's page shows how far that is."""
    await console.application.keys.rotate(visit.path("key"), visit.actor)
    return console.back("/keys", said="rotated")


async def post_retire(console: Console, visit: Visit) -> Response:
    """Say that it is needed no more."""
    await console.application.keys.retire(visit.path("key"), visit.actor)
    return console.back("/keys", said="retired")


async def show_destroy(console: Console, visit: Visit) -> Response:
    """Say what is lost, and ask for the word."""
    return console.page(visit, "administration/destroy_passwords.html", word=WORD, errors=())


async def post_destroy(console: Console, visit: Visit) -> Response:
    """Destroy all kept passwords and seeds, and say how many there were."""
    if visit.form.text("word").strip().lower() != WORD:
        told = Finding("/word", "invalid", f"Type {WORD} to go on. Nothing was destroyed.")
        return console.page(visit, "administration/destroy_passwords.html", status=422, word=WORD, errors=(told,))
    passwords, seeds = await console.application.keys.destroy_passwords(visit.actor)
    return await _list(console, visit, destroyed=(passwords, seeds))


async def _list(console: Console, visit: Visit, destroyed: tuple[int, int] | None = None) -> Response:
    keys = console.application.keys
    rows = await keys.list()
    every = sum(each.data_keys for each in rows)
    current = sum(each.data_keys for each in rows if each.state is KeyState.CURRENT)
    public_key, signs_since = await console.application.auditing.keeper.signing_key()
    webhooks = await console.application.webhooks.store.list()
    return console.page(
        visit, "administration/keys.html", rows=rows, rotation=await keys.rotation(), marks=MARKS,
        destroyed=destroyed, every=every, current=current, share=current * 100 // every if every else 100,
        backup_made_at=await keys.backup_made_at(), public_key=public_key.hex(), signs_since=signs_since,
        webhooks=[(each, secret_made_at(each)) for each in webhooks],
    )  # fmt: skip


show_rotate: Final = _asking("rotate", lambda key: key.at_hand and key.state in (KeyState.STANDBY, KeyState.CURRENT))
show_retire: Final = _asking("retire", lambda key: key.state is KeyState.STANDBY and not key.data_keys)
_ADMIN: Final = Permission.ADMINISTER
PAGES: Final = (
    Page("GET", "/keys", show_keys, _ADMIN),
    Page("GET", "/keys/add", show_add, _ADMIN),
    Page("POST", "/keys/add", post_add, _ADMIN, fresh=True),
    Page("GET", "/keys/destroy-passwords", show_destroy, _ADMIN),
    Page("POST", "/keys/destroy-passwords", post_destroy, _ADMIN, fresh=True),
    Page("GET", "/keys/{key}/rotate", show_rotate, _ADMIN),
    Page("POST", "/keys/{key}/rotate", post_rotate, _ADMIN, fresh=True),
    Page("GET", "/keys/{key}/retire", show_retire, _ADMIN),
    Page("POST", "/keys/{key}/retire", post_retire, _ADMIN, fresh=True),
)
