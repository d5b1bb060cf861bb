"""Cursors of lists: opaque to callers, and refused where they are not ours."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from keyturn.core.errors import Finding, ValidationFailed

_LONGEST: Final = 1024
_LARGEST: Final = 2**63 - 1


def cursor_of(kind: str, *position: str | float) -> str:
    """Write down where the next page begins; `kind` says of which list."""
    return base64.urlsafe_b64encode(json.dumps([kind, *position]).encode()).rstrip(b"=").decode()


def position_in(cursor: str, kind: str, *types: type) -> list[Any]:
    """Read a cursor back.

    Raises:
        ValidationFailed: it is none, or one of another list.
    """
    try:
        if len(cursor) > _LONGEST:
            raise ValueError
        found = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or found[:1] != [kind] or [type(each) for each in found[1:]] != list(types):
        raise _foreign()
    if not all(_holds(each) for each in found[1:]):
        raise _foreign()
    return found[1:]


def _foreign() -> ValidationFailed:
    return ValidationFailed(errors=[Finding("/cursor", "invalid", "this is no cursor of this list")])


def _holds(part: str | float) -> bool:
    """Whether the database can compare with it: what anybody writes may be larger than its numbers."""
    return isinstance(part, str) or -_LARGEST <= part <= _LARGEST
