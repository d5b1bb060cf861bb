"""A connector as the rules look at it: its file form, all of its requests, all of its templates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from keyturn.core.connector import Connector, Params, ProviderRequest
from keyturn.core.format.writing import dump_connector
from keyturn.core.reading.document import child_pointer
from keyturn.core.reading.host_rules import label_names, sample_url, whole_host_name
from keyturn.core.reading.names import Kind, Names, collect_names
from keyturn.core.templates import Template


@dataclass(frozen=True, slots=True)
class Subject:
    """What is linted. `requests`: pointer → each request to the provider."""

    connector: Connector
    names: Names
    fields: Mapping[str, Mapping[str, Any]]
    requests: Mapping[str, ProviderRequest] = field(default_factory=dict)

    @classmethod
    def of(cls, connector: Connector) -> Self:
        """Look at a connector."""
        written = dump_connector(connector)
        requests = {"/token": connector.token, "/refresh": connector.refresh.request, "/test": connector.test.request}
        for index, revoke in enumerate(connector.revokes):
            requests[f"/revoke/{index}" if len(connector.revokes) > 1 else "/revoke"] = revoke.request
        for index, before in enumerate(connector.before):
            requests[f"/token/before/{index}"] = before.request
        for index, challenge in enumerate(connector.challenges):
            if challenge.then is not None:
                requests[f"/challenges/{index}/then"] = challenge.then
            if challenge.resend is not None:
                requests[f"/challenges/{index}/resend"] = challenge.resend
        names = collect_names(written)
        return cls(connector, names, {**names.fields, **names.hosts}, requests)

    def kinds(self, template: Template) -> frozenset[Kind | None]:
        """The kinds of all names in a template."""
        return frozenset(self.names.kind_of(path) for path in template.names())

    def urls(self) -> Iterator[tuple[str, Template]]:
        """Every URL that something is sent to, with its pointer; those of a renewal only where they differ."""
        for pointer, request in self.requests.items():
            if pointer == "/token" or request.url != self.connector.token.url:
                yield f"{pointer}/url", request.url
        yield "/request/base_url", self.connector.request.base_url
        yield from self.allowed_urls()

    def allowed_urls(self) -> Iterator[tuple[str, Template]]:
        """Step 7, each with its pointer."""
        for index, each in enumerate(self.connector.allowed_urls):
            below = "/url" if each.methods or each.deny else ""
            yield f"/allowed_urls/{index}{below}", each.url

    def sample(self, url: Template) -> str:
        """A URL with made-up values of the right shape."""
        return sample_url(url, self.fields)

    def host_names(self) -> frozenset[str]:
        """The fields that stand in the host of some URL."""
        found: set[str] = set()
        for _, url in self.urls():
            found |= label_names(url)
            found |= {name for name in (whole_host_name(url),) if name is not None}
        return frozenset(found)

    def templates(self) -> Iterator[tuple[str, Template]]:
        """Every template of the connector, with its pointer; what a request takes over from `token` only there."""
        connector = self.connector
        token = list(_request("", connector.token))
        for pointer, request in self.requests.items():
            for below, template in _request("", request):
                takes_over = pointer == "/refresh" or pointer.startswith("/challenges")
                if not takes_over or (below, template) not in token:
                    yield pointer + below, template
        yield "/request/base_url", connector.request.base_url
        put_on = {"/request": connector.request} | {
            f"/request/only/{index}": each for index, each in enumerate(connector.request.only)
        }
        for pointer, parameters in put_on.items():
            yield from _tree(f"{pointer}/headers", parameters.headers)
            yield from _tree(f"{pointer}/query", parameters.query)
            yield from _tree(f"{pointer}/body", parameters.body)
        yield from self.allowed_urls()
        if connector.tls is not None:
            named = {"/tls/ca": connector.tls.ca, "/tls/client_certificate": connector.tls.client_certificate}
            yield from ((pointer, template) for pointer, template in named.items() if template is not None)
        yield "/connection_name", connector.connection_name
        yield "/unique_id", connector.unique_id


def _request(pointer: str, request: ProviderRequest) -> Iterator[tuple[str, Template]]:
    yield f"{pointer}/url", request.url
    yield from _tree(f"{pointer}/headers", request.headers)
    yield from _tree(f"{pointer}/params", request.params)
    if request.body is not None:
        yield f"{pointer}/body", request.body


def _tree(pointer: str, value: Params) -> Iterator[tuple[str, Template]]:
    if isinstance(value, Template):
        yield pointer, value
    elif isinstance(value, Mapping):
        for name, each in value.items():
            yield from _tree(child_pointer(pointer, name), each)
    elif isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from _tree(child_pointer(pointer, index), each)
