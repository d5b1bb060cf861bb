"""What may be corrected on a published version: advice, and nothing that decides what is sent.

Rule 1: advice is `failures` (of the file and of each request), `links`, `notes` and `retires`; all else is immutable.

Source: the connector format, "are advice: they can be corrected on a published version; all else is immutable".
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from keyturn.core.advice.texts import Links, Notes
from keyturn.core.connector import Challenge, Connector, ProviderRequest, Revoke
from keyturn.core.format.writing import dump_connector


def only_advice_differs(old: Connector, new: Connector) -> bool:
    """Whether `old` can be corrected to say what `new` says; False too where both say the same."""
    return bool(advice_in(old, new)) and not immutable_in(old, new)


def advice_in(old: Connector, new: Connector) -> tuple[str, ...]:
    """The advice keys in which they differ, by name."""
    found = [name for name in ("links", "notes", "retires") if getattr(old, name) != getattr(new, name)]
    return (*(["failures"] if _failures(old) != _failures(new) else []), *found)


def immutable_in(old: Connector, new: Connector) -> tuple[str, ...]:
    """The other keys of the file in which they differ, by name; those that only one of them has, too."""
    before, after = dump_connector(_bare(old)), dump_connector(_bare(new))
    return tuple(name for name in {**before, **after} if before.get(name) != after.get(name))


def correction_sentence(old: Connector, new: Connector, version: int, connections: int | None = None) -> str:
    """What publishing does where only advice differs, for whoever is about to."""
    names = ", ".join(advice_in(old, new))
    they = {None: "its connections", 0: "no connection yet", 1: "1 connection"}.get(
        connections, f"{connections} connections"
    )
    return (
        f"Only advice differs ({names}): version {version} is corrected in place, for {they} at once."
        " No new version is made, and nobody has to connect anew."
    )


def _failures(connector: Connector) -> tuple[Any, ...]:
    return (connector.failures, *(each.failures for each in _requests(connector)))


def _requests(connector: Connector) -> tuple[ProviderRequest, ...]:
    found = [connector.token, connector.refresh.request, connector.test.request]
    found += [each.request for each in connector.before]
    found += [each.request for each in connector.revokes]
    found += [one for each in connector.challenges for one in (each.then, each.resend) if one is not None]
    return tuple(found)


def _bare(connector: Connector) -> Connector:
    """The same without any advice."""
    return replace(
        connector,
        failures=(),
        links=Links(),
        notes=Notes(),
        retires=None,
        token=_without(connector.token),
        refresh=replace(connector.refresh, request=_without(connector.refresh.request)),
        test=replace(connector.test, request=_without(connector.test.request)),
        before=tuple(replace(each, request=_without(each.request)) for each in connector.before),
        revoke=None if connector.revoke is None else _revoke(connector.revoke),
        further_revokes=tuple(_revoke(each) for each in connector.further_revokes),
        challenges=tuple(_challenge(each) for each in connector.challenges),
    )


def _without(request: ProviderRequest) -> ProviderRequest:
    return replace(request, failures=())


def _revoke(revoke: Revoke) -> Revoke:
    return replace(revoke, request=_without(revoke.request))


def _challenge(challenge: Challenge) -> Challenge:
    return replace(
        challenge,
        then=None if challenge.then is None else _without(challenge.then),
        resend=None if challenge.resend is None else _without(challenge.resend),
    )
