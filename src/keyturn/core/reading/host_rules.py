"""Who writes the host of each URL of a connector.

Rule 1: the registrable domain, or an IP literal, is written by the author; a template left of it stands for one DNS
label, or for several where its field has a `pattern`.
Rule 2: a host that the person or an answer gives stands as the whole host, and says which hosts may be given.
Rule 3: https, unless the connector says `insecure_http: true`; no user, no fragment, a port only in digits.

Source: the connector format, "Hosts" and "HTTPS".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import child_pointer
from keyturn.core.reading.names import Kind, Names
from keyturn.core.reading.secret_placement import RULES, Place, is_url, place_of
from keyturn.core.reading.shapes import Placed, Reading
from keyturn.core.templates import Reference, Template
from keyturn.core.urls.allowed_urls import InvalidRule, Rule
from keyturn.core.urls.hostnames import HostError, literal_address, normalise_host
from keyturn.core.urls.public_suffixes import PublicSuffixes, registrable_domain

Piece: TypeAlias = str | Reference

_ONLY_WHOLE_HOST: Final = "a host kept from an answer stands as the whole host of a URL, and nowhere else"
SAMPLE_LABEL: Final = "sample"
_SCHEME: Final = re.compile(r"(https?)://", re.IGNORECASE)
_UNSAFE: Final = re.compile(r"[\s\\\x00-\x20\x7f-\x9f]")
_PORT: Final = re.compile(r":([1-9][0-9]{0,4})$")
_END: Final = re.compile(r"[/?#]")
_LABEL_TYPES: Final = frozenset({"text", "choice", "number", None})
_LABEL_FILTERS: Final = frozenset({"lower", "trim"})


@dataclass(frozen=True, slots=True)
class UrlParts:
    """A URL template, taken apart: `host` without its port, and whether the rest has a query."""

    scheme: str
    host: tuple[Piece, ...]
    has_query: bool


class UrlShapeError(ValueError):
    """The template is no URL; the message says what is wrong, in words of ours."""

    def __init__(self, fault: Fault, message: str) -> None:
        super().__init__(message)
        self.fault = fault


def take_apart(template: Template) -> UrlParts:
    """Cut a URL template into scheme and host.

    Raises:
        UrlShapeError: it does not begin with a scheme and a host, or has parts that no URL here may have.
    """
    first = template.parts[0] if template.parts else ""
    scheme = _SCHEME.match(first) if isinstance(first, str) else None
    if scheme is None or not isinstance(first, str):
        raise UrlShapeError(
            Fault.HOST_NOT_WRITTEN if isinstance(first, Reference) else Fault.URL_INVALID,
            "expected a URL that begins with https:// and a host, both written out",
        )
    host: list[Piece] = []
    rest: list[Piece] = []
    for piece in (first[scheme.end() :], *template.parts[1:]):
        end = _END.search(piece) if isinstance(piece, str) and not rest else None
        if rest or end is None:
            (rest if rest else host).append(piece)
        elif isinstance(piece, str):
            host.append(piece[: end.start()])
            rest.append(piece[end.start() :])
    literals = [piece for piece in (*host, *rest) if isinstance(piece, str)]
    if any(_UNSAFE.search(piece) for piece in literals):
        raise UrlShapeError(Fault.URL_INVALID, "a URL holds no blanks, control characters or backslashes")
    if any("#" in piece for piece in rest if isinstance(piece, str)):
        raise UrlShapeError(Fault.URL_INVALID, "a URL that is requested has no fragment (#)")
    if any("@" in piece for piece in host if isinstance(piece, str)):
        raise UrlShapeError(Fault.URL_INVALID, "a URL holds no user (@) before its host")
    if host and isinstance(host[-1], str):
        host[-1] = _PORT.sub("", host[-1])
    pieces = tuple(piece for piece in host if piece != "")
    if not pieces:
        raise UrlShapeError(Fault.URL_INVALID, "expected a host after https://")
    has_query = any("?" in piece for piece in rest if isinstance(piece, str))
    return UrlParts(scheme.group(1).lower(), pieces, has_query)


def label_names(template: Template) -> frozenset[str]:
    """Name the fields that stand for DNS labels in the host of a checked URL template."""
    host = take_apart(template).host
    if len(host) == 1:
        return frozenset()
    return frozenset(piece.path for piece in host if isinstance(piece, Reference))


def whole_host_name(template: Template) -> str | None:
    """Name the field that gives the whole host of a checked URL template, if one does."""
    host = take_apart(template).host
    return host[0].path if len(host) == 1 and isinstance(host[0], Reference) else None


def judge_hosts(reading: Reading, names: Names, *, insecure_http: bool, suffixes: PublicSuffixes) -> None:
    """Note every URL whose host, scheme or shape breaks the rules."""
    for placed in reading.templates:
        if is_url(placed.pointer):
            _judge_url(reading, names, placed, insecure_http=insecure_http, suffixes=suffixes)
        else:
            _judge_elsewhere(reading, names, placed)
    for start, hosts in _given_hosts(reading.document.value):
        for position, pattern in enumerate(hosts if isinstance(hosts, list) else ()):
            pointer = f"{start}/hosts/{position}"
            if isinstance(pattern, str) and not _is_rule(f"https://{pattern}", suffixes):
                message = "expected a host, or *. and a domain that is no public suffix"
                reading.fault(pointer, Fault.WRONG_VALUE, message)


def _given_hosts(value: object) -> Iterator[tuple[str, object]]:
    """Which hosts may be given, by a person or by an answer, with the pointer of what they belong to."""
    root = _object(value)
    fields = root.get("fields")
    for index, one in enumerate(fields if isinstance(fields, list) else ()):
        yield f"/fields/{index}", _object(one).get("hosts")
    responses = {f"/{step}": _object(root.get(step)) for step in ("token", "refresh")}
    challenges = root.get("challenges")
    for index, one in enumerate(challenges if isinstance(challenges, list) else ()):
        responses[f"/challenges/{index}/then"] = _object(_object(one).get("then"))
    for pointer, request in responses.items():
        for name, kept in _object(_object(request.get("response")).get("keep")).items():
            yield child_pointer(f"{pointer}/response/keep", name), _object(kept).get("hosts")


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _judge_elsewhere(reading: Reading, names: Names, placed: Placed) -> None:
    """A host from an answer stands in a URL only: anywhere else it would be a value that the provider chooses."""
    if any(names.kind_of(leaf) is Kind.KEPT_HOST for path in placed.template.names() for leaf in names.leaves(path)):
        reading.fault(placed.pointer, Fault.HOST_NOT_WRITTEN, _ONLY_WHOLE_HOST)


def _is_rule(text: str, suffixes: PublicSuffixes) -> bool:
    try:
        Rule.parse(text, suffixes)
    except InvalidRule:
        return False
    return "/" not in text.removeprefix("https://")


def _judge_url(
    reading: Reading, names: Names, placed: Placed, *, insecure_http: bool, suffixes: PublicSuffixes
) -> None:
    place = place_of(placed.pointer)
    try:
        parts = take_apart(placed.template)
        if parts.scheme == "http" and not insecure_http:
            raise UrlShapeError(Fault.HTTPS_REQUIRED, "expected https; plain http needs insecure_http: true")
        if parts.has_query and place in (Place.BASE_URL, Place.ALLOWED_URL):
            raise UrlShapeError(Fault.URL_INVALID, "a base or allowed URL has no query (?)")
        _judge_host(parts.host, names, suffixes, wildcard=place is Place.ALLOWED_URL)
        whole = parts.host[0].path if len(parts.host) == 1 and isinstance(parts.host[0], Reference) else None
        named = [leaf for path in placed.template.names() for leaf in names.leaves(path)]
        kept = [each for each in named if names.kind_of(each) is Kind.KEPT_HOST]
        if kept and kept != [whole]:
            raise UrlShapeError(Fault.HOST_NOT_WRITTEN, _ONLY_WHOLE_HOST)
    except UrlShapeError as error:
        reading.fault(placed.pointer, error.fault, str(error))
        return
    if place is Place.ALLOWED_URL:
        try:
            Rule.parse(sample_url(placed.template, {**names.fields, **names.hosts}), suffixes)
        except InvalidRule as error:
            reading.fault(placed.pointer, Fault.ALLOWED_URL_INVALID, str(error))


def _judge_host(host: tuple[Piece, ...], names: Names, suffixes: PublicSuffixes, *, wildcard: bool) -> None:
    if len(host) == 1 and isinstance(host[0], Reference):
        _judge_whole_host(host[0], names)
        return
    if len(host) == 1:
        _normalised(str(host[0]).removeprefix("*.") if wildcard else str(host[0]))
        return
    last = host[-1]
    if not isinstance(last, str) or not last.startswith("."):
        raise UrlShapeError(Fault.HOST_NOT_WRITTEN, "the end of a host is written by the author, such as .example.com")
    written = _normalised(last[1:])
    if literal_address(written) is not None or registrable_domain(written, suffixes) is None:
        raise UrlShapeError(
            Fault.HOST_NOT_WRITTEN, "a template stands left of a whole domain, such as .example.com, no public suffix"
        )
    for piece in host:
        if isinstance(piece, Reference):
            _judge_label(piece, names, written)
    sampled = "".join(piece if isinstance(piece, str) else SAMPLE_LABEL for piece in host)
    _normalised(sampled.removeprefix("*.") if wildcard else sampled)


def _normalised(host: str) -> str:
    try:
        return normalise_host(host)
    except HostError:
        raise UrlShapeError(
            Fault.URL_INVALID, "expected a host: a domain name or an IP address, then at most a port"
        ) from None


def _judge_whole_host(reference: Reference, names: Names) -> None:
    kind = names.kind_of(reference.path)
    if kind is None:  # said already, as an unknown name
        return
    if kind is Kind.KEPT_HOST and not reference.filters:
        return
    if kind is Kind.KEPT:
        message = "a host from an answer says which hosts it may be: keep: {name: {from: …, hosts: […]}}"
        raise UrlShapeError(Fault.HOST_RULE_MISSING, message)
    given = names.fields.get(reference.path, {})
    if kind is not Kind.PLAIN_FIELD or given.get("type") != "host" or reference.filters:
        raise UrlShapeError(
            Fault.HOST_NOT_WRITTEN,
            "a whole host comes only from a field of type host or from an answer that says which hosts it may be, "
            "without filters; else the domain is written out",
        )


def _judge_label(reference: Reference, names: Names, written: str) -> None:
    kind = names.kind_of(reference.path)
    if kind is None:
        return
    if RULES[kind].secret:
        raise UrlShapeError(Fault.SECRET_IN_URL, f"{RULES[kind].what} never stands in a host")
    given = names.fields.get(reference.path, {})
    if kind not in (Kind.PLAIN_FIELD, Kind.PLAIN_FIELD_ONCE) or given.get("type") not in _LABEL_TYPES:
        raise UrlShapeError(
            Fault.HOST_NOT_WRITTEN, "a label of a host comes from a field of type text, choice or number"
        )
    if any(each.name not in _LABEL_FILTERS for each in reference.filters):
        raise UrlShapeError(Fault.HOST_NOT_WRITTEN, "in a host only the filters lower and trim make sense")
    choices = given.get("choices")
    for choice in choices if isinstance(choices, Mapping) else ():
        try:
            normalise_host(f"{choice}.{written}")
        except HostError:
            raise UrlShapeError(
                Fault.HOST_NOT_WRITTEN, "a choice of the field that stands in this host is no DNS label"
            ) from None


def sample_url(template: Template, fields: Mapping[str, Mapping[str, Any]]) -> str:
    """Fill a URL template with made-up values of the right shape, the same for the same name."""
    whole = len(take_apart(template).host) == 1
    order = sorted(set(template.names()))
    pieces: list[str] = []
    for index, part in enumerate(template.parts):
        if isinstance(part, str):
            pieces.append(part)
        elif whole and index == 1 and fields.get(part.path, {}).get("type") == "host":
            hosts = fields[part.path].get("hosts")
            first = hosts[0] if isinstance(hosts, list | tuple) and hosts else None
            pieces.append(str(first or "self-hosted.example.com").replace("*.", f"{SAMPLE_LABEL}."))
        else:
            pieces.append(f"{SAMPLE_LABEL}{order.index(part.path)}" if part.path in order else SAMPLE_LABEL)
    return "".join(pieces)
