"""Two versions of a connector compared, in sentences: what could hurt somebody first.

Rule 1: what moves a password or a token elsewhere, opens more of an API, takes an account for another one or keeps more
than before is risky; everything else is said as it stands in the file.
Rule 2: a sentence says what happens to the connections that there are.

Source: the product's steps and its rules for keeping passwords; the threats to connectors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from keyturn.core.building.steps import step_of
from keyturn.core.connector import AllowedUrl, Connector, FieldType, Keep, PasswordKeep
from keyturn.core.field_values import origin_of
from keyturn.core.format.writing import dump_connector
from keyturn.core.reading.document import child_pointer
from keyturn.core.templates import Template

LONGEST_SHOWN: Final = 80
_SAID_APART: Final = (
    "/token/url", "/refresh/url", "/revoke/url", "/test/url", "/request/base_url", "/allowed_urls", "/unique_id",
    "/password/keep", "/private_network", "/insecure_http", "/request/locked",
)  # fmt: skip

# Requests that are the token request but for what they say themselves.
_TAKEN_OVER: Final = re.compile(r"^/(?:refresh|challenges/\d+/(?:then|resend))/")


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `step`: 0 for the connector as a whole."""

    step: int
    sentence: str
    risky: bool = False


def changes(old: Connector | None, new: Connector, connections: int | None = None) -> tuple[Change, ...]:
    """Compare two versions.

    Args:
        old: the version that is in use; None where there is none yet.
        new: the one that is to be published.
        connections: how many connections of this connector there are; None where that is not known.

    Returns:
        Risky ones first, then by step. Empty where both mean the same.
    """
    if old is None:
        hosts = sorted({_host(each) for _, each in _secret_urls(new)})
        first = Change(0, f"This is the first version. Passwords and tokens go to {', '.join(hosts)}.")
        kept = [Change(1, _keeps(new), True)] if new.password.keep is not PasswordKeep.NEVER else []
        return (first, *kept)
    found = [*_hosts(old, new, connections), *_network(old, new), *_allowed(old, new)]
    found += [*_identity(old, new, connections), *_password(old, new, connections)]
    found += [*_fields(old, new), *_locked(old, new), *_rest(old, new)]
    return tuple(sorted(found, key=lambda each: (not each.risky, each.step)))


def _secret_urls(connector: Connector) -> list[tuple[str, Template]]:
    found = [("Token", connector.token.url), ("Refresh", connector.refresh.request.url)]
    found += [("Revoke", each.request.url) for each in connector.revokes]
    found += [("Before the token", each.request.url) for each in connector.before]
    for each in connector.challenges:
        found += [("Challenge", one.url) for one in (each.then, each.resend) if one is not None]
    return found


def secret_hosts(connector: Connector) -> frozenset[str]:
    """The hosts that a password or a token may be sent to, those of the API too."""
    urls = [url for _, url in _secret_urls(connector)] + [connector.test.request.url, connector.request.base_url]
    return frozenset(_host(each).rpartition("@")[2] for each in urls if each.source)


def _host(url: Template) -> str:
    return urlsplit(origin_of(url).source).netloc or origin_of(url).source


def _number(connections: int | None) -> str:
    if connections is None:
        return "the connections that there are"
    return "no connection" if not connections else "1 connection" if connections == 1 else f"{connections} connections"


def _hosts(old: Connector, new: Connector, connections: int | None) -> Iterator[Change]:
    pairs = [
        (2, "Token", old.token.url, new.token.url, "passwords"),
        (3, "Refresh", old.refresh.request.url, new.refresh.request.url, "refresh tokens"),
        (5, "Test", old.test.request.url, new.test.request.url, "access tokens"),
        (9, "API", old.request.base_url, new.request.base_url, "access tokens"),
    ]
    for was_told, is_told in zip(old.revokes, new.revokes, strict=False):
        pairs.append((4, "Revoke", was_told.request.url, is_told.request.url, "tokens"))
    for step, name, was, now, what in pairs:
        if was.source == now.source:
            continue
        before, after = _host(was), _host(now)
        if before == after:
            yield Change(step, f"{name} URL changes from {was.source} to {now.source}, at the same host.")
            continue
        they = f"{_number(connections)} will send {what} there" if connections != 0 else f"{what} go there"
        yield Change(step, f"{name} host changes from {before} to {after}: {they} once moved or connected anew.", True)
    known = {_host(each) for _, each in _secret_urls(old)}
    for _, url in _secret_urls(new):
        if _host(url) not in known | {_host(each[3]) for each in pairs}:
            yield Change(2, f"A further request goes to a host that was not named before: {_host(url)}.", True)


def _network(old: Connector, new: Connector) -> Iterator[Change]:
    if new.private_network and not old.private_network:
        yield Change(0, "The connector may reach private networks, where the operator allows them.", True)
    if new.insecure_http and not old.insecure_http:
        yield Change(0, "Passwords and tokens may travel over plain http, where the operator allows it.", True)
    if old.private_network and not new.private_network:
        yield Change(0, "Private networks can no longer be reached.")
    if old.insecure_http and not new.insecure_http:
        yield Change(0, "Plain http is no longer used.")


def _allowed(old: Connector, new: Connector) -> Iterator[Change]:
    before, after = old.allowed_urls, new.allowed_urls
    for rule in after:
        if rule in before:
            continue
        if rule.deny:
            yield Change(7, f"Calls are kept from {_rule(rule)}.")
        elif any(_covers(each, rule) for each in before):
            yield Change(7, f"Calls may reach {_rule(rule)}, which another rule covered before.")
        else:
            yield Change(7, f"Calls may reach more than before: {_rule(rule)}.", True)
    for rule in before:
        if rule in after:
            continue
        if rule.deny:
            yield Change(7, f"Calls are no longer kept from {_rule(rule)}.", True)
        elif not any(_covers(each, rule) for each in after):
            yield Change(7, f"Calls can no longer reach {_rule(rule)}, unless another rule covers it.")


def _rule(rule: AllowedUrl) -> str:
    return f"{', '.join(sorted(rule.methods))} {rule.url.source}" if rule.methods else rule.url.source


def _covers(rule: AllowedUrl, other: AllowedUrl) -> bool:
    """Whether a rule covers another by its text: the same host, a path on or below it, at most its methods."""
    if rule.deny or (rule.methods and not (other.methods and other.methods <= rule.methods)):
        return False
    url, wanted = rule.url.source, other.url.source
    return wanted == url or wanted.startswith(url.rstrip("/") + "/")


def _identity(old: Connector, new: Connector, connections: int | None) -> Iterator[Change]:
    if old.unique_id.source == new.unique_id.source:
        return
    they = (
        f"{_number(connections)} keep the id that they have, and a reconnect may be refused as another account"
        if connections != 0
        else "nobody is connected yet"
    )
    yield Change(8, f"The unique id changes from {old.unique_id.source} to {new.unique_id.source}: {they}.", True)


def _keeps(connector: Connector) -> str:
    offered = connector.password.keep is PasswordKeep.OFFER
    return "The password is kept where the person agrees." if offered else "The password is always kept."


def _password(old: Connector, new: Connector, connections: int | None) -> Iterator[Change]:
    if old.password.keep is new.password.keep:
        return
    order = [PasswordKeep.NEVER, PasswordKeep.OFFER, PasswordKeep.REQUIRED]
    if order.index(new.password.keep) > order.index(old.password.keep):
        yield Change(1, f"{_keeps(new)} {_number(connections).capitalize()} will be asked at the next login.", True)
    else:
        yield Change(1, "The password is kept less than before; what is kept goes at the next login.")


def _fields(old: Connector, new: Connector) -> Iterator[Change]:
    before = {each.key: each for each in old.fields}
    for each in new.fields:
        was = before.get(each.key)
        if was is None:
            continue
        hidden = was.type in (FieldType.SECRET, FieldType.TOTP_SEED, FieldType.OTP)
        if hidden and each.type not in (FieldType.SECRET, FieldType.TOTP_SEED, FieldType.OTP):
            yield Change(1, f"The field {each.key} is no longer hidden while it is typed.", True)
        if was.keep is not Keep.PLAIN and each.keep is Keep.PLAIN:
            yield Change(1, f"The field {each.key} is kept in the clear from now on.", True)


def _locked(old: Connector, new: Connector) -> Iterator[Change]:
    for name in sorted(old.request.locked - new.request.locked):
        yield Change(9, f"Callers may give their own {name} from now on.", True)
    for name in sorted(new.request.locked - old.request.locked):
        yield Change(9, f"Callers can no longer give their own {name}.")


def _rest(old: Connector, new: Connector) -> Iterator[Change]:
    """Everything else, key by key. What a challenge or refresh takes over from the token request is said once."""
    before, after = dict(leaves(dump_connector(old))), dict(leaves(dump_connector(new)))
    for pointer in [*before, *(each for each in after if each not in before)]:
        was, now = before.get(pointer), after.get(pointer)
        if was == now or pointer.startswith(_SAID_APART):
            continue
        own = _TAKEN_OVER.sub("/token/", pointer)
        if own != pointer and (before.get(own), after.get(own)) == (was, now):
            continue
        yield Change(step_of(pointer), _sentence(pointer.removeprefix("/").replace("/", "."), was, now))


def _sentence(name: str, was: Any, now: Any) -> str:
    if was in (None, ""):
        return f"{name} is now {_shown(now)}."
    return f"{name} is taken out." if now in (None, "") else f"{name} changes from {_shown(was)} to {_shown(now)}."


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return f"“{text if len(text) <= LONGEST_SHOWN else text[:LONGEST_SHOWN] + '…'}”"


def leaves(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a file that are no mappings themselves, by their pointers."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from leaves(each, child_pointer(pointer, key))
    elif isinstance(value, list) and any(isinstance(each, Mapping) for each in value):
        for n, each in enumerate(value):
            yield from leaves(each, child_pointer(pointer, str(each.get("key", n)) if isinstance(each, Mapping) else n))
    else:
        yield pointer, value
