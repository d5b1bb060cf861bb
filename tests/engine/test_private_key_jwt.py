"""private_key_jwt from the file to the request: login, renewal and revocation are signed, and the key goes nowhere."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import parse_qs

import pytest

from keyturn.core.errors import ConnectorClientMissing, ValidationFailed
from keyturn.core.secret import Secret
from tests.adapters.signing.test_client_assertions import P256, pem
from tests.core.connector_files import changed, faults
from tests.engine.passing import in_time, renew
from tests.engine.story import ACTOR, log_in, publish, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

MORE = "client: {authentication: private_key_jwt}"
KEY = Secret(pem(P256))


def assertions(world: FakeWorld) -> list[dict[str, Any]]:
    """The claims of what was signed, request by request."""
    found = []
    for request in world.egress.requests:
        sent = parse_qs(request.body.decode())
        if "client_assertion" in sent:
            claims = sent["client_assertion"][0].split(".")[1]
            found.append(json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))))
            assert ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"] == sent["client_assertion_type"]
    return found


async def test_each_request_has_a_proof_of_its_own() -> None:
    """For the token endpoint, also where it goes elsewhere; no two alike, and never the key."""
    world = make_world()
    await publish(world, more=MORE)
    await world.application.edit_connector.set_client("acme", "app", KEY, ACTOR)
    connection = (await log_in(world)).connection
    world.egress.will_reply(token(2, at=world.clock.now()), json_answer("{}"), json_answer("{}"))
    await renew(world, connection)
    await in_time(world, world.application.disconnect(connection.id, ACTOR))
    found = assertions(world)

    assert 4 == len(found)
    assert {"https://auth.acme.example/token"} == {each["aud"] for each in found}
    assert 4 == len({each["jti"] for each in found})
    assert not any(
        b"PRIVATE" in each.body or "Authorization" in dict(each.headers)
        for each in world.egress.requests
        if "/me" not in each.url
    )


async def test_a_secret_that_is_no_key() -> None:
    """Refused when it is set; where it was set before, the login says so and nothing is sent."""
    world = make_world()
    await publish(world, more=MORE)
    with pytest.raises(ValidationFailed) as refused:
        await world.application.edit_connector.set_client("acme", "app", Secret("canary"), ACTOR)
    with pytest.raises(ConnectorClientMissing):
        await log_in(world)

    assert ["/client_secret"] == [each.pointer for each in refused.value.errors]
    assert [] == world.egress.requests


WAY = ("client", {"authentication": "private_key_jwt"})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param([], [], id="right"),
        pytest.param([("refresh", {"authentication": "none"})], [], id="none for one request"),
        pytest.param([("refresh", {"authentication": "post"})], [("/refresh", "contradiction")], id="as secret"),
        pytest.param([("token.encoding", "query")], [("/token", "secret_in_url")], id="query"),
        pytest.param(
            [("token.params", {"s": "{{ client_secret }}"})],
            [("/token/params/s", "secret_not_allowed_here")],
            id="the key as a parameter",
        ),
        pytest.param(
            [("token.headers", {"X-S": "{{ username | hmac_sha256(client_secret) }}"})],
            [("/token/headers/X-S", "secret_not_allowed_here")],
            id="the key to hash with",
        ),
        pytest.param([("tls", {"client_certificate": "{{ client_secret }}"})], [], id="the key for TLS"),
    ],
)  # fmt: skip
def test_the_key_stands_in_no_request(changes: list[tuple[str, Any]], expected: list[tuple[str, str]]) -> None:
    """What is a private key is not sent as a secret."""
    assert expected == faults(changed(WAY, *changes))
