"""The request of each step as it would be sent: by the code that sends, with names where values will be.

Rule 1: nothing here differs from a real request but its values; a secret is never one of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from keyturn.core.connector import ClientAuthentication, Connector, Encoding, ProviderRequest
from keyturn.core.errors import KeyturnError
from keyturn.core.requests.client_address import preview_with_address
from keyturn.core.requests.provider_request import Preview, preview_request
from keyturn.core.requests.request_encoding import templates_of
from keyturn.core.secret import Secret
from keyturn.core.templates import Masked
from keyturn.engine.template_values import dotted_names, optional_names
from keyturn.engine.test_connection import test_request
from keyturn.ports.store import ClientCredentials

_PART: Final = re.compile(r"\[(\d+)\]|([^.\[\]]+)")
LOGIN_STEP: Final = 2
API_STEPS: Final = (5, 9)  # they show who asks by the token
_ANY_SECRET: Final = Secret("any")  # what is shown is its name


def masked_preview(
    connector: Connector,
    spec: ProviderRequest,
    values: Mapping[str, Any],
    client: ClientCredentials | None,
    *,
    optional: frozenset[str] = frozenset(),
) -> Preview:
    """Show the request that `send.build` makes of the same arguments, secrets as `‹name›`; errors are the same."""
    return preview_request(
        spec,
        values,
        client_id=client.client_id if client else None,
        client_secret=client.client_secret if client else None,
        optional=optional_names(connector) | optional,
        dotted=dotted_names(connector),
    )


def step_requests(
    connector: Connector, step: int, client: ClientCredentials | None = None
) -> tuple[tuple[str, Preview | str], ...]:
    """What a step sends, each with a heading; a sentence in place of a request that can't be made.

    Args:
        connector: the draft.
        step: 1 to 9; steps without a request give nothing.
        client: the registered application. None where there is none yet: its names stand in its place if the connector
            has to prove it, and nothing of it is sent if it has not.
    """
    return tuple((name, _shown(connector, spec, client, step)) for name, spec in _requests(connector, step))


def shown_requests(connector: Connector, step: int) -> list[dict[str, Any]]:
    """The same as plain JSON, without a client of its own: `request`, or `note` in place of one that can't be made."""
    found: list[dict[str, Any]] = []
    for title, each in step_requests(connector, step):
        if isinstance(each, str):
            found.append({"title": title, "request": None, "note": each})
            continue
        headers = [[name, value] for name, value in each.headers]
        request = {"method": each.method, "url": each.url, "headers": headers, "body": each.body}
        found.append({"title": title, "request": request, "note": None})
    return found


def sample_call(connector: Connector) -> ProviderRequest:
    """A call of the API without a path: the base URL with the parameters that are put on every request."""
    parameters = connector.request
    return ProviderRequest(
        parameters.base_url,
        method="GET",
        encoding=Encoding.QUERY,
        headers=parameters.headers,
        params=parameters.query,
        authentication=ClientAuthentication.NONE,
    )


def _requests(connector: Connector, step: int) -> Iterator[tuple[str, ProviderRequest]]:
    if step == LOGIN_STEP:
        for before in connector.before:
            yield f"Before the login: {before.name}", before.request
        yield "Login", connector.token
        for n, challenge in enumerate(connector.challenges, 1):
            if challenge.then is not None:
                yield f"After challenge {n}", challenge.then
            if challenge.resend is not None:
                yield f"Another code for challenge {n}", challenge.resend
    elif step == 3 and connector.refresh.honoured:
        yield "Refresh", connector.refresh.request
    elif step == 4:
        for n, revoke in enumerate(connector.revokes, 1):
            yield f"Revoke {n}" if len(connector.revokes) > 1 else "Revoke", revoke.request
    elif step == 5:
        yield "Test", test_request(connector, "/")
    elif step == 9:
        yield "A call of the API", sample_call(connector)


def _shown(connector: Connector, spec: ProviderRequest, client: ClientCredentials | None, step: int) -> Preview | str:
    unproven = spec.authentication is ClientAuthentication.NONE
    proving = None if unproven and step in API_STEPS else client  # every other request names it if there is one
    unset = client is None and not unproven
    try:
        preview = preview_request(
            spec,
            names_as_values(spec),
            client_id=Masked("client_id") if unset else proving.client_id if proving else None,
            client_secret=_ANY_SECRET if unset else proving.client_secret if proving else None,
            optional=optional_names(connector),
            dotted=dotted_names(connector),
        )
        return preview_with_address(preview, connector) if step == LOGIN_STEP else preview
    except KeyturnError as error:
        return error.detail or error.code


def names_as_values(spec: ProviderRequest) -> dict[str, Any]:
    """A value for each path that a request reads: the path itself, marked as a name."""
    templates = (spec.url, *spec.headers.values(), *templates_of(spec.params))
    return marks(path for template in templates for path in template.names())


def marks(paths: Iterable[str]) -> dict[str, Any]:
    """The same for paths."""
    found: dict[str, Any] = {}
    for path in paths:
        _put(found, [n or name for n, name in _PART.findall(path)], path)
    return found


def _put(values: dict[str, Any], parts: list[str], path: str) -> None:
    """Put a mark at a path, with the objects and lists on the way; one that stands there already stays."""
    place: Any = values
    for n, part in enumerate(parts):
        last = n == len(parts) - 1
        new: Any = Masked(path) if last else [] if parts[n + 1].isdigit() else {}
        if isinstance(place, list):
            place.extend({} for _ in range(int(part) + 1 - len(place)))
            place[int(part)] = place[int(part)] or new
            place = place[int(part)]
        elif isinstance(place, dict):
            place = place.setdefault(part, new)
        else:
            return
