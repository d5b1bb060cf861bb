"""Forward-auth: another proxy asks, before it passes a request on, which headers to add.

Rule 1: answers are 204, 401 or 403, since that is all that such proxies understand; the reason is in `Keyturn-Code`.
Rule 2: the request is judged by what the proxy says of it; two different words for one request are none.
Rule 3: `X-Forwarded-*` is believed from trusted proxies only: it may come from the proxy's own client.
Rule 4: what can't travel in a header that the proxy adds is refused, never left out.

Source: the product, "Call"; the threat model, E2 and E6.
"""

from __future__ import annotations

import json
import re
from typing import Any, ClassVar, Final
from urllib.parse import parse_qsl

from keyturn.core.errors import BadRequest, Finding, TokenVendDisabled, UrlNotAllowed, ValidationFailed
from keyturn.engine.abuse.rate_limits import PROXY
from keyturn.engine.api_keys import Principal
from keyturn.engine.calls.hand_out import Door
from keyturn.engine.calls.request_parameters import RenderedParameters
from keyturn.web.dataplane.hand_out_door import HandOutDoor
from keyturn.web.kit.admission.addresses import is_within
from keyturn.web.kit.headers import HOP_BY_HOP, OF_DATA, Headers
from keyturn.web.kit.problems import ProblemAnswer

PATH: Final = b"/v1/forward-auth"
ORIGINAL: Final = (b"x-original-method", b"x-original-uri")
FORWARDED: Final = (b"x-forwarded-method", b"x-forwarded-uri")
_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
# A header of these names would be taken for one of this answer, or be lost on its way.
_NOT_CARRIED: Final = HOP_BY_HOP | {
    *(name for name, _ in OF_DATA),
    b"content-length",
    b"date",
    b"server",
    b"set-cookie",
    b"www-authenticate",
}


class ForwardAuth(HandOutDoor):
    """One question of another proxy."""

    __slots__ = ()

    door: ClassVar[Door] = Door.FORWARD_AUTH
    key_scope: ClassVar[str] = "call"
    policy: ClassVar[str] = PROXY
    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD")
    route: ClassVar[str] = "/v1/forward-auth"

    async def _answer(self, principal: Principal) -> tuple[int, Headers, bytes]:
        method, uri = self._original()
        self._connection_id = _connection_in(self._scope["query_string"])
        route = await self._handed_out(principal)
        verdict = route.base.join(uri, method)
        if verdict.target is None:
            raise UrlNotAllowed(extensions={"reason": verdict.reason.value})
        return 204, _added(route.put_on.of(method, verdict.target.path)), b""

    def _original(self) -> tuple[str, str]:
        """Method, and path and query, of the request that is asked about.

        Raises:
            BadRequest: nobody whose word counts says what it is, or two say different things.
        """
        original, forwarded = self._said(ORIGINAL), self._said(FORWARDED)
        if original is not None and forwarded is not None and original != forwarded:
            raise BadRequest("X-Original-* and X-Forwarded-* speak of different requests.")
        if original is None and forwarded is not None and not self._is_trusted():
            raise BadRequest("X-Forwarded-* is read from trusted proxies only: set KEYTURN_TRUSTED_PROXIES.")
        said = original or forwarded
        if said is None:
            raise BadRequest("X-Original-Method and X-Original-URI are wanted.")
        method, uri = said
        if not _METHOD.fullmatch(method) or not uri.startswith(b"/"):
            raise BadRequest("The original request's method or URI is none.")
        return method.decode("ascii"), uri.decode("utf-8", "surrogateescape")

    def _said(self, names: tuple[bytes, bytes]) -> tuple[bytes, bytes] | None:
        """Method and URI by these two headers; None where neither was sent."""
        found = [[value for name, value in self._scope["headers"] if name == wanted] for wanted in names]
        if not any(found):
            return None
        if [len(each) for each in found] != [1, 1]:
            raise BadRequest("The original request's method and URI are each given once.")
        return found[0][0], found[1][0]

    def _is_trusted(self) -> bool:
        client = self._scope.get("client")
        return client is not None and is_within(client[0], self._parts.trusted_proxies)

    def _say(self, answer: ProblemAnswer) -> ProblemAnswer:
        if answer.status in (401, 403):
            return answer
        document = {**json.loads(answer.body), "status": 403}
        body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
        kept = [each for each in answer.headers if each[0] not in (b"content-length", b"allow")]
        return ProblemAnswer(403, (*kept, (b"content-length", str(len(body)).encode("ascii"))), body)


def _connection_in(query: bytes) -> str:
    found: list[tuple[str, Any]] = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    if [name for name, _ in found] != ["connection"] or not found[0][1]:
        raise ValidationFailed(
            errors=[Finding("/connection", "invalid", "`?connection=` is wanted, and nothing else.")]
        )
    return str(found[0][1])


def _added(parameters: RenderedParameters) -> Headers:
    headers = [*parameters.default_headers, *parameters.locked_headers]
    if any(name in _NOT_CARRIED or name.startswith(b"keyturn-") for name, _ in headers):
        raise TokenVendDisabled(
            "The connector puts on a header that can't be carried in this answer.", extensions={"reason": "header"}
        )
    return headers
