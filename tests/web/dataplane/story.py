"""A data plane over fakes, with one connected account."""

from __future__ import annotations

from dataclasses import dataclass

from keyturn.web.dataplane.application import DataPlane
from tests.engine.story import log_in, publish, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import SentUpstream, UpstreamReply

OK = UpstreamReply(200, ((b"content-type", b"application/json"), (b"content-length", b"2")), (b"{}",))
REFUSED = UpstreamReply(401, ((b"content-length", b"2"),), (b"no",))


@dataclass
class Story:
    """The data plane, the world under it, and the path of its connection."""

    app: DataPlane
    world: FakeWorld
    connection_id: str

    @property
    def path(self) -> str:
        """The proxy's path of the connection, without a slash at its end."""
        return f"/v1/proxy/{self.connection_id}"

    @property
    def sent(self) -> list[SentUpstream]:
        """What went out to the API."""
        return self.world.upstream.sent


async def begin(*, world: FakeWorld | None = None, expires_in: int | None = 3600, **parts: str) -> Story:
    """Connect an account of the test connector, with parts of it replaced."""
    world = world or make_world()
    await publish(world, **parts)
    connected = await log_in(world, token(at=world.clock.now(), expires_in=expires_in))
    return Story(DataPlane(world.application), world, connected.connection.id)
