"""May a connector's token be sent to this URL?

Rule 1: a URL is judged as the text it is, before any parser could repair it; what is doubtful is refused.
Rule 2: judging never raises and never opens anything: a verdict is a value with a reason.
Rule 3: what was judged is what is sent: a verdict that allows carries the one URL to send.
Rule 4: names are judged here, the addresses behind them in `keyturn.core.urls.addresses`, at the time of connecting.
Rule 5: a rule that denies wins over every one that allows, and reads paths as generously as any server might; one that
can't be read denies everything.
Rule 6: who asks without a method is told of what every method may do.

Sources: RFC 3986 section 3 for the parts of a URL; `hostnames` and `url_paths` beside this file for theirs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple, Self

from keyturn.core.urls.denied_paths import lies_below
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
    METHOD = "method"  # covered, but not for this method
    DENIED = "denied"  # covered, but a rule that denies covers it as well
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


class StatedRule(NamedTuple):
    """A rule as it is stated, its values put in: `methods` empty for all of them."""

    url: str
    methods: frozenset[str] = frozenset()
    deny: bool = False

    def as_json(self) -> str | dict[str, object]:
        """As the format writes it: a text where the URL says it all."""
        if not self.methods and not self.deny:
            return self.url
        limits: dict[str, object] = {"methods": sorted(self.methods)} if self.methods else {}
        return {"url": self.url, **limits, "deny": self.deny}


@dataclass(frozen=True, slots=True)
class Rule:
    """One allowed URL of a connector, normalised. Build it with `parse`.

    `methods`: those that it speaks of, in capitals; none: all. GET stands for HEAD as well.
    """

    origin: Origin  # of a wildcard rule, the host that the wildcard stands over
    wildcard: bool
    prefix: str  # `/` covers every path
    methods: frozenset[str] = frozenset()
    deny: bool = False

    @classmethod
    def parse(
        cls, text: str, suffixes: PublicSuffixes, *, methods: frozenset[str] = frozenset(), deny: bool = False
    ) -> Self:
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
        named = methods | {"HEAD"} if "GET" in methods else methods
        return cls(origin, wildcard, normalise_path(path), named, deny)

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

    def denies(self, path: str, method: str | None, *, as_base: bool) -> bool:
        """Say whether the rule, one that denies, speaks of this call; of a base, whether of all that is below it."""
        if self.methods and (as_base or (method is not None and method.upper() not in self.methods)):
            return False
        return lies_below(path, self.prefix)


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


class _AtOrigin(NamedTuple):
    """What the rules say of one origin."""

    allowing: tuple[Rule, ...]
    denying: tuple[Rule, ...]
    encoded_slashes: bool

    def judge(
        self, origin: Origin, text: str, path: str, query: str | None, method: str | None, *, as_base: bool = False
    ) -> Verdict:
        """Decide on a normalised path; `text` is the origin's, made once."""
        reason = Reason.NOT_COVERED
        # An escaped slash may be one for the API or not: both readings have to be covered.
        other = path.replace("%2F", "/") if self.encoded_slashes and "%2F" in path else None
        for rule in self.allowing:
            if not rule.covers_path(path):
                continue
            if rule.methods and not as_base and method not in rule.methods:
                reason = Reason.METHOD
                continue
            if other is not None and not self._covers(other, method):
                continue
            if any(each.denies(other or path, method, as_base=as_base) for each in self.denying):
                return Verdict(Reason.DENIED)
            url = f"{text}{path}" if query is None else f"{text}{path}?{query}"
            return Verdict(Reason.ALLOWED, rule, Target(*origin, path, query, url))
        return Verdict(reason)

    def _covers(self, path: str, method: str | None) -> bool:
        return any(each.covers_path(path) and (not each.methods or method in each.methods) for each in self.allowing)


class AllowedUrls:
    """The rules of one connection, ready to judge. Without rules everything is refused.

    `stated`: those that the rules were read from, without the ones that are no rules. `by_method`: whether it matters
    which method a call has. `encoded_slashes`: whether a path may hold `%2F`.
    """

    __slots__ = ("_insecure_http", "_rules", "by_method", "encoded_slashes", "stated")

    def __init__(self, rules: Iterable[Rule], insecure_http: bool = False, encoded_slashes: bool = False) -> None:
        self._insecure_http = insecure_http
        self._rules = tuple(rules)
        self.encoded_slashes = encoded_slashes
        self.by_method = any(rule.methods for rule in self._rules)
        self.stated: tuple[StatedRule, ...] = ()

    @classmethod
    def from_texts(
        cls,
        texts: Iterable[str | StatedRule],
        suffixes: PublicSuffixes,
        insecure_http: bool = False,
        encoded_slashes: bool = False,
    ) -> Self:
        """Read the rules; a text that is none covers nothing, and the others still count.

        Where one that denies can't be read nothing is allowed: nobody knows what it was to keep out.
        """
        rules: dict[StatedRule, Rule] = {}
        for text in texts:
            stated = StatedRule(text) if isinstance(text, str) else text
            try:
                rules[stated] = Rule.parse(stated.url, suffixes, methods=stated.methods, deny=stated.deny)
            except InvalidRule:
                if stated.deny:
                    rules = {}
                    break
        allowed = cls(rules.values(), insecure_http, encoded_slashes)
        allowed.stated = tuple(rules)
        return allowed

    def judge(self, url: str, method: str | None = None, *, as_base: bool = False) -> Verdict:
        """Decide on an absolute URL, judged as the text it is. Never raises.

        Addresses are not looked at: the caller resolves the target's host and asks `address_allowed`.

        Args:
            url: as it was given.
            method: of the call, as it is sent; None: what holds for every method.
            as_base: paths are to be joined to it, and each is judged by itself with its method.
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
        fault = self._path_fault(path) or (None if query is None else _reason(query_fault(query)))
        if fault is not None:
            return Verdict(fault)
        query = None if query is None else escape_non_ascii(query)
        return self.at(origin).judge(origin, origin.text, normalise_path(path), query, method, as_base=as_base)

    def _path_fault(self, path: str) -> Reason | None:
        if self.encoded_slashes:  # what stands between the slashes is judged as if each stood there in the clear
            path = path.replace("%2F", "/").replace("%2f", "/")
        return _reason(path_fault(path))

    def origin_of(self, scheme: str, authority: str) -> Origin | Reason:
        """Return the origin that a URL's scheme and authority name, or why its URLs are refused."""
        origin = _read_origin(scheme, authority)
        if isinstance(origin, Origin) and origin.scheme != "https" and not self._insecure_http:
            return Reason.SCHEME
        return origin

    def rules_at(self, origin: Origin) -> tuple[Rule, ...]:
        """Return the rules that allow something at `origin`, in their order."""
        return tuple(rule for rule in self._rules if not rule.deny and rule.covers_origin(origin))

    def at(self, origin: Origin) -> _AtOrigin:
        """Return all that is said of `origin`, to be asked on each call."""
        denying = tuple(rule for rule in self._rules if rule.deny and rule.covers_origin(origin))
        return _AtOrigin(self.rules_at(origin), denying, self.encoded_slashes)


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
        "_said",
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
        self._origin, self._origin_text, self._said = origin, origin.text, allowed.at(origin)
        self._itself, self._directory = normalise_path(path), normalise_path(path.rstrip("/") + "/")
        self._room = MAX_URL_BYTES - len(base_url.encode("utf-8")) - 1

    def join(self, path: str, method: str | None = None) -> Verdict:
        """Decide on a relative `path[?query]` below the base; `method` as for `AllowedUrls.judge`. Never raises.

        An ordinary path, which is nearly each, costs one match and a comparison with the rules at the base's origin;
        the rest goes through `join_in_full`, with the same verdict.
        """
        ordinary = ORDINARY_PATH.fullmatch(path)
        if ordinary is None or len(path) > self._room:
            return self.join_in_full(path, method)
        below, query = ordinary.groups()
        joined = self._directory + below if below or path[:1] == "/" else self._itself
        return self._said.judge(self._origin, self._origin_text, joined, None if query is None else query[1:], method)

    def join_in_full(self, path: str, method: str | None = None) -> Verdict:
        """Decide like `join`, by judging the joined URL as a text."""
        fault = _reason(relative_path_fault(path)) or self._unusable
        if fault is not None:
            return Verdict(fault)
        return self._allowed.judge(self._base + join_paths(self._path, path), method)


def join_path(base_url: str, path: str, allowed: AllowedUrls) -> Verdict:
    """Decide once on a relative `path[?query]` below `base_url`; on each call of a connection, keep a `ProxyBase`."""
    return ProxyBase(base_url, allowed).join(path)


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
