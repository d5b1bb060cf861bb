"""JSON in which a `Secret` stays one: the plaintext of sealed values that hold more than a text.

Rule 1: what goes in comes out: mappings with any text as keys, lists, text (lone surrogates too), numbers, secrets.
Rule 2: this text is never written anywhere but through a seal. Its callers stand in a test's list.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from keyturn.core.secret import Secret

_SECRET: Final = "$secret"  # noqa: S105  (the tag, no secret)
_MAPPING: Final = "$mapping"


def encoded(value: Any) -> bytes:
    """Write a value as JSON; a mapping whose keys could be read as our tags is put into one."""
    return json.dumps(_tagged(value), separators=(",", ":")).encode("ascii")


def decoded(text: bytes) -> Any:
    """Read what `encoded` wrote."""
    return _untagged(json.loads(text))


def _tagged(value: Any) -> Any:
    if isinstance(value, Secret):
        return {_SECRET: value.reveal()}
    if isinstance(value, Mapping):
        plain = {key: _tagged(each) for key, each in value.items()}
        return {_MAPPING: plain} if any(key.startswith("$") for key in plain) else plain
    if isinstance(value, list | tuple):
        return [_tagged(each) for each in value]
    return value


def _untagged(value: Any) -> Any:
    if isinstance(value, list):
        return [_untagged(each) for each in value]
    if not isinstance(value, dict):
        return value
    if _SECRET in value:
        return Secret(value[_SECRET])
    return {key: _untagged(each) for key, each in value.get(_MAPPING, value).items()}
