"""A path as the most generous server would read it, so that what is denied stays so however it is spelled.

Rule 1: an allowed path is compared as it is sent; a denied one by every reading that a server might have of it.
Rule 2: escapes are decoded until nothing changes, empty segments and `;parameters` count for nothing, nor does case.

Source: RFC 3986 sections 3.3 and 6.2.2; the connector format, "rules by method and path, deny wins".
"""

from __future__ import annotations

from urllib.parse import unquote

Segments = tuple[str, ...]


def generous_segments(path: str) -> Segments:
    """The segments of a normalised path, all that servers differ about taken out."""
    while (decoded := unquote(path, errors="replace")) != path:
        path = decoded
    segments = (segment.partition(";")[0].casefold() for segment in path.replace("\\", "/").split("/"))
    return tuple(segment for segment in segments if segment)


def lies_below(path: str, prefix: str) -> bool:
    """Say whether a denied `prefix` is meant by `path`; a prefix that ends in a slash means only what is below it."""
    segments, denied = generous_segments(path), generous_segments(prefix)
    if segments[: len(denied)] != denied:
        return False
    return not prefix.endswith("/") or len(segments) > len(denied) or path.endswith("/")
