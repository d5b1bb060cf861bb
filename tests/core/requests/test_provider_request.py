"""Requests to providers, and their previews."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from email.parser import BytesParser
from typing import Any
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keyturn.core.connector import ClientAuthentication, Encoding, Params, ProviderRequest
from keyturn.core.errors import ConnectorClientMissing, ConnectorInvalid, ValidationFailed, ValueAbsent
from keyturn.core.messages import OutgoingRequest
from keyturn.core.requests.provider_request import build_request, host_of, preview_request
from keyturn.core.secret import Secret
from keyturn.core.templates import Masked, Template

URL = "https://acme.example/token"
LOGIN: dict[str, Any] = {"grant_type": "password", "username": "{{ username }}", "password": "{{ password }}"}
VALUES: dict[str, object] = {"username": "ana", "password": Secret("pä ss&w=+%")}


def _params(given: Any) -> Any:
    """Params as `reading` makes them: texts are templates, lists tuples."""
    if isinstance(given, str):
        return Template.parse(given)
    if isinstance(given, Mapping):
        return {name: _params(each) for name, each in given.items()}
    return tuple(map(_params, given)) if isinstance(given, list) else given


def _spec(
    params: Any = None, *, url: str = URL, headers: Mapping[str, str] | None = None, **more: Any
) -> ProviderRequest:
    tree: Mapping[str, Params] = _params(LOGIN if params is None else params)
    written = {name: Template.parse(text) for name, text in (headers or {}).items()}
    return ProviderRequest(Template.parse(url), params=tree, headers=written, **more)


def _build(
    spec: ProviderRequest,
    values: Mapping[str, object] = VALUES,
    client: tuple[str | None, str | None] = (None, None),
    optional: frozenset[str] = frozenset(),
) -> OutgoingRequest:
    secret = None if client[1] is None else Secret(client[1])
    return build_request(spec, values, client_id=client[0], client_secret=secret, optional=optional)


def _header(request: OutgoingRequest, name: str) -> str | None:
    return next((value for key, value in request.headers if key.lower() == name), None)


def _form(request: OutgoingRequest) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode(), keep_blank_values=True)


def test_a_login_by_form() -> None:
    """The default: POST, form, JSON asked for."""
    request = _build(_spec())

    assert ("POST", URL) == (request.method, request.url)
    assert [("grant_type", "password"), ("username", "ana"), ("password", "pä ss&w=+%")] == _form(request)
    assert "application/x-www-form-urlencoded" == _header(request, "content-type")
    assert "application/json" == _header(request, "accept")
    assert _header(request, "authorization") is None


def test_a_form_is_written_as_the_media_type_says() -> None:
    """A blank as a plus, everything else that is not plain as escapes of its UTF-8."""
    assert b"a%2Fb=%C3%A4+%26%3D%2B%2F&c=1.5" == _build(_spec({"a/b": "ä &=+/", "c": 1.5})).body


def test_a_login_by_json() -> None:
    """Nested, and numbers, booleans and null as they are."""
    params = {
        "auth": {"user": "{{ username }}", "secret": "{{ password }}", "methods": ["password", "{{ n }}"]},
        "n": "{{ n }}",
        "text": "{{ n }}x",
        "flag": "{{ flag }}",
        "upper": "{{ n | trim }}",
        "lit": 1,
        "half": 0.5,
        "yes": True,
        "none": None,
        "empty": {},
    }

    request = _build(_spec(params, encoding=Encoding.JSON), VALUES | {"n": 7, "flag": False})

    assert {
        "auth": {"user": "ana", "secret": "pä ss&w=+%", "methods": ["password", 7]},
        "n": 7,
        "text": "7x",
        "flag": False,
        "upper": "7",
        "lit": 1,
        "half": 0.5,
        "yes": True,
        "none": None,
        "empty": {},
    } == json.loads(request.body)
    assert "application/json" == _header(request, "content-type")


def test_a_login_by_multipart() -> None:
    """Parts by name; no value is taken for a boundary."""
    password = "--keyturn-part-0\r\nx: --keyturn-part-1--"

    request = _build(
        _spec({'q"\r\n': "1"} | LOGIN, encoding=Encoding.MULTIPART), VALUES | {"password": Secret(password)}
    )

    head = f"Content-Type: {_header(request, 'content-type')}\r\n\r\n".encode()
    parts = BytesParser().parsebytes(head + request.body).get_payload()
    assert isinstance(parts, list)
    found = {part.get_param("name", header="content-disposition"): part.get_payload(decode=True) for part in parts}  # type: ignore[union-attr]
    assert {
        "q%22%0D%0A": b"1",
        "grant_type": b"password",
        "username": b"ana",
        "password": password.encode(),
    } == found


@pytest.mark.parametrize(
    ("url", "more", "expected"),
    [
        pytest.param(URL, {"encoding": Encoding.QUERY}, f"{URL}?a=x%20%26y&b=1", id="query"),
        pytest.param(f"{URL}?c=2", {"encoding": Encoding.QUERY}, f"{URL}?c=2&a=x%20%26y&b=1", id="after the author's"),
        pytest.param(f"{URL}?", {"encoding": Encoding.QUERY}, f"{URL}?a=x%20%26y&b=1", id="a bare question mark"),
        pytest.param(URL, {"method": "GET"}, f"{URL}?a=x%20%26y&b=1", id="GET with form parameters"),
        pytest.param(URL, {"method": "HEAD"}, f"{URL}?a=x%20%26y&b=1", id="HEAD"),
        pytest.param(URL, {"method": "DELETE"}, URL, id="DELETE has a body"),
    ],
)
def test_parameters_in_the_query(url: str, more: dict[str, Any], expected: str) -> None:
    """They are encoded for a URL, and there is no body then."""
    request = _build(_spec({"a": "x &y", "b": 1}, url=url, **more))

    assert expected == request.url
    assert (expected == URL) is bool(request.body)
    assert (expected == URL) is (_header(request, "content-type") is not None)


@pytest.mark.parametrize("encoding", list(Encoding))
def test_no_parameters(encoding: Encoding) -> None:
    """`params: {}` sends none, and nothing says that there is a body."""
    request = _build(_spec({}, encoding=encoding))

    assert (URL, b"") == (request.url, request.body)
    assert _header(request, "content-type") is None


@pytest.mark.parametrize(
    ("params", "values", "expected"),
    [
        pytest.param({"a": "{{ o }}"}, {}, [], id="absent and optional"),
        pytest.param({"a": "{{ o | trim }}"}, {}, [], id="with a filter"),
        pytest.param({"a": "{{ o.x }}"}, {"o": {}}, [], id="a path below an optional name"),
        pytest.param({"a": "{{ o }}"}, {"o": None}, [], id="null"),
        pytest.param({"a": "{{ o }}"}, {"o": ""}, [], id="empty"),
        pytest.param({"a": "{{ o }}"}, {"o": Secret("")}, [], id="empty and secret"),
        pytest.param({"a": "{{ r }}"}, {"r": ""}, [], id="empty though not optional"),
        pytest.param({"a": "{{ o }}"}, {"o": 0}, [("a", "0")], id="zero is something"),
        pytest.param({"a": "{{ o }}"}, {"o": False}, [("a", "false")], id="false is something"),
        pytest.param({"a": ""}, {}, [("a", "")], id="the author's own empty text"),
        pytest.param({"a": "x{{ r }}"}, {"r": ""}, [("a", "x")], id="empty inside other text"),
        pytest.param({"a": ["{{ o }}", "b"]}, {}, [("a", "b")], id="in a list"),
        pytest.param({"a": ["b", "c"]}, {}, [("a", "b"), ("a", "c")], id="a list repeats its name"),
        pytest.param({"a": None}, {}, [], id="null in a form"),
    ],
)
def test_what_is_left_out(params: dict[str, Any], values: dict[str, object], expected: list[tuple[str, str]]) -> None:
    """A parameter that is nothing but a value which is absent and optional, or empty."""
    assert expected == _form(_build(_spec(params), values, optional=frozenset({"o"})))


@pytest.mark.parametrize("params", [{"a": "{{ r }}"}, {"a": "x{{ o }}"}, {"a": "{{ o }}{{ o }}"}, {"a": "{{ r.o }}"}])
def test_what_is_absent(params: dict[str, Any]) -> None:
    """A value that is not optional, or that stands in other text, has to be there."""
    with pytest.raises(ValueAbsent):
        _build(_spec(params), {}, optional=frozenset({"o"}))


def test_headers() -> None:
    """The author's win over the defaults; an optional one is left out like a parameter."""
    headers = {"accept": "text/plain", "X-Key": "k {{ username }}", "X-Otp": "{{ otp }}", "content-type": "text/x"}

    request = _build(_spec(headers=headers), optional=frozenset({"otp"}))

    assert (("accept", "text/plain"), ("X-Key", "k ana"), ("content-type", "text/x")) == request.headers


@pytest.mark.parametrize("value", ["a\r\nX: 1", "a\n", "\0", "\x7f", Secret("a\rb")])
def test_control_characters_in_a_header(value: object) -> None:
    """They are refused, and not shown."""
    with pytest.raises(ValidationFailed) as caught:
        _build(_spec(headers={"X-User": "u {{ tenant }}"}), VALUES | {"tenant": value})

    assert ["/fields/tenant"] == [each.pointer for each in caught.value.errors]


@pytest.mark.parametrize("name", ["Host", "content-length", "Transfer-Encoding", "Connection", "a b", "a:", ""])
def test_headers_that_cannot_be_sent(name: str) -> None:
    """Framing is not the author's, and a name is a token."""
    with pytest.raises(ConnectorInvalid):
        _build(_spec(headers={name: "x"}))


@pytest.mark.parametrize("encoding", [Encoding.FORM, Encoding.MULTIPART, Encoding.QUERY])
def test_only_json_nests(encoding: Encoding) -> None:
    """An object elsewhere is the author's mistake."""
    with pytest.raises(ConnectorInvalid):
        _build(_spec({"a": {"b": "c"}}, encoding=encoding))


@pytest.mark.parametrize("encoding", list(Encoding))
def test_half_a_character(encoding: Encoding) -> None:
    """A lone surrogate can't be sent, and its error names the field only."""
    with pytest.raises(ValidationFailed) as caught:
        _build(_spec(encoding=encoding), VALUES | {"password": Secret("\ud800")})

    assert ["/password"] == [each.pointer for each in caught.value.errors]


def _credentials(request: OutgoingRequest) -> str:
    scheme, _, encoded = (_header(request, "authorization") or "").partition(" ")
    assert "Basic" == scheme
    return base64.b64decode(encoded).decode()


@pytest.mark.parametrize(
    ("authentication", "expected"),
    [
        pytest.param(ClientAuthentication.BASIC, "my%20id%3A%2B:s%20%C3%A4%2F~", id="basic percent-encodes"),
    ],
)
def test_basic(authentication: ClientAuthentication, expected: str) -> None:
    """A blank is %20, and a colon in the id does not end it."""
    request = _build(_spec(authentication=authentication), client=("my id:+", "s ä/~"))

    assert expected == _credentials(request)
    assert not {"client_id", "client_secret"} & dict(_form(request)).keys()


def test_basic_raw() -> None:
    """Nothing is encoded but by Base64; a colon in the id would move the border."""
    spec = _spec(authentication=ClientAuthentication.BASIC_RAW)

    assert "my id+:s:ä" == _credentials(_build(spec, client=("my id+", "s:ä")))
    with pytest.raises(ConnectorInvalid):
        _build(spec, client=("a:b", "c"))


def test_basic_without_a_secret() -> None:
    """An application without a secret proves its id."""
    spec = _spec(authentication=ClientAuthentication.BASIC)

    assert "id:" == _credentials(_build(spec, client=("id", None)))
    assert "id:" == _credentials(_build(spec, client=("id", "")))


@pytest.mark.parametrize(
    ("authentication", "client", "expected"),
    [
        pytest.param(ClientAuthentication.POST, ("id", "s"), {"client_id": "id", "client_secret": "s"}, id="post"),
        pytest.param(ClientAuthentication.POST, ("id", None), {"client_id": "id"}, id="post without a secret"),
        pytest.param(ClientAuthentication.NONE, ("id", "s"), {"client_id": "id"}, id="none, the id all the same"),
        pytest.param(ClientAuthentication.NONE, (None, None), {}, id="none, no id"),
    ],
)
@pytest.mark.parametrize("encoding", [Encoding.FORM, Encoding.JSON])
def test_the_client_in_the_body(
    encoding: Encoding,
    authentication: ClientAuthentication,
    client: tuple[str | None, str | None],
    expected: dict[str, str],
) -> None:
    """It goes where the other parameters go, and there is no Authorization header."""
    request = _build(_spec({"a": "b"}, authentication=authentication, encoding=encoding), client=client)

    found = json.loads(request.body) if encoding is Encoding.JSON else dict(_form(request))
    assert expected | {"a": "b"} == found
    assert _header(request, "authorization") is None


def test_none_leaves_the_query_alone() -> None:
    """A GET does not carry the id of the application along."""
    assert f"{URL}?a=b" == _build(_spec({"a": "b"}, method="GET"), client=("id", "s")).url


@pytest.mark.parametrize(
    "authentication", [ClientAuthentication.BASIC, ClientAuthentication.BASIC_RAW, ClientAuthentication.POST]
)
def test_an_application_that_is_not_registered(authentication: ClientAuthentication) -> None:
    """Without an id there is nothing to prove."""
    with pytest.raises(ConnectorClientMissing):
        _build(_spec(authentication=authentication), client=(None, "s"))


# The reader lets no secret stand beside private_key_jwt, whose secret is a key.
@pytest.mark.parametrize(
    "authentication", [each for each in ClientAuthentication if each is not ClientAuthentication.PRIVATE_KEY_JWT]
)
def test_never_two_at_once(authentication: ClientAuthentication) -> None:
    """What the author wrote by hand is the only proof."""
    by_header = _build(
        _spec({"a": "b"}, headers={"AUTHORIZATION": "Own x"}, authentication=authentication), client=("id", "s")
    )
    by_params = _build(
        _spec({"client_secret": "{{ client_secret }}"}, authentication=authentication), client=("id", "s")
    )

    assert ["Own x"] == [value for name, value in by_header.headers if name.lower() == "authorization"]
    assert "client_secret" not in dict(_form(by_header))
    assert _header(by_params, "authorization") is None
    assert "s" == dict(_form(by_params))["client_secret"]


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(_spec(url=f"{URL}?s={{{{ client_secret }}}}"), id="in the URL"),
        pytest.param(_spec({"s": "{{ client_secret }}"}, method="GET"), id="in the query"),
        pytest.param(
            _spec({"s": ["{{ username | hmac_sha256(client_secret) }}"]}, encoding=Encoding.QUERY), id="its hash"
        ),
        pytest.param(_spec({"a": "b"}, method="GET", authentication=ClientAuthentication.POST), id="by post"),
    ],
)
def test_the_client_secret_is_never_in_a_url(spec: ProviderRequest) -> None:
    """However it would get there."""
    with pytest.raises(ConnectorInvalid):
        _build(spec, client=("id", "s"))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://{{ username }}.Acme.example/x", "ana.acme.example"),
        ("https://acme.example:443/x", "acme.example"),
        ("https://acme.example:8443/x", "acme.example:8443"),
        ("https://[::1]/x", "[::1]"),
    ],
)
def test_host_of(url: str, expected: str) -> None:
    """One spelling for each place that a connection may be pinned to."""
    assert expected == host_of(_build(_spec(url=url)))


def test_nothing_secret_in_the_repr() -> None:
    """A request that is logged by accident shows nothing."""
    shown = repr(_build(_spec(url=f"{URL}/{{{{ password }}}}"), VALUES | {"password": Secret("hunter2")}))

    assert "hunter2" not in shown


def test_a_preview() -> None:
    """It shows where which secret would stand, and what was done with it."""
    spec = _spec(
        {"u": "{{ username }}", "p": "{{ password }}", "h": "a&{{ password | sha256 }}"},
        url="https://acme.example/{{ tenant }}",
        headers={"X-Key": "k {{ key }}"},
        authentication=ClientAuthentication.BASIC,
    )
    values = VALUES | {"tenant": "t 1", "key": Secret("k1"), "already": Masked("already")}

    preview = preview_request(spec, values, client_id="id", client_secret=Secret("cs"))

    assert ("POST", "https://acme.example/t%201") == (preview.method, preview.url)
    assert "u=ana&p=‹password›&h=a%26‹sha256(password)›" == preview.body
    assert {
        "X-Key": "k ‹key›",
        "Authorization": "Basic ‹base64(client_id:client_secret)›",
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
    } == dict(preview.headers)


ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
# Long and from an alphabet of its own, so that it is not in the author's text by chance.
SECRETS = st.text(alphabet="Zß€𝄞 qQ&=+%\"\\/<>'\t", min_size=9, max_size=30).filter(lambda text: len(set(text)) > 4)
EVERYWHERE = {
    "p": "{{ password }}",
    "q": "x{{ password }}y",
    "r": "{{ password | sha256 }}",
    "s": "{{ password | base64 }}",
}


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        raw.hex(),
        hashlib.sha256(raw).hexdigest(),
    }


@given(
    SECRETS,
    st.sampled_from(Encoding),
    st.sampled_from([ClientAuthentication.BASIC, ClientAuthentication.BASIC_RAW, ClientAuthentication.POST]),
)
def test_no_secret_in_a_preview(secret: str, encoding: Encoding, authentication: ClientAuthentication) -> None:
    """Neither as it is nor in any encoding, nor its length."""
    assume(not (encoding is Encoding.QUERY and authentication is ClientAuthentication.POST))
    spec = _spec(EVERYWHERE, headers={"X-A": "v {{ password }}"}, encoding=encoding, authentication=authentication)
    values = {"password": Secret(secret)}

    found = preview_request(spec, values, client_id="id", client_secret=Secret(secret))
    other = preview_request(spec, {"password": Secret(secret * 2)}, client_id="id", client_secret=Secret(secret * 2))

    shown = f"{found.url} {found.headers} {found.body}"
    assert [] == [form for form in _forms(secret) if form in shown]
    assert other == found


PLAIN = st.text(alphabet="abcXYZ019-._", min_size=1, max_size=20)


@given(PLAIN, ANY, st.sampled_from(Encoding))
def test_a_preview_is_the_request(secret: str, username: str, encoding: Encoding) -> None:
    """With the markers replaced by plain values, it is what would be sent."""
    params = {"u": "{{ username }}", "p": "{{ password }}", "q": "a b{{ password }}&", "n": 5}
    spec = _spec(params, encoding=encoding, url=f"{URL}?x={{{{ password }}}}", headers={"X-A": "v {{ password }}"})
    values = {"username": username, "password": Secret(secret)}

    preview = preview_request(spec, values, client_id=None, client_secret=None)
    request = _build(spec, values)

    def filled(text: str) -> str:
        return text.replace("‹password›", secret)

    assume("‹" not in username)
    assert request.method == preview.method
    assert request.url == filled(preview.url)
    assert request.headers == tuple((name, filled(value)) for name, value in preview.headers)
    assert request.body.decode() == filled(preview.body)


@given(ANY, ANY)
def test_values_arrive_byte_for_byte(username: str, password: str) -> None:
    """Whatever a password holds, form and JSON carry it unchanged, and nothing is added."""
    values = {"username": username, "password": Secret(password)}
    sent = {"grant_type": "password", "username": username, "password": password}

    assert list(sent.items()) == _form(_build(_spec(), values))
    assert sent == json.loads(_build(_spec(encoding=Encoding.JSON), values).body)
    query = urlsplit(_build(_spec(encoding=Encoding.QUERY), values).url).query
    assert list(sent.items()) == [tuple(map(unquote, pair.split("=", 1))) for pair in query.split("&")]
