"""One request to a provider, complete, and the same with its secrets masked.

Rule 1: a preview is made by the code that makes the request; it differs in its values only.
Rule 2: the application proves itself in one way at most: what the author wrote by hand wins over the default.
Rule 3: a value that would break out of where it stands is refused, never repaired.

Sources: the connector format, "Requests"; RFC 6749 §2.3.1 (client authentication); the threat E3.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlsplit

from keyturn.core.connector import ClientAuthentication, Encoding, ProviderRequest
from keyturn.core.errors import ConnectorClientMissing, ConnectorInvalid
from keyturn.core.messages import OutgoingRequest
from keyturn.core.requests.body_text import CONTENT_TYPES, body_text
from keyturn.core.requests.request_encoding import EncodedBody, encode_body, encode_query, resolve, templates_of
from keyturn.core.requests.request_text import Written, invalid_value, plain, scalar_text, written_or_absent
from keyturn.core.requests.request_url import render_url
from keyturn.core.secret import Secret
from keyturn.core.templates import Masked, mask

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_BODILESS: Final = frozenset({"GET", "HEAD"})
# HTTP's own framing and routing; the way out writes these.
NOT_OURS: Final = frozenset(
    {
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection",
        "te", "trailer", "upgrade", "expect",
    }
)  # fmt: skip
_ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"  # RFC 7523 section 2.2
_MASKED_BASIC: Final = Masked("base64(client_id:client_secret)")


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be sent, with each secret shown by its name: safe to show to whoever may see the connection."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: str


@dataclass(frozen=True, slots=True)
class _Client:
    """The registered application; of a preview its secret is masked, and so is an id that was never set."""

    id: str | Masked | None
    secret: Secret | Masked | None = field(repr=False)
    assertion: Secret | Masked | None = field(default=None, repr=False)


def build_request(
    spec: ProviderRequest,
    values: Mapping[str, object],
    *,
    client_id: str | None,
    client_secret: Secret | None,
    client_assertion: Secret | None = None,
    optional: frozenset[str] = frozenset(),
    dotted: frozenset[str] = frozenset(),
) -> OutgoingRequest:
    """Build the request that `spec` describes.

    Args:
        spec: with every default resolved.
        values: root name → value, as for `Template.render`; `client_id` and `client_secret` are added.
        client_id: None where the request does not prove which application it is, as a test call.
        client_secret: None or empty where the application has none.
        client_assertion: made with its private key, for private_key_jwt.
        optional: names that may be absent; a parameter or header that is nothing but one of them is then left out.
        dotted: names whose value may be several labels of a host.

    Raises:
        ValueAbsent: a value is absent that is not optional.
        ValidationFailed: a value can't stand where it does; `errors` names it.
        ConnectorClientMissing: the client authentication needs an id.
        ConnectorInvalid: the description makes no request.
    """
    client = _Client(client_id, client_secret if client_secret else None, client_assertion)
    draft = _draft(spec, values, client, optional, dotted)
    return OutgoingRequest(draft.method, draft.url, draft.headers, draft.body.encode())


def preview_request(
    spec: ProviderRequest,
    values: Mapping[str, object],
    *,
    client_id: str | Masked | None,
    client_secret: Secret | None,
    optional: frozenset[str] = frozenset(),
    dotted: frozenset[str] = frozenset(),
) -> Preview:
    """Show the request that `build_request` would build, secrets as `‹name›`; arguments and errors are the same.

    `client_id`: a mark stands for the id of an application that is still to be registered.
    """
    masked = {name: mask(value, name) for name, value in values.items()}
    proof = Masked("client_assertion") if client_secret else None
    client = _Client(client_id, Masked("client_secret") if client_secret else None, proof)
    return _draft(spec, masked, client, optional, dotted)


def host_of(request: OutgoingRequest) -> str:
    """Host and, where it is not the scheme's own, port that a built request goes to: what a connection is pinned to."""
    return urlsplit(request.url).netloc


def _draft(
    spec: ProviderRequest,
    values: Mapping[str, object],
    client: _Client,
    optional: frozenset[str],
    dotted: frozenset[str],
) -> Preview:
    known = {"client_id": client.id, "client_secret": client.secret} | dict(values)
    in_query = spec.encoding is Encoding.QUERY or (spec.encoding is Encoding.FORM and spec.method in _BODILESS)
    _keep_client_secret_out_of_urls(spec, client, in_query)
    headers = _headers(spec, known, optional)
    params = _with_client(spec, resolve(spec.params, known, optional), client, headers, in_query)
    url = render_url(spec.url, known, dotted=dotted)
    body = EncodedBody()
    if spec.body is not None:
        body = EncodedBody(CONTENT_TYPES[spec.encoding], body_text(spec.encoding, spec.body, known))
    elif in_query:
        url = _with_query(url, encode_query(params))
    elif params or spec.params:
        body = encode_body(spec.encoding, params)
    _put_defaults(headers, body, multipart=spec.encoding is Encoding.MULTIPART)
    return Preview(spec.method, url, tuple(headers.values()), body.text)


def _with_query(url: str, query: str) -> str:
    if not query:
        return url
    joint = "?" if "?" not in url else "" if url.endswith(("?", "&")) else "&"
    return f"{url}{joint}{query}"


def _keep_client_secret_out_of_urls(spec: ProviderRequest, client: _Client, in_query: bool) -> None:
    in_url = spec.url.uses("client_secret")
    if in_query and not in_url:
        by_post = spec.authentication is ClientAuthentication.POST and client.secret is not None
        in_url = by_post or any(each.uses("client_secret") for each in templates_of(spec.params))
    if in_url:
        raise ConnectorInvalid("the client secret never stands in a URL")


def _headers(
    spec: ProviderRequest, values: Mapping[str, object], optional: frozenset[str]
) -> dict[str, tuple[str, str]]:
    """The author's headers: name in lower case → name as written, value."""
    found: dict[str, tuple[str, str]] = {}
    for name, template in spec.headers.items():
        if not _TOKEN.fullmatch(name) or name.lower() in NOT_OURS:
            raise ConnectorInvalid("a header of the connector can't be sent")
        value = written_or_absent(template, values, optional)
        if value is None:
            continue
        if isinstance(value, Written):
            _refuse_control(value)
        found[name.lower()] = (name, scalar_text(value))
    return found


def _refuse_control(value: Written) -> None:
    for piece, reference in value.pieces:
        if not isinstance(piece, Masked) and _CONTROL.search(plain(piece, reference)):
            if reference is None:
                raise ConnectorInvalid("a header of the connector has control characters")
            raise invalid_value(reference, "A value in a header has no control characters.")


def _with_client(
    spec: ProviderRequest,
    params: dict[str, Any],
    client: _Client,
    headers: dict[str, tuple[str, str]],
    in_query: bool,
) -> dict[str, Any]:
    """Prove which application asks: an `Authorization` header is added, or parameters."""
    own: dict[str, Any] = {}
    match spec.authentication:
        case ClientAuthentication.NONE:
            if client.id and not in_query:
                own = {"client_id": _written(client.id)}
        case ClientAuthentication.POST:
            own = {"client_id": _written(_required_id(client))}
            if client.secret is not None:
                own["client_secret"] = _written(client.secret)
        case ClientAuthentication.PRIVATE_KEY_JWT:
            if client.assertion is None:
                raise ConnectorClientMissing
            own = {
                "client_id": _written(_required_id(client)),
                "client_assertion_type": _written(_ASSERTION_TYPE),
                "client_assertion": _written(client.assertion),
            }
        case ClientAuthentication.BASIC | ClientAuthentication.BASIC_RAW:
            if "authorization" not in headers and "client_secret" not in spec.params:
                raw = spec.authentication is ClientAuthentication.BASIC_RAW
                headers["authorization"] = ("Authorization", _basic(_required_id(client), client.secret, raw=raw))
    if "authorization" in headers and spec.authentication is ClientAuthentication.POST:
        own = {}  # written by hand
    return {**own, **params}


def _written(value: str | Secret | Masked) -> Written:
    return Written(((value, None),))


def _required_id(client: _Client) -> str | Masked:
    if not client.id:
        raise ConnectorClientMissing
    return client.id


def _basic(client_id: str | Masked, secret: Secret | Masked | None, *, raw: bool) -> str:
    """The Basic scheme's credentials. RFC 6749 §2.3.1 has id and secret percent-encoded first; `raw` does not."""
    if isinstance(secret, Masked) or isinstance(client_id, Masked):
        return f"Basic {_MASKED_BASIC}"
    if raw and ":" in client_id:
        raise ConnectorInvalid("a client id with a colon can't be sent by basic_raw")
    pair = [plain(client_id, None), "" if secret is None else plain(secret, None)]
    if not raw:
        pair = [quote(text, safe="") for text in pair]
    return "Basic " + base64.b64encode(":".join(pair).encode()).decode()


def _put_defaults(headers: dict[str, tuple[str, str]], body: EncodedBody, *, multipart: bool) -> None:
    accepted = "*/*" if body.content_type in CONTENT_TYPES.values() else "application/json"
    headers.setdefault("accept", ("Accept", accepted))
    if body.content_type is not None:
        if multipart:
            headers.pop("content-type", None)  # the boundary is ours
        headers.setdefault("content-type", ("Content-Type", body.content_type))
