"""A connector → its canonical form: a mapping with every default written out, and the digest of it.

Rule 1: what is written reads back to an equal connector, so a published version keeps its meaning even where a later
release has other defaults.
Rule 2: what is absent in the model (no revocation, no condition) is absent here; order has no meaning but in lists.

Source: the connector format, "Reading, linting, versions".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from keyturn.core.connector import (
    FORMAT_VERSION,
    AllowedUrl,
    Before,
    Challenge,
    Connector,
    Failure,
    Field,
    FieldType,
    Lifetime,
    LoginLimits,
    OnSomeCalls,
    Params,
    Poll,
    ProviderRequest,
    Refresh,
    RequestParameters,
    ResponseMapping,
    Revoke,
    SessionRules,
    TestCall,
    Tls,
    When,
)
from keyturn.core.templates import Made, Template


def dump_connector(connector: Connector) -> dict[str, Any]:
    """Write a connector as the plain mapping that a file holds, with every default."""
    written: dict[str, Any] = {
        "keyturn": FORMAT_VERSION,
        "connector": connector.id,
        "title": connector.title,
        "docs_url": connector.docs_url,
        "register_url": connector.register_url,
        "trust": _plain(connector.trust) if connector.trust else None,
        "fields": [_field(each) for each in connector.fields],
        "username": _plain(connector.username),
        "password": _plain(connector.password),
        "login": "interactive" if connector.interactive else None,
        "derive": {name: _made(each) for name, each in connector.derive.items()} or None,
        "generate": {name: how.value for name, how in connector.generate.items()} or None,
        "remember": dict(connector.remember) or None,
        "client": {"authentication": connector.client_authentication.value},
        "token": _token(connector),
        "refresh": _refresh(connector.refresh),
        "revoke": _revokes(connector.revokes),
        "test": _test(connector.test),
        "connection_name": connector.connection_name.source,
        "allowed_urls": [_allowed_url(each) for each in connector.allowed_urls],
        "unique_id": connector.unique_id.source,
        "on_duplicate": connector.on_duplicate.value,
        "request": _parameters(connector.request),
        "challenges": [_challenge(each) for each in connector.challenges],
        "failures": _failures(connector.failures),
        "stale_when": _when(connector.stale_when),
        "limits": _limits(connector.limits),
        "session": _session(connector.session) if connector.session else None,
        "links": _plain(connector.links),
        "notes": _plain(connector.notes),
        "retires": _plain(connector.retires) if connector.retires else None,
        "client_address_header": connector.client_address_header,
        "private_network": connector.private_network,
        "insecure_http": connector.insecure_http,
        "tls": _tls(connector.tls) if connector.tls else None,
    }
    return _present(**written)


def _limits(limits: LoginLimits) -> dict[str, Any]:
    """Leave out what is as it was before the key was there: the digest of a version stays."""
    written: dict[str, Any] = {"logins": limits.logins, "per": _seconds(limits.per_s)}
    if limits.renewals_at_once != LoginLimits().renewals_at_once:
        written["renewals_at_once"] = limits.renewals_at_once
    return written


def digest(connector: Connector) -> str:
    """Name a connector by its meaning: the SHA-256 of its canonical form, in hex."""
    text = json.dumps(dump_connector(connector), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _present(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _plain(record: Any) -> dict[str, Any]:
    """Write a record whose members are texts and words."""
    values = {name: getattr(record, name) for name in record.__slots__}
    return _present(**{name: value if value is None else str(value) for name, value in values.items()})


def _seconds(value: float | None) -> float | int | None:
    """Write whole seconds without a fraction, so that equal spans have one spelling."""
    return int(value) if value is not None and value.is_integer() else value


def _field(field: Field) -> dict[str, Any]:
    return _present(
        key=field.key,
        label=field.label,
        type=field.type.value,
        help=field.help,
        choices=dict(field.choices) if field.type is FieldType.CHOICE and field.choices_from is None else None,
        choices_from=field.choices_from,
        default=field.default,
        required=field.required,
        keep=field.keep.value,
        pattern=field.pattern,
        min_length=field.min_length,
        max_length=field.max_length,
        hosts=list(field.hosts) or None,
        self_hosted=field.self_hosted if field.type is FieldType.HOST else None,
        visible_when={key: list(values) for key, values in field.visible_when.items()} or None,
    )


def _when(when: When) -> dict[str, Any]:
    return _present(
        status=sorted(when.status) or None, body=when.body, header=dict(sorted(when.header.items())) or None
    )


def _failures(failures: tuple[Failure, ...]) -> list[dict[str, Any]]:
    return [
        {"when": _when(each.when), "class": each.failure_class.value} | _present(help=each.help or None)
        for each in failures
    ]


def _lifetime(lifetime: Lifetime | None) -> dict[str, Any] | None:
    return None if lifetime is None else {"from": lifetime.source, "unit": lifetime.unit.value}


def _response(response: ResponseMapping) -> dict[str, Any]:
    return _present(
        access_token=response.access_token,
        refresh_token=response.refresh_token,
        token_type=response.token_type,
        scope=response.scope,
        error=response.error,
        expires=_lifetime(response.expires),
        retry_after=_lifetime(response.retry_after),
        refresh_expires=_lifetime(response.refresh_expires),
        keep={name: _kept(where, response.hosts.get(name)) for name, where in response.keep.items()},
    )


def _kept(where: str, hosts: tuple[str, ...] | None) -> dict[str, Any] | str:
    return where if hosts is None else {"from": where, "hosts": list(hosts)}


def _tree(value: Params) -> Any:
    if isinstance(value, Template):
        return value.source
    if isinstance(value, Mapping):
        return {name: _tree(each) for name, each in value.items()}
    return [_tree(each) for each in value] if isinstance(value, tuple) else value


def _made(made: Made) -> dict[str, Any] | str:
    if len(made.parts) == 1 and not made.filters:
        return made.parts[0].source
    return {"join": [each.source for each in made.parts], "filters": [str(each) for each in made.filters]}


def _request(request: ProviderRequest) -> dict[str, Any]:
    return _present(
        url=request.url.source,
        method=request.method,
        encoding=request.encoding.value,
        headers={name: value.source for name, value in request.headers.items()},
        params=_tree(request.params),
        body=request.body.source if request.body else None,
        authentication=request.authentication.value,
        response=_response(request.response),
        success_when=_when(request.success_when) if request.success_when else None,
        rejected_when=_when(request.rejected_when) if request.rejected_when else None,
        failures=_failures(request.failures),
    )


def _token(connector: Connector) -> dict[str, Any]:
    return _request(connector.token) | _present(
        default_ttl=_seconds(connector.default_ttl_s), before=[_before(each) for each in connector.before] or None
    )


def _before(before: Before) -> dict[str, Any]:
    when = {key: list(values) for key, values in before.when.items()} or None
    return _present(name=before.name, capture=dict(before.capture) or None, when=when) | _request(before.request)


def _refresh(refresh: Refresh) -> dict[str, Any] | str:
    if not refresh.honoured:
        return "none"
    own: dict[str, Any] = {"strategy": refresh.strategy.value, "rotation": refresh.rotation.value}
    own |= _present(
        leeway=_seconds(refresh.leeway_s),
        lifetime=_seconds(refresh.lifetime_s),
        keep_alive=refresh.keep_alive or None,
        last_resort=refresh.last_resort or None,
    )
    return own | ({"with": "token"} if refresh.with_token else {}) | _request(refresh.request)


def _tls(tls: Tls) -> dict[str, Any]:
    return _present(
        ca=tls.ca.source if tls.ca else None,
        client_certificate=tls.client_certificate.source if tls.client_certificate else None,
    )


def _session(session: SessionRules) -> dict[str, Any]:
    return _present(logout_first=session.logout_first, limit=session.limit)


def _revokes(revokes: tuple[Revoke, ...]) -> list[dict[str, Any]] | dict[str, Any] | None:
    written = [_revoke(each) for each in revokes]
    return written if len(written) > 1 else next(iter(written), None)


def _revoke(revoke: Revoke) -> dict[str, Any]:
    tokens = [each.value for each in revoke.tokens]
    return {"tokens": tokens, "on_replace": revoke.on_replace} | _request(revoke.request)


def _test(test: TestCall) -> dict[str, Any]:
    expect = _present(status=sorted(test.expect.status) or None, body=test.expect.body)
    return _request(test.request) | {"expect": expect}


def _allowed_url(allowed: AllowedUrl) -> dict[str, Any] | str:
    if not allowed.methods and not allowed.deny:
        return allowed.url.source
    return _present(url=allowed.url.source, methods=sorted(allowed.methods) or None, deny=allowed.deny or None)


def _on_some_calls(some: OnSomeCalls) -> dict[str, Any]:
    return _present(
        methods=sorted(some.methods) or None,
        paths=list(some.paths) or None,
        headers={name: value.source for name, value in some.headers.items()} or None,
        query={name: value.source for name, value in some.query.items()} or None,
        body=_tree(some.body) or None,
    )


def _parameters(request: RequestParameters) -> dict[str, Any]:
    return {
        "base_url": request.base_url.source,
        "headers": {name: value.source for name, value in request.headers.items()},
        "query": {name: value.source for name, value in request.query.items()},
        "body": _tree(request.body),
        "locked": sorted(request.locked),
    } | _present(
        only=[_on_some_calls(each) for each in request.only] or None,
        encoded_slashes="allow" if request.encoded_slashes else None,
    )


def _challenge(challenge: Challenge) -> dict[str, Any]:
    lifetime = challenge.lifetime
    return _present(
        when=_when(challenge.when),
        ask=[_field(each) for each in challenge.ask],
        capture=dict(challenge.capture),
        then=_then(challenge.then, challenge) if challenge.then else None,
        resend=_request(challenge.resend) if challenge.resend else None,
        lifetime=_lifetime(lifetime) if isinstance(lifetime, Lifetime) else _seconds(lifetime),
    )


def _then(then: ProviderRequest, challenge: Challenge) -> dict[str, Any]:
    return _request(then) | _present(
        poll=_poll(challenge.poll) if challenge.poll else None,
        answers="challenge" if challenge.answers_challenge else None,
    )


def _poll(poll: Poll) -> dict[str, Any]:
    return {"every": _seconds(poll.every_s), "for": _seconds(poll.for_s), "while": poll.pending}
