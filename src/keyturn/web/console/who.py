"""Who did something, in words and with a way there: what is written down names an actor by kind and id.

Rule 1: names are looked up when a page is made and stand in no record: who is renamed is so everywhere, and a log
keeps no name that somebody may want erased.
Rule 2: there is a link only for those who may open the page behind it, and only where there is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from keyturn.core.access.roles import Permission
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

PERSON: Final = "person"
KEY: Final = "key"
# Actors that stand for themselves, and kinds whose id leads to nobody by name.
WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "scheduler": "keyturn, by itself",
        "operator": "the operator, on the server",
        "openid": "the OpenID sign-in",
        "proxy": "the proxy",
        "key:environment": "the key of the settings",
        "session": "the account's person, by a connect link",
        "person_link": "the account's person, by a link of their own",
    }
)


@dataclass(frozen=True, slots=True)
class Named:
    """An actor as a page shows it. `path`: where more is; empty where there is no more, or not for this visitor."""

    words: str
    path: str = ""


async def who_did(console: Console, visit: Visit, actors: Iterable[str | None]) -> Mapping[str, Named]:
    """Each of these actors, by what stands in the record; those that are empty are left out."""
    found = {each: await _named(console, each) for each in dict.fromkeys(actors) if each}
    if visit.may(Permission.ADMINISTER):
        return found
    return {actor: Named(each.words) for actor, each in found.items()}


async def _named(console: Console, actor: str) -> Named:
    kind, _, identifier = actor.partition(":")
    if actor in WORDS:
        return Named(WORDS[actor])
    if kind == PERSON and (person := await console.application.people.known(identifier)) is not None:
        if person.removed_at is not None:
            return Named(f"{person.name} (taken away)")
        return Named(person.name, f"/people/{quote(person.id, safe='')}")
    if kind == KEY and (key := await console.application.api_keys.known(identifier)) is not None:
        if key.revoked_at is not None:
            return Named(f"API key {key.name} (revoked)")
        return Named(f"API key {key.name}", f"/api-keys/{quote(key.id, safe='')}")
    return Named(WORDS[kind] if identifier and kind in WORDS else actor)
