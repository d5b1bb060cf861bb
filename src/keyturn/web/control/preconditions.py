"""`ETag`, `If-Match` and `If-None-Match`: a writer says which state it has read.

Rule 1: they are honoured where they are sent and never asked for.
Rule 2: only strong tags match (RFC 9110 section 8.8.3.2); a tag that is none of ours matches nothing.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request

from keyturn.core.errors import VersionConflict

_TAG: Final = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_OURS: Final = re.compile(r"r([0-9]{1,18})")


def etag(revision: int) -> str:
    """The tag of a row's revision."""
    return f'"r{revision}"'


def expected_revision(request: Request, *, current: int | None) -> int | None:
    """The revision that the caller expects to write over; None where it says nothing.

    Args:
        request: its headers are read.
        current: the row's revision now; None where there is no row, which `If-None-Match: *` and the tag of
            revision 0 ask for, and 0 is returned.

    Raises:
        VersionConflict: the caller has read another one.
    """
    if request.headers.get("if-none-match", "").strip() == "*":
        if current is not None:
            raise VersionConflict
        return 0
    if_match = request.headers.get("if-match")
    if if_match is None:
        return None
    if if_match.strip() == "*":
        if current is None:
            raise VersionConflict
        return None
    revision = current or 0
    for weak, tag in _TAG.findall(if_match):
        ours = _OURS.fullmatch(tag)
        if not weak and ours and int(ours.group(1)) == revision:
            return revision
    raise VersionConflict
