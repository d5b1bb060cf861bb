"""From what the tables have read to the model, every default resolved.

Rule 1: only a file without a single finding comes here, so nothing is judged any more.
Rule 2: a default that depends on another key stands here; one that doesn't stands in the model's declaration.

Source: the connector format, "Defaults" and "Requests".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from keyturn.core.advice.texts import Links, Notes, Retirement
from keyturn.core.connector import (
    AllowedUrl,
    Before,
    Challenge,
    ClientAuthentication,
    Connector,
    Encoding,
    Expectation,
    Failure,
    Field,
    FieldType,
    Keep,
    Lifetime,
    LoginLimits,
    OnSomeCalls,
    Params,
    PasswordInput,
    PasswordKeep,
    Poll,
    ProviderRequest,
    Refresh,
    RequestParameters,
    ResponseMapping,
    Revoke,
    SessionRules,
    Strategy,
    TestCall,
    Tls,
    Trust,
    UsernameInput,
    When,
)
from keyturn.core.reading.names import Kind, Names
from keyturn.core.reading.secret_placement import LOCKING, RULES, Place, effective_encoding
from keyturn.core.templates import Made, Template

AUTHORIZATION: Final = "Authorization"
BEARER: Final = Template.parse("Bearer {{ access_token }}")
_TOKEN_PARAMS: Final = {
    "grant_type": Template.parse("password"),
    "username": Template.parse("{{ username }}"),
    "password": Template.parse("{{ password }}"),
}
_REFRESH_PARAMS: Final = {
    "grant_type": Template.parse("refresh_token"),
    "refresh_token": Template.parse("{{ refresh_token }}"),
}
_REVOKE_PARAMS: Final = {
    "token": Template.parse("{{ token }}"),
    "token_type_hint": Template.parse("{{ token_type_hint }}"),
}


def build(tree: Mapping[str, Any], names: Names) -> Connector:
    """Make the connector of a tree that the top table has read without a finding."""
    derived: Mapping[str, Made] = tree.get("derive", {})
    tree = _bound(tree, derived)
    client = tree.get("client", {}).get("authentication", ClientAuthentication.BASIC)
    password = PasswordInput(**tree.get("password", {}))
    token = _request(tree["token"], _Defaults(client, params=_TOKEN_PARAMS))
    interactive = "login" in tree
    may_repeat = password.keep is not PasswordKeep.NEVER and not interactive
    test = tree["test"]
    optional = {key: tree[key] for key in _COPIED if key in tree}
    revokes = tuple(_revoke(each, client) for each in tree.get("revoke", ()))
    allowed_urls = tuple(_allowed_url(each) for each in tree["allowed_urls"])
    return Connector(
        id=tree["connector"],
        title=tree["title"],
        trust=Trust(**tree["trust"]) if "trust" in tree else None,
        token=token,
        test=TestCall(
            _request(test, _Defaults(ClientAuthentication.NONE, method="GET")),
            Expectation(frozenset(test.get("expect", {}).get("status", ())), test.get("expect", {}).get("body")),
        ),
        unique_id=tree["unique_id"],
        connection_name=tree.get("connection_name") or default_name(tree["title"], tree["unique_id"]).bound(derived),
        allowed_urls=allowed_urls,
        request=_request_parameters(tree.get("request", {}), allowed_urls, names),
        refresh=_refresh(tree.get("refresh", {}), token, tree["token"], names, may_repeat),
        fields=tuple(_field(each) for each in tree.get("fields", ())),
        username=UsernameInput(**tree.get("username", {})),
        password=password,
        client_authentication=client,
        default_ttl_s=tree["token"].get("default_ttl"),
        revoke=next(iter(revokes), None),
        further_revokes=revokes[1:],
        challenges=tuple(_challenge(each, token, tree["token"]) for each in tree.get("challenges", ())),
        stale_when=_when(tree["stale_when"]) if "stale_when" in tree else When(status=frozenset({401})),
        limits=_limits(tree.get("limits", {})),
        failures=_failures(tree),
        links=Links(**tree.get("links", {})),
        notes=Notes(**tree.get("notes", {})),
        derive=_frozen(derived),
        generate=_frozen(tree.get("generate", {})),
        remember=_frozen(tree.get("remember", {})),
        before=tuple(_before(each, client) for each in tree["token"].get("before", ())),
        interactive=interactive,
        session=SessionRules(**tree["session"]) if "session" in tree else None,
        tls=Tls(**tree["tls"]) if tree.get("tls") else None,
        retires=Retirement(**tree["retires"]) if "retires" in tree else None,
        **optional,
    )


_COPIED: Final = (
    "docs_url", "register_url", "on_duplicate", "private_network", "insecure_http", "client_address_header",
)  # fmt: skip


def default_name(title: str, unique_id: Template) -> Template:
    """The connection's name where the author gives none: the title and the unique id."""
    return Template.parse(f"{title} {unique_id.source}")


@dataclass(frozen=True, slots=True)
class _Defaults:
    """What a request takes where its author says nothing. `inherited`: the token request, which comes first."""

    authentication: ClientAuthentication
    params: Mapping[str, Params] = field(default_factory=dict)
    method: str = "POST"
    inherited: ProviderRequest | None = None


def _request(read: Mapping[str, Any], defaults: _Defaults, given: Mapping[str, Any] | None = None) -> ProviderRequest:
    """Resolve one request; `given`: what its author wrote for the inherited one."""
    over = defaults.inherited
    return ProviderRequest(
        url=read["url"] if "url" in read or over is None else over.url,
        method=str(read.get("method", over.method if over else defaults.method)),
        encoding=_encoding(read, defaults, given),
        headers=_frozen(read.get("headers", over.headers if over else {})),
        params=_frozen(read.get("params", {} if read.get("body") else defaults.params)),
        body=read.get("body"),
        authentication=read.get("authentication", over.authentication if over else defaults.authentication),
        response=_response(read["response"]) if "response" in read else (over.response if over else ResponseMapping()),
        success_when=_optional_when(read, "success_when", over.success_when if over else None),
        rejected_when=_optional_when(read, "rejected_when", over.rejected_when if over else None),
        failures=_failures(read) if "failures" in read or over is None else over.failures,
    )


def _encoding(read: Mapping[str, Any], defaults: _Defaults, given: Mapping[str, Any] | None) -> Encoding:
    if "encoding" not in read and defaults.inherited is not None:
        return defaults.inherited.encoding
    return effective_encoding(read, given, test=defaults.method == "GET")


_LIFETIMES: Final = ("expires", "retry_after", "refresh_expires")


def _response(read: Mapping[str, Any]) -> ResponseMapping:
    plain = {name: where for name, where in read.items() if name not in (*_LIFETIMES, "keep")}
    kept: Mapping[str, Any] = read.get("keep", {})
    lifetimes: dict[str, Any] = {name: _lifetime(read.get(name)) for name in _LIFETIMES}
    return ResponseMapping(
        **plain,
        **lifetimes,
        keep=_frozen({name: each if isinstance(each, str) else each["from"] for name, each in kept.items()}),
        hosts=_frozen({name: each["hosts"] for name, each in kept.items() if not isinstance(each, str)}),
    )


def _lifetime(read: Mapping[str, Any] | None) -> Lifetime | None:
    if read is None:
        return None
    return Lifetime(read["from"], read["unit"]) if "unit" in read else Lifetime(read["from"])


def _when(read: Mapping[str, Any]) -> When:
    header = {name.lower(): pattern for name, pattern in read.get("header", {}).items()}
    return When(frozenset(read.get("status", ())), read.get("body"), _frozen(header))


def _optional_when(read: Mapping[str, Any], key: str, otherwise: When | None) -> When | None:
    return _when(read[key]) if key in read else otherwise


def _failures(read: Mapping[str, Any]) -> tuple[Failure, ...]:
    return tuple(Failure(_when(each["when"]), each["class"], each.get("help", "")) for each in read.get("failures", ()))


def _refresh(
    read: Mapping[str, Any] | str,
    token: ProviderRequest,
    given: Mapping[str, Any],
    names: Names,
    may_repeat: bool,
) -> Refresh:
    """Resolve step 3. `may_repeat`: whether a kept password can log in without the person."""
    honoured = not isinstance(read, str)
    own: Mapping[str, Any] = {} if isinstance(read, str) else read
    if honoured:
        strategy = Strategy.REFRESH_THEN_PASSWORD if may_repeat else Strategy.REFRESH_ONLY
    else:
        strategy = Strategy.PASSWORD_ONLY if may_repeat else Strategy.REFRESH_ONLY
    own = {"headers": _headers_for_refresh(token, names), **own}
    params = {} if "with" in own else _REFRESH_PARAMS
    request = _request(own, _Defaults(token.authentication, params, inherited=token), given)
    further = {name: own[key] for name, key in _OF_REFRESH.items() if key in own}
    return Refresh(request, own.get("strategy", strategy), honoured=honoured, with_token="with" in own, **further)


_OF_REFRESH: Final = {
    "rotation": "rotation", "leeway_s": "leeway", "lifetime_s": "lifetime", "keep_alive": "keep_alive",
    "last_resort": "last_resort",
}  # fmt: skip


def _headers_for_refresh(token: ProviderRequest, names: Names) -> dict[str, Template]:
    """Take over the token request's headers but those with a value that only a login has, such as the password."""
    return {name: value for name, value in token.headers.items() if usable_in_refresh(value, names)}


def usable_in_refresh(template: Template, names: Names) -> bool:
    """Whether a renewal without the person has every value that a template names."""
    kinds = [names.kind_of(leaf) for path in template.names() for leaf in names.leaves(path)]
    return all(kind is not None and Place.REFRESH in RULES[kind].places for kind in kinds)


def _revoke(read: Mapping[str, Any], client: ClientAuthentication) -> Revoke:
    further = {key: read[key] for key in ("tokens", "on_replace") if key in read}
    return Revoke(_request(read, _Defaults(client, _REVOKE_PARAMS)), **further)


def _before(read: Mapping[str, Any], client: ClientAuthentication) -> Before:
    return Before(
        read["name"],
        _request(read, _Defaults(client)),
        _frozen(read.get("capture", {})),
        _frozen(read.get("when", {})),
    )


def _challenge(read: Mapping[str, Any], token: ProviderRequest, given: Mapping[str, Any]) -> Challenge:
    then = read.get("then", {})
    lifetime = read.get("lifetime")
    return Challenge(
        when=_when(read["when"]),
        ask=tuple(_field(each, asked=True) for each in read.get("ask", ())),
        capture=_frozen(read.get("capture", {})),
        then=_following(read, "then", token, given),
        poll=_poll(then["poll"]) if "poll" in then else None,
        answers_challenge="answers" in then,
        lifetime=_lifetime(lifetime) if isinstance(lifetime, Mapping) else lifetime,
        resend=_following(read, "resend", token, given),
    )


def _following(
    read: Mapping[str, Any], key: str, token: ProviderRequest, given: Mapping[str, Any]
) -> ProviderRequest | None:
    """A challenge's `then` or `resend`, which takes what it doesn't say from `token`."""
    if key not in read:
        return None
    own = dict(read[key])
    extra = own.pop("extra_params", {})
    own["params"] = {**own.get("params", token.params), **extra}
    if effective_encoding(own, given) in (Encoding.XML, Encoding.TEXT):
        own = {"body": token.body, **own}
    return _request(own, _Defaults(token.authentication, inherited=token), given)


def _poll(read: Mapping[str, Any]) -> Poll:
    further = {name: read[key] for name, key in (("every_s", "every"), ("for_s", "for")) if key in read}
    return Poll(read["while"], **further)


def _field(read: Mapping[str, Any], *, asked: bool = False) -> Field:
    kind = read.get("type", FieldType.TEXT)
    keep = Keep.SEALED if kind in (FieldType.SECRET, FieldType.TOTP_SEED) else Keep.PLAIN
    if asked or kind is FieldType.OTP:
        keep = Keep.NEVER
    mappings = {key: _frozen(read.get(key, {})) for key in ("choices", "visible_when")}
    return Field(**{"keep": keep, "required": kind is not FieldType.TOTP_SEED, **read, **mappings})


def _limits(read: Mapping[str, Any]) -> LoginLimits:
    names = {"logins": "logins", "per": "per_s", "renewals_at_once": "renewals_at_once"}
    return LoginLimits(**{name: read[key] for key, name in names.items() if key in read})


def _allowed_url(read: Template | Mapping[str, Any]) -> AllowedUrl:
    if isinstance(read, Template):
        return AllowedUrl(read)
    return AllowedUrl(read["url"], _words(read, "methods"), read.get("deny", False))


def _words(read: Mapping[str, Any], key: str) -> frozenset[str]:
    return frozenset(str(each) for each in read.get(key, ()))


def _on_some_calls(read: Mapping[str, Any]) -> OnSomeCalls:
    put_on = {key: _frozen(read.get(key, {})) for key in ("headers", "query", "body")}
    return OnSomeCalls(_words(read, "methods"), tuple(read.get("paths", ())), **put_on)


def _request_parameters(
    read: Mapping[str, Any], allowed_urls: tuple[AllowedUrl, ...], names: Names
) -> RequestParameters:
    headers, query, body = dict(read.get("headers", {})), read.get("query", {}), read.get("body", {})
    written = [*headers.values(), *query.values()]
    carries = any(_kinds(each, names) & _CARRIERS for each in written)
    if not carries and AUTHORIZATION.lower() not in {name.lower() for name in headers}:
        headers[AUTHORIZATION] = BEARER
    locked = {name.lower() for name in read.get("locked", ())}
    only = tuple(_on_some_calls(each) for each in read.get("only", ()))
    parts = (headers, query, body, *(part for each in only for part in (each.headers, each.query, each.body)))
    for name, value in (pair for part in parts for pair in part.items()):
        if any(_kinds(each, names) & LOCKING for each in templates_in(value)):
            locked.add(name.lower())
    return RequestParameters(
        base_url=read.get("base_url") or next(each.url for each in allowed_urls if not each.deny),
        headers=_frozen(headers),
        query=_frozen(query),
        body=_frozen(body),
        locked=frozenset(locked),
        only=only,
        encoded_slashes="encoded_slashes" in read,
    )


# With one of these in a header or query the author has said how the token travels.
_CARRIERS: Final = frozenset({Kind.ACCESS_TOKEN, Kind.KEPT, Kind.KEPT_TOKEN})


def _kinds(template: Template, names: Names) -> frozenset[Kind | None]:
    return frozenset(names.kind_of(path) for path in template.names())


def templates_in(value: Params) -> list[Template]:
    """Every template of a parameter, however deep."""
    waiting: list[Params] = [value]
    found: list[Template] = []
    while waiting:
        one = waiting.pop()
        if isinstance(one, Template):
            found.append(one)
        elif isinstance(one, Mapping):
            waiting.extend(one.values())
        elif isinstance(one, tuple):
            waiting.extend(one)
    return found


def _bound(value: Any, derived: Mapping[str, Made]) -> Any:
    """Tie every template of a tree to how the derived values in it are made."""
    if not derived or isinstance(value, str):
        return value
    if isinstance(value, Template):
        return value.bound(derived)
    if isinstance(value, Mapping):
        return {name: _bound(each, derived) for name, each in value.items()}
    return tuple(_bound(each, derived) for each in value) if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    """Make mappings read-only, all the way down."""
    if isinstance(value, Mapping):
        return MappingProxyType({name: _frozen(each) for name, each in value.items()})
    return value if not isinstance(value, tuple) else tuple(_frozen(each) for each in value)
