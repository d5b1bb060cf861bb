"""What an answer holds, and which of its paths is near one that it doesn't.

Rule 1: paths are shown, values never: they may be anybody's.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any, Final

from keyturn.core.templates import PATH

MOST_PATHS: Final = 40
_MOST_NAMED: Final = 12
_DEPTH: Final = 5
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED: Final = re.compile(r'"([A-Za-z_][A-Za-z0-9_-]*)"')  # a hyphen needs quotes here, and none in a template
_TOKEN_NAMES: Final = (
    "access_token", "accesstoken", "token", "jwt", "id_token", "auth_token", "authtoken", "session", "sessionid",
    "ticket", "key",
)  # fmt: skip
# What never changes first; what people may change names an account only where nothing else does.
_IDENTITY_NAMES: Final = (
    "id", "uid", "uuid", "sub", "user_id", "userid", "account_id", "guid", "login", "username", "user_name", "email",
)  # fmt: skip
_PEOPLES_NAMES: Final = (
    "name", "display_name", "displayname", "full_name", "fullname", "username", "user_name", "login", "email",
)  # fmt: skip

_LIFETIME_NAMES: Final = frozenset(
    {"expiresin", "expires", "expirein", "expiration", "expiry", "validfor", "validity", "ttl", "lifetime", "maxage"}
)


def scalar_paths(value: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """The JMESPath of each text and number, outer ones first."""
    members: list[tuple[str, Any]] = []
    if isinstance(value, dict):
        members = [(f"{path}.{_name(key)}" if path else _name(key), each) for key, each in value.items()]
    elif isinstance(value, list):
        members = [(f"{path}[{n}]", each) for n, each in enumerate(value[:3])]
    for where, each in members:
        if isinstance(each, str | int | float) and not isinstance(each, bool):
            yield where
    if depth < _DEPTH:
        for where, each in members:
            yield from scalar_paths(each, where, depth + 1)


def paths_of(value: Any) -> tuple[str, ...]:
    """As many of them as a page can show."""
    found = []
    for path in scalar_paths(value):
        found.append(path)
        if len(found) >= MOST_PATHS:
            break
    return tuple(found)


def named(value: Any) -> str:
    """Some of the paths of an answer, as part of a sentence."""
    paths = paths_of(value)
    return ", ".join(paths[:_MOST_NAMED]) + (" …" if len(paths) > _MOST_NAMED else "") if paths else "nothing"


def nearest(wanted: str, value: Any) -> str | None:
    """The path of an answer that an author most likely meant; None where none is near.

    Args:
        wanted: a path that leads nowhere.
        value: the decoded answer.
    """
    paths = paths_of(value)
    last = _last(wanted)
    same = [path for path in paths if _last(path) == last]
    if same:
        return same[0]
    for names in (_TOKEN_NAMES, _PEOPLES_NAMES if last.endswith("name") else _IDENTITY_NAMES):
        if last in names:
            ranked = sorted((names.index(_last(path)), n, path) for n, path in enumerate(paths) if _last(path) in names)
            if ranked:
                return ranked[0][2]
    by_last = {_last(path): path for path in reversed(paths)}
    close = difflib.get_close_matches(last, list(by_last), n=1, cutoff=0.6)
    return by_last[close[0]] if close else None


def template_name(path: str) -> str | None:
    """What a template calls a path of the test's answer; None where none can name it."""
    bare = _QUOTED.sub(r"\1", path)
    name = f"test{bare}" if bare.startswith("[") else f"test.{bare}"
    return name if PATH.fullmatch(name) else None


def nearest_lifetime(wanted: str, value: Any) -> str | None:
    """The path that most likely says how long a token lives; None where none does.

    Args:
        wanted: a path that leads nowhere.
        value: the decoded answer.
    """
    paths = paths_of(value)
    last = _last(wanted)
    return next(
        (path for path in paths if _last(path) == last),
        next((path for path in paths if re.sub(r"[^a-z]", "", _last(path)) in _LIFETIME_NAMES), None),
    )


def _last(path: str) -> str:
    return re.sub(r"\[\d+\]", "", path).rpartition(".")[2].strip('"').lower()


def _name(key: object) -> str:
    text = str(key)
    return text if _NAME.fullmatch(text) else json.dumps(text, ensure_ascii=False)
