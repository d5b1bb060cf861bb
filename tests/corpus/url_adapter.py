"""The door through which the URL corpus judges the egress guard: no rule of its own, no network."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Literal, TypedDict

from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.urls import allowed_urls
from keyturn.core.urls.addresses import Network, address_allowed
from keyturn.core.urls.allowed_urls import AllowedUrls
from keyturn.core.urls.hostnames import literal_address


class UrlCase(TypedDict):
    """A URL, the rules that may cover it, and what its host resolves to."""

    rules: list[str]
    url: str
    resolves: dict[str, list[str]]
    allow_private: list[str]
    insecure_http: bool


class ProxyCase(TypedDict):
    """A base URL, a path below it, and the rules that may cover both."""

    base: str
    rules: list[str]
    path: str


def url_verdict(case: UrlCase) -> Literal["allow", "deny"]:
    """Judge the URL, then the addresses of its host as the case gives them."""
    allowed = AllowedUrls.from_texts(case["rules"], load_public_suffixes(), insecure_http=case["insecure_http"])
    target = allowed.judge(case["url"]).target
    if target is None:
        return "deny"
    literal = literal_address(target.host)
    addresses = case["resolves"].get(target.host, []) if literal is None else [literal]
    networks = _networks(case["allow_private"])
    return "allow" if any(address_allowed(address, networks) for address in addresses) else "deny"


def rule_valid(rule: str) -> bool:
    """Say whether the text is a rule."""
    return allowed_urls.rule_valid(rule, load_public_suffixes())


def proxy_target(case: ProxyCase) -> str | None:
    """Join the path to the base and return the URL to send, or None where it is refused."""
    allowed = AllowedUrls.from_texts(case["rules"], load_public_suffixes())
    target = allowed_urls.join_path(case["base"], case["path"], allowed).target
    return None if target is None else target.url


def _networks(texts: Sequence[str]) -> list[Network]:
    return [ip_network(text, strict=False) for text in texts]
