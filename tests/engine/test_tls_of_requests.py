"""Every way out of a connection has its TLS identity: login, test, calls, revocation."""

from __future__ import annotations

from keyturn.core.secret import Secret
from tests.core.reading_strategies import PEM
from tests.engine.passing import in_time
from tests.engine.story import ACTOR, log_in, publish
from tests.fakes.application import make_world
from tests.fakes.egress import json_answer


async def test_each_request_goes_by_the_same_identity() -> None:
    """Also one that is sent when the connection's own values are gone: they are kept with what is to be revoked."""
    world = make_world()
    tls = f"tls: {{ca: {PEM!r}, client_certificate: '{{{{ client_secret }}}}'}}".replace("'", '"')
    await publish(world, more=tls)
    connection = (await log_in(world)).connection
    route = await world.application.calls.route(connection.id, ACTOR)
    world.egress.will_reply(json_answer("{}"), json_answer("{}"))
    await in_time(world, world.application.disconnect(connection.id, ACTOR))
    identities = [each.tls for each in world.egress.requests]

    assert [route.policy.tls] * 4 == identities
    assert route.policy.tls is not None
    assert (PEM, Secret("client-secret-canary")) == (route.policy.tls.ca, route.policy.tls.client_certificate)
