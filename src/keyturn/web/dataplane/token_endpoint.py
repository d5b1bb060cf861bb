"""The token endpoint: the access token itself, for callers that may hold one, and all that goes along with it.

Rule 1: the answer is for one reader and is stored nowhere, here or on its way.
Rule 2: what the connector puts on calls and where it lets them go stands beside the token: a client that holds the
token itself can keep to it.

Source: the product, "Call"; RFC 6749 section 5.1 for the members and for what no cache may keep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import unquote

from keyturn.core.errors import Finding, UnsupportedMediaType, ValidationFailed
from keyturn.engine.abuse.rate_limits import TOKEN as TOKEN_POLICY
from keyturn.engine.api_keys import Principal
from keyturn.engine.calls.hand_out import Door
from keyturn.engine.calls.request_parameters import RenderedParameters
from keyturn.engine.calls.routes import Route
from keyturn.web.dataplane.hand_out_door import HandOutDoor
from keyturn.web.dataplane.request_body import RequestBody
from keyturn.web.kit.headers import Headers
from keyturn.web.kit.strict_json import MAX_BODY_BYTES, parse_json

PATH: Final = re.compile(rb"/v1/connections/([^/]+)/token")
MEMBER: Final = "refused_generation"
_JSON: Final = re.compile(rb"application/json *(?:; *charset=\"?utf-?8\"?)? *", re.IGNORECASE)


class TokenEndpoint(HandOutDoor):
    """One request for a token."""

    __slots__ = ()

    door: ClassVar[Door] = Door.TOKEN
    key_scope: ClassVar[str] = "token"
    policy: ClassVar[str] = TOKEN_POLICY
    methods: ClassVar[tuple[str, ...]] = ("POST",)
    route: ClassVar[str] = "/v1/connections/{connection_id}/token"

    async def _answer(self, principal: Principal) -> tuple[int, Headers, bytes]:
        refused = _refused_generation(await self._document())
        found = PATH.fullmatch(self._scope["raw_path"])
        self._connection_id = found[1].decode("latin-1") if found else ""
        body = _encoded(await self._handed_out(principal, refused))
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode("ascii")),
            (b"pragma", b"no-cache"),
        ]
        return 200, headers, body

    async def _document(self) -> Any:
        """The body as JSON; an empty object where none was sent.

        Raises:
            PayloadTooLarge, UnsupportedMediaType, BadRequest: in this order, the first two before it is read.
        """
        head = self._head
        if not head.has_body:
            return {}
        body = RequestBody(self._receive, head.content_length)
        if (head.content_length or 0) <= MAX_BODY_BYTES and not _is_json(head.sent):
            raise UnsupportedMediaType("This is read here: application/json, in UTF-8, uncompressed.")
        raw = await body.read(MAX_BODY_BYTES)
        return parse_json(raw) if raw else {}


def _is_json(headers: Headers) -> bool:
    kinds = [value for name, value in headers if name == b"content-type"]
    plain = all(value.strip().lower() == b"identity" for name, value in headers if name == b"content-encoding")
    return plain and len(kinds) == 1 and _JSON.fullmatch(kinds[0]) is not None


def _refused_generation(document: Any) -> int | None:
    if not isinstance(document, Mapping):
        raise ValidationFailed(errors=[Finding("", "invalid", "An object is wanted.")])
    if any(name != MEMBER for name in document):
        raise ValidationFailed(errors=[Finding("", "unknown_member", "There is a member here that is not known.")])
    found = document.get(MEMBER)
    if found is not None and (type(found) is not int or found < 1):
        raise ValidationFailed(errors=[Finding(f"/{MEMBER}", "invalid", "A whole number from 1 on is wanted.")])
    return found


def _encoded(route: Route) -> bytes:
    document = {
        "access_token": route.token.reveal(),
        "token_type": route.token_type,
        "expires_at": _time(route.connection.expires_at),
        "generation": route.generation,
        "apply": _applied(route),
        "allowed_urls": [each.as_json() for each in route.allowed.stated],
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _applied(route: Route) -> dict[str, Any]:
    """What goes on each call, its names as the author spells them; a caller may send its own for what is not locked."""
    spelled = route.connector.request
    some = [
        {"methods": sorted(each.methods), "paths": list(each.paths), **_put_on(rendered, each.headers)}
        for each, rendered in zip(spelled.only, route.put_on.for_some(), strict=True)
    ]
    found = {**_put_on(route.parameters, spelled.headers), "locked": sorted(spelled.locked)}
    return {**found, "only": some} if some else found


def _put_on(rendered: RenderedParameters, spelled: Iterable[str]) -> dict[str, Any]:
    values = dict((*rendered.locked_headers, *rendered.default_headers))
    return {
        "headers": {name: values[name.lower().encode("ascii")].decode("utf-8") for name in spelled},
        "query": {each.name: unquote(each.text.partition("=")[2]) for each in rendered.query},
        "body": rendered.body,
    }


def _time(unix_s: float | None) -> str | None:
    if unix_s is None:
        return None
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
