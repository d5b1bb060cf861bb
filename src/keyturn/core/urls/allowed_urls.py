"""May a connector's token be sent to this URL?

Rule 1: a URL is judged as the text it is, before any parser could repair it; what is doubtful is refused.
Rule 2: judging never raises and never opens anything: a verdict is a value with a reason.
Rule 3: what was judged is what is sent: a verdict that allows carries the one URL to send.
Rule 4: names are judged here, the addresses behind them in `keyturn.core.urls.addresses`, at the time of connecting.

Sources: RFC 3986 section 3 for the parts of a URL; `hostnames` and `url_paths` beside this file for theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Self

from keyturn.core.urls.hostnames import HostError, literal_address, normalise_host
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.core.urls.url_paths import (
    MAX_URL_BYTES,
    ORDINARY_PATH,
    TextFault,
    escape_non_ascii,
    join_paths,
    normalise_path,
    path_fault,
    query_fault,
    relative_path_fault,
    text_fault,
    utf8_length,
)


class Reason(StrEnum):
    """Why a URL, a rule or a relative path was allowed or refused."""

    ALLOWED = "allowed"
    TOO_LONG = TextFault.TOO_LONG.value
    NOT_UTF8 = TextFault.NOT_UTF8.value
    CHARACTER = TextFault.CHARACTER.value
    BAD_ESCAPE = TextFault.BAD_ESCAPE.value
    HIDDEN_CHARACTER = TextFault.HIDDEN_CHARACTER.value
    DOT_SEGMENT = TextFault.DOT_SEGMENT.value
    SCHEME_RELATIVE = TextFault.SCHEME_RELATIVE.value
    ABSOLUTE = TextFault.ABSOLUTE.value
    MALFORMED = "malformed"  # not `scheme://authority`
    SCHEME = "scheme"  # neither https, nor http where that is allowed
    USERINFO = "userinfo"
    PORT = "port"
    HOST = "host"
    NOT_COVERED = "not_covered"  # well-formed, but no rule covers it
    WILDCARD = "wildcard"  # in a rule: an asterisk elsewhere than as first label of a name
    PUBLIC_SUFFIX = "public_suffix"  # in a rule: a wildcard over names that anybody may register
    EMPTY_SEGMENT = "empty_segment"  # in a rule: `//` in the path
    QUERY = "query"  # in a rule or a base: a query or a fragment


class InvalidRule(ValueError):
    """A text that is no rule. The message holds nothing of the text."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(f"not a rule for allowed URLs: {reason}")
        self.reason: Final = reason


class Target(NamedTuple):
    """What is sent where, normalised. `url` is the whole of it; `path` and `query` are what stands in the request."""

    scheme: str
    host: str  # as `normalise_host` gives it: IPv6 in brackets
    port: int
    path: str  # begins with `/`; ASCII
    query: str | None  # without its question mark; ASCII; None where there is none
    url: str


class Origin(NamedTuple):
    """Scheme, normalised host and port: what a connection is opened to."""

    scheme: str
    host: str
    port: int

    @property
    def text(self) -> str:
        """The origin as a URL without a path; a default port is left out."""
        default = _DEFAULT_PORTS[self.scheme] == self.port
        return f"{self.scheme}://{self.host}" if default else f"{self.scheme}://{self.host}:{self.port}"


_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
# Case by hand: re.IGNORECASE would take the long s for an s.
_HTTP_URL: Final = re.compile(r"([hH][tT][tT][pP][sS]?)://([^/?#]+)([^?#]*)(?:\?([^#]*))?(?:#.*)?")
_OTHER_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_AUTHORITY: Final = re.compile(r"(\[[^\[\]]*\]|[^\[\]:]*)(?::(.*))?")
_PORT: Final = re.compile(r"[1-9][0-9]{0,4}")
_WILDCARD: Final = "*."


@dataclass(frozen=True, slots=True)
class Rule:
    """One allowed URL of a connector, normalised. Build it with `parse`."""

    origin: Origin  # of a wildcard rule, the host that the wildcard stands over
    wildcard: bool
    prefix: str  # `/` covers every path

    @classmethod
    def parse(cls, text: str, suffixes: PublicSuffixes) -> Self:
        """Read `scheme://host[:port][/path-prefix]`, where the host may begin with a wildcard label.

        Raises:
            InvalidRule: with the reason.
        """
        fault = _whole_fault(text)
        if fault is not None:
            raise InvalidRule(fault)
        parts = _HTTP_URL.fullmatch(text)
        if parts is None:
            raise InvalidRule(_why_no_url(text))
        if "?" in text or "#" in text:
            raise InvalidRule(Reason.QUERY)
        scheme, authority, path = parts[1], parts[2], parts[3]
        wildcard = authority.startswith(_WILDCARD)
        authority = authority.removeprefix(_WILDCARD)
        if "*" in authority or "*" in path:
            raise InvalidRule(Reason.WILDCARD)
        origin = _read_origin(scheme, authority)
        if isinstance(origin, Reason):
            raise InvalidRule(origin)
        if wildcard and literal_address(origin.host) is not None:
            raise InvalidRule(Reason.WILDCARD)
        if wildcard and suffixes.is_public_suffix(origin.host):
            raise InvalidRule(Reason.PUBLIC_SUFFIX)
        fault = _reason(path_fault(path)) or (Reason.EMPTY_SEGMENT if "//" in path else None)
        if fault is not None:
            raise InvalidRule(fault)
        return cls(origin, wildcard, normalise_path(path))

    def covers_origin(self, origin: Origin) -> bool:
        """Say whether the rule speaks of URLs at `origin`. A wildcard stands for one label or more, never for none."""
        own = self.origin
        if own.scheme != origin.scheme or own.port != origin.port:
            return False
        # An address never ends in a dot and the normalised name that a wildcard stands over.
        return origin.host.endswith("." + own.host) if self.wildcard else origin.host == own.host

    def covers_path(self, path: str) -> bool:
        """Say whether the normalised `path` lies below the prefix, or is it."""
        prefix = self.prefix
        return path.startswith(prefix) and (prefix[-1] == "/" or path[len(prefix) : len(prefix) + 1] in ("", "/"))


def rule_valid(text: str, suffixes: PublicSuffixes) -> bool:
    """Say whether `text` is a rule."""
    try:
        Rule.parse(text, suffixes)
    except InvalidRule:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided of a URL. `rule` and `target` are there exactly where it is allowed."""

    reason: Reason
    rule: Rule | None = None
    target: Target | None = None

    @property
    def allowed(self) -> bool:
        """Say whether the target may be sent."""
        return self.reason is Reason.ALLOWED


class AllowedUrls:
    """The rules of one connection, ready to judge. Without rules everything is refused.

    `texts`: those that the rules were read from, without the ones that are no rules.
    """

    __slots__ = ("_insecure_http", "_rules", "texts")

    def __init__(self, rules: Iterable[Rule], insecure_http: bool = False) -> None:
        self._insecure_http = insecure_http
        self._rules = tuple(rules)
        self.texts: tuple[str, ...] = ()

    @classmethod
    def from_texts(cls, texts: Iterable[str], suffixes: PublicSuffixes, insecure_http: bool = False) -> Self:
        """Read the rules; a text that is none covers nothing, and the others still count."""
        rules = {}
        for text in texts:
            try:
                rules[text] = Rule.parse(text, suffixes)
            except InvalidRule:
                continue
        allowed = cls(rules.values(), insecure_http)
        allowed.texts = tuple(rules)
        return allowed

    def judge(self, url: str) -> Verdict:
        """Decide on an absolute URL, judged as the text it is. Never raises.

        Addresses are not looked at: the caller resolves the target's host and asks `address_allowed`.
        """
        fault = _whole_fault(url)
        if fault is not None:
            return Verdict(fault)
        parts = _HTTP_URL.fullmatch(url)
        if parts is None:
            return Verdict(_why_no_url(url))
        scheme, authority, path, query = parts.groups()
        origin = self.origin_of(scheme, authority)
        if isinstance(origin, Reason):
            return Verdict(origin)
        fault = _reason(path_fault(path)) or (None if query is None else _reason(query_fault(query)))
        if fault is not None:
            return Verdict(fault)
        rules = self.rules_at(origin)
        return _cover(
            rules, origin, origin.text, normalise_path(path), None if query is None else escape_non_ascii(query)
        )

    def origin_of(self, scheme: str, authority: str) -> Origin | Reason:
        """Return the origin that a URL's scheme and authority name, or why its URLs are refused."""
        origin = _read_origin(scheme, authority)
        if isinstance(origin, Origin) and origin.scheme != "https" and not self._insecure_http:
            return Reason.SCHEME
        return origin

    def rules_at(self, origin: Origin) -> tuple[Rule, ...]:
        """Return the rules that speak of `origin`, in their order."""
        return tuple(rule for rule in self._rules if rule.covers_origin(origin))


class ProxyBase:
    """A connection's base URL, to which relative paths are joined: made once, then asked on each call.

    A base that cannot be used refuses every path with its reason. It need not itself be covered by a rule.
    """

    __slots__ = (
        "_allowed",
        "_base",
        "_directory",
        "_itself",
        "_origin",
        "_origin_text",
        "_path",
        "_room",
        "_rules",
        "_unusable",
    )

    def __init__(self, base_url: str, allowed: AllowedUrls) -> None:
        self._allowed = allowed
        self._unusable: Reason | None = None
        self._room = -1  # characters that an ordinary path may have; none until the base is known to be good
        parts = _HTTP_URL.fullmatch(base_url)
        if parts is None:
            self._unusable = _why_no_url(base_url)
            return
        if "?" in base_url or "#" in base_url:
            self._unusable = Reason.QUERY
            return
        scheme, authority, path = parts[1], parts[2], parts[3]
        self._base, self._path = base_url.removesuffix(path), path
        origin = allowed.origin_of(scheme, authority)
        if isinstance(origin, Reason) or _whole_fault(base_url) is not None or path_fault(path) is not None:
            return  # the full judgement names what is wrong
        self._origin, self._origin_text, self._rules = origin, origin.text, allowed.rules_at(origin)
        self._itself, self._directory = normalise_path(path), normalise_path(path.rstrip("/") + "/")
        self._room = MAX_URL_BYTES - len(base_url.encode("utf-8")) - 1

    def join(self, path: str) -> Verdict:
        """Decide on a relative `path[?query]` below the base. Never raises.

        An ordinary path, which is nearly each, costs one match and a comparison with the rules at the base's origin;
        the rest goes through `join_in_full`, with the same verdict.
        """
        ordinary = ORDINARY_PATH.fullmatch(path)
        if ordinary is None or len(path) > self._room:
            return self.join_in_full(path)
        below, query = ordinary.groups()
        joined = self._directory + below if below or path[:1] == "/" else self._itself
        return _cover(self._rules, self._origin, self._origin_text, joined, None if query is None else query[1:])

    def join_in_full(self, path: str) -> Verdict:
        """Decide like `join`, by judging the joined URL as a text."""
        fault = _reason(relative_path_fault(path)) or self._unusable
        if fault is not None:
            return Verdict(fault)
        return self._allowed.judge(self._base + join_paths(self._path, path))


def join_path(base_url: str, path: str, allowed: AllowedUrls) -> Verdict:
    """Decide once on a relative `path[?query]` below `base_url`; on each call of a connection, keep a `ProxyBase`."""
    return ProxyBase(base_url, allowed).join(path)


def _cover(rules: tuple[Rule, ...], origin: Origin, origin_text: str, path: str, query: str | None) -> Verdict:
    for rule in rules:
        if rule.covers_path(path):
            url = f"{origin_text}{path}" if query is None else f"{origin_text}{path}?{query}"
            return Verdict(Reason.ALLOWED, rule, Target(*origin, path, query, url))
    return Verdict(Reason.NOT_COVERED)


def _whole_fault(url: str) -> Reason | None:
    fault = text_fault(url)
    if fault is not None:
        return Reason(fault)
    length = utf8_length(url)
    return Reason.TOO_LONG if length is None or length > MAX_URL_BYTES else None


def _reason(fault: TextFault | None) -> Reason | None:
    return None if fault is None else Reason(fault)


def _why_no_url(text: str) -> Reason:
    scheme = _OTHER_SCHEME.match(text)
    return Reason.MALFORMED if scheme is None or scheme[0].lower() in ("https:", "http:") else Reason.SCHEME


def _read_origin(scheme: str, authority: str) -> Origin | Reason:
    if "@" in authority:
        return Reason.USERINFO
    scheme = scheme.lower()
    parts = _AUTHORITY.fullmatch(authority)
    if parts is None:
        return Reason.HOST
    host, port = parts.groups()
    if port is not None and not (_PORT.fullmatch(port) and int(port) <= 65535):
        return Reason.PORT
    try:
        return Origin(scheme, normalise_host(host), _DEFAULT_PORTS[scheme] if port is None else int(port))
    except HostError:
        return Reason.HOST
