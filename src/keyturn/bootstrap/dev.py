"""`keyturn dev`: the broker on its embedded default with the example provider beside it, ready to try.

Everything stays on this machine: both listen on loopback, and the provider ends with its parent.
"""

from __future__ import annotations

import asyncio
import importlib.util
import ipaddress
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from keyturn.bootstrap.runtimes import serve
from keyturn.bootstrap.settings import Settings
from keyturn.bootstrap.wiring import Wired
from keyturn.core.access.roles import Role
from keyturn.core.errors import SettingsInvalid
from keyturn.core.redaction.known import KnownSecrets
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.login.connect_sessions import SessionRequest

PROVIDER: Final = "keyturn_example_provider"
CONNECTOR: Final = "acme-example"
CLIENT_ID: Final = "acme-client"
CLIENT_SECRET: Final = "acme-secret-for-trying-out-only"  # the provider's README has it too  # noqa: S105
WRITTEN_PORT: Final = "8801"
DEV_ACTOR: Final = Actor("operator")
LOOPBACK: Final = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))


@dataclass(frozen=True, slots=True)
class Welcome:
    """What somebody who has just started it needs.

    `api_key` is for this run's server, `console` the link that signs in; both are shown once.
    """

    address: str
    provider: str
    link: str
    api_key: str
    console: str


def dev_settings(settings: Settings) -> Settings:
    """The operator's settings with loopback allowed, as the example provider has no TLS."""
    return settings.model_copy(
        update={"insecure_http": True, "egress_allow": (*settings.egress_allow, *LOOPBACK), "log_level": "warning"}
    )


async def run_dev(
    settings: Settings, known: KnownSecrets, provider_port: int, welcome: Callable[[Welcome], None]
) -> None:
    """Start both, publish the example connector, make a link and an API key, and serve until a signal comes.

    Raises:
        SettingsInvalid: the example provider is not installed, or its port is taken.
    """
    async with _provider(provider_port) as provider:

        async def ready(up: Wired, address: str) -> None:
            welcome(await _prepare(up, address, provider))

        await serve(dev_settings(settings), known, on_ready=ready)


async def _prepare(up: Wired, address: str, provider: str) -> Welcome:
    application = up.application
    text = _connector_text().replace(f"127.0.0.1:{WRITTEN_PORT}", provider.removeprefix("http://"))
    await application.edit_connector.save(CONNECTOR, text, DEV_ACTOR)
    await application.edit_connector.publish(CONNECTOR, DEV_ACTOR)
    await application.edit_connector.set_client(CONNECTOR, CLIENT_ID, Secret(CLIENT_SECRET), DEV_ACTOR)
    for key in await application.api_keys.list():
        if key.name == "dev":
            await application.api_keys.revoke(key.id, DEV_ACTOR)
    _, api_key = await application.api_keys.create("dev", ["admin"], DEV_ACTOR)
    request = SessionRequest(CONNECTOR, "you", app_name="keyturn dev", owner_label="you, trying keyturn out")
    link = await application.connect_sessions.create(request, DEV_ACTOR)
    people = application.people
    there = next((each for each in await people.list() if each.name == "dev"), None)
    person = there or await people.create("dev", Role.ADMIN, DEV_ACTOR)
    console, _ = await people.make_link(person.id, DEV_ACTOR)
    return Welcome(address, provider, link.url.reveal(), api_key.reveal(), console.reveal())


def _connector_text() -> str:
    """The example connector: beside the package in a wheel, in `examples/` in a checkout."""
    home = _provider_home()
    for place in (home / f"{CONNECTOR}.yaml", home.parents[1] / "connectors" / f"{CONNECTOR}.yaml"):
        if place.is_file():
            return place.read_text(encoding="utf-8")
    raise SettingsInvalid("The example connector is not installed.")


def _provider_home() -> Path:
    found = importlib.util.find_spec(PROVIDER)
    if found is None or not found.submodule_search_locations:
        raise SettingsInvalid("The example provider is not installed.")
    return Path(found.submodule_search_locations[0])


@asynccontextmanager
async def _provider(port: int) -> AsyncIterator[str]:
    """Run the example provider; gives its address. It ends when our end of its standard input closes."""
    _provider_home()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        PROVIDER,
        "--port",
        str(port),
        "--exit-with-parent",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # a Ctrl-C is for the broker, which ends the provider after itself
    )
    try:
        assert process.stdout is not None
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        if "http://" not in line:
            raise SettingsInvalid(f"The example provider did not start; is port {port} taken?")
        drained = asyncio.create_task(_drain(process.stdout))
        yield line[line.index("http://") :].strip()
        drained.cancel()
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.readline():
        pass
