"""A URL template with its values put in, each escaped for where it stands.

Rule 1: scheme, port and the shape are the author's; a value never ends the part in which it stands.
Rule 2: in the host a value is one DNS label left of the author's domain, or, alone, the whole host.
Rule 3: in path and query a value is percent-encoded entirely, slashes too, and makes no segment of dots.

Sources: the connector format, "Hosts" and "Requests"; the threats E2 and E3; RFC 3986 §2 and §3.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, unquote

from keyturn.core.errors import ConnectorInvalid
from keyturn.core.requests.request_text import Piece, invalid_value, piece_of, plain
from keyturn.core.templates import Masked, Reference, Template
from keyturn.core.urls.hostnames import HostError, normalise_host

_SCHEME: Final = re.compile(r"(https?)://", re.IGNORECASE)
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_PORT: Final = re.compile(r":([0-9]{1,5})\Z")
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_LABEL: Final = re.compile(r"[A-Za-z0-9-]{1,63}")  # or a part of one; `normalise_host` judges the whole
_SLASHES: Final = re.compile(r"[/\\]")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_WRITTEN: Final = "!$&'()*+,/:;=?@[]%~"  # of the author's own path and query, left as it is
_WILDCARD: Final = "*."


def render_url(
    template: Template,
    values: Mapping[str, object],
    *,
    dotted: frozenset[str] = frozenset(),
    wildcard: bool = False,
) -> str:
    """Put values into a URL template.

    Args:
        template: absolute, its scheme written out.
        values: root name → value, as for `Template.render`.
        dotted: names whose value may be several labels of a host, their fields having a `pattern`.
        wildcard: the host may begin with `*.`, as in an allowed URL.

    Returns:
        The URL as it is sent: host normalised, default port left out, path never empty. Masked values stand as such.

    Raises:
        ValueAbsent: a value is not there.
        ValidationFailed: a value can't stand where it does.
        ConnectorInvalid: the template itself makes no URL.
    """
    scheme, authority, rest = _take_apart(template)
    port = ""
    if authority and isinstance(authority[-1], str) and (written := _PORT.search(authority[-1])):
        authority[-1] = authority[-1][: written.start()]
        number = int(written.group(1))
        if not 1 <= number <= 65_535:
            raise ConnectorInvalid("a URL of the connector has a port that does not exist")
        port = "" if number == _DEFAULT_PORTS[scheme] else f":{number}"
    host = _host([part for part in authority if part], values, dotted, wildcard)
    return f"{scheme}://{host}{port}{_path_and_query(rest, values)}"


def _take_apart(template: Template) -> tuple[str, list[str | Reference], list[str | Reference]]:
    first = template.parts[0] if template.parts else ""
    scheme = _SCHEME.match(first) if isinstance(first, str) else None
    if scheme is None or not isinstance(first, str):
        raise ConnectorInvalid("a URL of the connector does not begin with its scheme")
    authority: list[str | Reference] = []
    rest: list[str | Reference] = []
    for part in (first[scheme.end() :], *template.parts[1:]):
        end = _AUTHORITY_END.search(part) if isinstance(part, str) and not rest else None
        if rest or end is None:
            (rest or authority).append(part)
        elif isinstance(part, str):
            authority.append(part[: end.start()])
            rest.append(part[end.start() :])
    if any("#" in part for part in rest if isinstance(part, str)):
        raise ConnectorInvalid("a URL of the connector has a fragment")
    return scheme.group(1).lower(), authority, rest


def _host(
    parts: Sequence[str | Reference], values: Mapping[str, object], dotted: frozenset[str], wildcard: bool
) -> str:
    alone = len(parts) == 1
    last = parts[-1] if parts else ""
    if not alone and not (isinstance(last, str) and last.startswith(".")):
        raise ConnectorInvalid("the domain of a URL of the connector is not written out")
    written: list[str] = []
    references: list[Reference] = []
    masked = False
    for part in parts:
        if isinstance(part, str):
            written.append(part)
            continue
        references.append(part)
        piece = piece_of(part, values)
        masked = masked or isinstance(piece, Masked)
        written.append(str(piece) if isinstance(piece, Masked) else _host_value(part, piece, alone, dotted))
    text = "".join(written)
    if masked:
        return text
    prefix = _WILDCARD if wildcard and text.startswith(_WILDCARD) else ""
    try:
        return prefix + normalise_host(text.removeprefix(prefix))
    except HostError:
        if references:
            raise invalid_value(references[0], "This makes no host name.") from None
        raise ConnectorInvalid("a URL of the connector has no readable host") from None


def _host_value(reference: Reference, piece: Piece, alone: bool, dotted: frozenset[str]) -> str:
    text = plain(piece, reference)
    if alone:
        return text  # a whole host; `normalise_host` is its judge
    labels = text.split(".") if reference.path in dotted else [text]
    if not all(map(_LABEL.fullmatch, labels)):
        raise invalid_value(reference, "This is no label of a host name: letters, digits and hyphens.")
    return text


def _path_and_query(parts: Sequence[str | Reference], values: Mapping[str, object]) -> str:
    written: list[str] = []
    filled: Reference | None = None
    for part in parts:
        if isinstance(part, str):
            written.append(quote(plain(part, None), safe=_WRITTEN))
            continue
        filled = part
        piece = piece_of(part, values)
        if isinstance(piece, Masked):
            written.append(str(piece))
            continue
        text = plain(piece, part)
        if _CONTROL.search(text):
            raise invalid_value(part, "A value in a URL has no control characters.")
        written.append(quote(text, safe=""))
    path, mark, query = "".join(written).partition("?")
    # A slash in a value is escaped, yet whoever decodes the path early would climb by it.
    if any(segment.partition(";")[0] in (".", "..") for segment in _SLASHES.split(unquote(path))):
        if filled is not None:
            raise invalid_value(filled, "A value in a path is not just dots.")
        raise ConnectorInvalid("a URL of the connector has a segment of dots")
    return f"{path or '/'}{mark}{query}"
