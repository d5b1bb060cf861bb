"""Where passwords, tokens and calls go: hosts, allowed URLs, plain http, private networks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from keyturn.core.lint.findings import LintFinding, found
from keyturn.core.lint.subject import Subject
from keyturn.core.templates import Template
from keyturn.core.urls.allowed_urls import AllowedUrls, Origin, Reason, Rule
from keyturn.core.urls.denied_paths import lies_below
from keyturn.core.urls.hostnames import literal_address
from keyturn.core.urls.public_suffixes import PublicSuffixes

# Every rule was held against the real list when the connector was read; here rules are only taken apart.
_PLACEHOLDER: Final = re.compile(r"[/.@]provider\.example(?=$|[/:?#])", re.IGNORECASE)  # as the starter writes them
_NO_SUFFIXES = PublicSuffixes(frozenset({"invalid"}), frozenset(), frozenset())


def lint_hosts(subject: Subject) -> Iterator[LintFinding]:
    """Look at every URL."""
    connector = subject.connector
    if connector.private_network:
        yield found("K006", "/private_network")
    if connector.insecure_http:
        yield found("K007", "/insecure_http")
    if connector.tls is not None and connector.tls.ca is not None:
        yield found("K008", "/tls/ca")
    if connector.request.encoded_slashes:
        yield found("K905", "/request/encoded_slashes")
    rules = [
        Rule.parse(subject.sample(each.url), _NO_SUFFIXES, methods=each.methods, deny=each.deny)
        for each in connector.allowed_urls
    ]
    guard = AllowedUrls(rules, insecure_http=True, encoded_slashes=connector.request.encoded_slashes)
    yield from _placeholders(subject)
    yield from _literal_addresses(subject, guard)
    yield from _whole_rules(subject, rules)
    yield from _without_effect(rules)
    yield from _coverage(subject, guard)


def _origin(subject_url: str, guard: AllowedUrls) -> Origin | None:
    scheme, _, rest = subject_url.partition("://")
    authority = rest.split("/", 1)[0].split("?", 1)[0]
    origin = guard.origin_of(scheme, authority.removeprefix("*."))
    return None if isinstance(origin, Reason) else origin


def _placeholders(subject: Subject) -> Iterator[LintFinding]:
    """The hosts of a new file, in whatever is sent or shown."""
    connector, links = subject.connector, subject.connector.links
    for pointer, url in _written(subject):
        yield from _placeholder(pointer, url.source)
    shown = {
        "/docs_url": connector.docs_url,
        "/register_url": connector.register_url,
        "/trust/alternative": connector.trust.alternative if connector.trust else None,
        "/links/reset_password": links.reset_password,
        "/links/unlock": links.unlock,
        "/links/app_password": links.app_password,
    }
    for pointer, text in shown.items():
        yield from _placeholder(pointer, text or "")


def _written(subject: Subject) -> Iterator[tuple[str, Template]]:
    """The URLs that somebody wrote: a base that is only taken from step 7 is said there."""
    rules = {each.url.source for each in subject.connector.allowed_urls}
    return (each for each in subject.urls() if each[0] != "/request/base_url" or each[1].source not in rules)


def _placeholder(pointer: str, url: str) -> Iterator[LintFinding]:
    if _PLACEHOLDER.search(url):
        yield found("K011", pointer)


def _literal_addresses(subject: Subject, guard: AllowedUrls) -> Iterator[LintFinding]:
    """Where a certificate would have to speak for an address; plain http has none, which K007 says once for all."""
    for pointer, url in _written(subject):
        sample = subject.sample(url)
        origin = _origin(sample, guard) if sample.startswith("https:") else None
        if origin is not None and literal_address(origin.host) is not None:
            yield found("K205", pointer)
    if subject.host_names():
        yield found("K202", "/token/url")


def _without_effect(rules: list[Rule]) -> Iterator[LintFinding]:
    """Rules that deny what nothing allows, and rules that allow what another denies entirely."""
    for index, rule in enumerate(rules):
        others = [each for each in rules if each.deny is not rule.deny and _same_origin(each, rule)]
        if rule.deny and not any(lies_below(each.prefix, rule.prefix) or _below(rule, each) for each in others):
            yield found("K708", f"/allowed_urls/{index}")
        elif not rule.deny and any(lies_below(rule.prefix, each.prefix) and not each.methods for each in others):
            yield found("K709", f"/allowed_urls/{index}")


def _same_origin(one: Rule, other: Rule) -> bool:
    return one.origin == other.origin or one.covers_origin(other.origin) or other.covers_origin(one.origin)


def _below(denying: Rule, allowing: Rule) -> bool:
    shared = not denying.methods or not allowing.methods or denying.methods & allowing.methods
    return bool(shared) and lies_below(denying.prefix, allowing.prefix.rstrip("/") or "/")


def _whole_rules(subject: Subject, rules: list[Rule]) -> Iterator[LintFinding]:
    guard = AllowedUrls(rules, insecure_http=True)
    base = subject.sample(subject.connector.request.base_url)
    at = _origin(base, guard)
    origins = {at, _origin(subject.sample(subject.connector.test.request.url), guard)}
    deep = "/" in base.partition("://")[2].rstrip("/")
    for index, rule in enumerate(rules):
        pointer = f"/allowed_urls/{index}"
        if rule.deny:
            continue
        if rule.wildcard:
            yield found("K701", pointer)
        elif rule.prefix == "/" and deep and rule.origin == at:
            yield found("K707", pointer)
        if not any(origin is not None and rule.covers_origin(origin) for origin in origins):
            yield found("K704", pointer)


def _coverage(subject: Subject, guard: AllowedUrls) -> Iterator[LintFinding]:
    connector = subject.connector
    if not guard.judge(subject.sample(connector.test.request.url), connector.test.request.method).allowed:
        yield found("K502", "/test/url")
    if guard.judge(subject.sample(connector.token.url), connector.token.method).allowed:
        yield found("K706", "/allowed_urls")
    origin = _origin(subject.sample(connector.request.base_url), guard)
    if origin is None or not guard.rules_at(origin):
        yield found("K903", "/request/base_url")
