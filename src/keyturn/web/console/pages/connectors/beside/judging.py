"""Step 7's question: would this call be allowed, by which rule, or which rule is nearest and what keeps it out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from keyturn.core.connector import Connector
from keyturn.core.errors import KeyturnError
from keyturn.core.urls.allowed_urls import AllowedUrls, Origin, Reason, Rule
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.core.urls.url_paths import normalise_path
from keyturn.engine.test_connection import allowed_urls_for

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
_WORDS: Final[Mapping[Reason, str]] = {
    Reason.TOO_LONG: "it is too long",
    Reason.NOT_UTF8: "it is no UTF-8",
    Reason.CHARACTER: "it has a character that no URL may have",
    Reason.BAD_ESCAPE: "a % is not followed by two hexadecimal digits",
    Reason.HIDDEN_CHARACTER: "an escape hides a character that decides where it goes, such as a slash",
    Reason.DOT_SEGMENT: "its path has . or .. as a part",
    Reason.MALFORMED: "it does not begin with https:// and a host",
    Reason.SCHEME: "it is neither https, nor http where that is allowed",
    Reason.USERINFO: "a name or password stands before the host",
    Reason.PORT: "its port is no port",
    Reason.HOST: "its host is no host",
}


@dataclass(frozen=True, slots=True)
class Judged:
    """What was asked and what came out. `sentence`: empty where nothing was asked."""

    url: str = ""
    method: str = "GET"
    allowed: bool = False
    sentence: str = ""


NOT_ASKED: Final = Judged()


def judge(connector: Connector, url: str, method: str, suffixes: PublicSuffixes) -> Judged:
    """Ask the rules of a connector; fields stand as their first choice, their default, or `sample`."""
    method = method if method in METHODS else "GET"
    if not url:
        return Judged(method=method)
    values = {each.key: next(iter(each.choices), each.default or "sample") for each in connector.fields}
    try:
        allowed = allowed_urls_for(connector, values, suffixes)
    except KeyturnError as error:
        return Judged(url, method, False, error.detail or error.code)
    verdict = allowed.judge(url, method)
    if verdict.allowed and verdict.rule is not None:
        return Judged(url, method, True, f"{method} is allowed by the rule {_told(verdict.rule)}.")
    rules = [Rule.parse(each.url, suffixes, methods=each.methods, deny=each.deny) for each in allowed.stated]
    return Judged(url, method, False, f"Refused: {_why(verdict.reason, rules, allowed, url, method)}.")


def _why(reason: Reason, rules: list[Rule], allowed: AllowedUrls, url: str, method: str) -> str:
    words = _WORDS.get(reason)
    if words is not None:
        return words
    scheme, _, rest = re.split("[?#]", url, maxsplit=1)[0].partition("://")
    authority, path = rest.partition("/")[0], "/" + rest.partition("/")[2]
    origin, path = allowed.origin_of(scheme, authority), normalise_path(path)
    if not isinstance(origin, Origin):
        return "no rule covers it"
    here = [each for each in rules if each.covers_origin(origin)]
    if reason is Reason.DENIED:
        denying = next((each for each in here if each.deny and each.denies(path, method, as_base=False)), None)
        return f"the rule {_told(denying)} says never" if denying else "a rule says never"
    if reason is Reason.METHOD:
        covering = next((each for each in here if not each.deny and each.covers_path(path)), None)
        if covering is None:
            return "a rule covers it, but not for this method"
        return f"the rule {_told(covering)} covers it, but only for {', '.join(sorted(covering.methods))}"
    allowing = [each for each in rules if not each.deny]
    if not allowing:
        return "no rule allows anything"
    near = max(allowing, key=lambda each: _nearness(each, origin, path))
    return f"no rule covers it. Nearest is {_told(near)}, which has another {_difference(near, origin)}"


def _nearness(rule: Rule, origin: Origin, path: str) -> tuple[bool, int, int]:
    """The same place before the same host before a host with the same end; then how far the paths go together."""
    return (rule.covers_origin(origin), _shared(rule.origin.host[::-1], origin.host[::-1]), _shared(rule.prefix, path))


def _shared(one: str, other: str) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _difference(rule: Rule, origin: Origin) -> str:
    if rule.covers_origin(origin):
        return "path"
    own = rule.origin
    if own.host != origin.host and not (rule.wildcard and origin.host.endswith("." + own.host)):
        return "host"
    return "scheme" if own.scheme != origin.scheme else "port"


def _told(rule: Rule) -> str:
    """A rule as an author would write it."""
    place = rule.origin.text.replace("://", "://*.", 1) if rule.wildcard else rule.origin.text
    return f"{place}{rule.prefix.rstrip('/')}"
