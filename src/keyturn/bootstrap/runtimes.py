"""Running it: one process, one port, a graceful end.

Source: the product, "Interfaces that stay as they are"; the renewal design, "A stop"; invariant I15 (within 40 s).
"""

from __future__ import annotations

import asyncio
import gc
import select
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Final

import structlog
import uvicorn

from keyturn.adapters.store.figures.figures import read_figures, tables_fit
from keyturn.bootstrap.assembly import Ports
from keyturn.bootstrap.front import AsgiApp, https_only, make_front
from keyturn.bootstrap.hardening import harden_process
from keyturn.bootstrap.logging import change_level, configure_logging, log_loop_exception
from keyturn.bootstrap.observing.instance import instance_of, setting_answers
from keyturn.bootstrap.observing.log_level import TemporaryLogLevel
from keyturn.bootstrap.observing.metrics import Exposition, Gauges
from keyturn.bootstrap.observing.readiness import make_readiness
from keyturn.bootstrap.observing.tracing import traced_front
from keyturn.bootstrap.settings import Settings, unknown_names
from keyturn.bootstrap.wiring import Wired, wired
from keyturn.core.errors import StoreUnavailable
from keyturn.core.redaction.known import KnownSecrets
from keyturn.core.redaction.redactor import Redactor
from keyturn.engine.actor import Actor
from keyturn.engine.application import Application
from keyturn.web.connect.app import make_connect
from keyturn.web.connect.form_preview import FormPreview
from keyturn.web.console.application import make_console
from keyturn.web.control.application import make_control
from keyturn.web.dataplane.application import DataPlane
from keyturn.web.dataplane.call_counts import CallCounts
from keyturn.web.dataplane.openapi import OPENAPI_PATHS
from keyturn.web.kit.joined_writes import noting
from keyturn.web.kit.refusals import Refusals

STOPS_WITHIN_S: Final = 38.0  # units and charts give 45
CALLS_GET_S: Final = 20.0
REQUESTS_END_WITHIN_S: Final = 35  # a request that waits for a token's answer waits 30 s at most
ACCEPTED_WITHIN_S: Final = 1.0  # what waits in the queue of the port when a stop begins
READ_WITHIN_S: Final = 0.1
DOOR: Final = Actor("proxy")

log = structlog.get_logger("keyturn")


def prepare_process(settings: Settings) -> KnownSecrets:
    """Harden the process and send all logging through the redactor; returns the registry that seeds it."""
    harden_process()
    known = KnownSecrets()
    as_json = settings.log_format == "json" or (settings.log_format == "auto" and not sys.stderr.isatty())
    configure_logging(level=settings.log_level, json=as_json, redactor=Redactor(known), stream=sys.stderr)
    for name, nearest in unknown_names():
        log.warning("unknown_setting", name=name, did_you_mean=nearest)
    return known


def front_of(up: Wired, settings: Settings, refusals: Refusals) -> AsgiApp:
    """All doors of an application, as one ASGI application; `refusals`: where those are written down."""
    application = up.application

    async def reconnect_link(connection_id: str) -> str:
        link = await application.connect_sessions.reconnect_link(connection_id, DOOR)
        return link.url.reveal()

    dataplane = DataPlane(
        application,
        reconnect_link=reconnect_link,
        counts=CallCounts(up.counts.labels, application.call_times.of),
        trusted_proxies=settings.trusted_proxies,
        refusals=refusals,
    )
    database, scheduler = up.stores.database, application.scheduler
    readiness = make_readiness(
        ping=up.stores.ping,
        ask_keys=up.stores.keys.ask,
        tables_fit=partial(tables_fit, database),
        scheduler_idle_s=lambda: scheduler.idle_s,
        set_aside=partial(_all_set_aside, up),
        unstored=lambda: application.renewals.unstored,
        stopping=lambda: application.stopping.begun,
        data=settings.data,
    )
    gauges = Gauges(application, up.counts.labels, settings.data, version("keyturn"))
    log_level = TemporaryLogLevel(settings.log_level, change_level)
    instance = instance_of(settings, log_level, OPENAPI_PATHS)
    front = make_front(
        dataplane,
        make_control(
            application,
            readiness=readiness,
            set_aside=partial(_set_aside, up),
            log_level=log_level,
            metrics=Exposition(partial(read_figures, database), gauges, up.counts, dataplane.counts, (refusals,)),
            refusals=refusals,
            other_paths=OPENAPI_PATHS,
            settings=setting_answers(instance),
        ),
        make_connect(application, settings.brand, settings.trusted_proxies, refusals),
        make_console(
            application,
            version=version("keyturn"),
            instance=instance,
            refusals=refusals,
            trusted_proxies=settings.trusted_proxies,
            connect_form=FormPreview(application.builder.suffixes),
        ),
    )
    front = traced_front(front, up.tracing)
    return https_only(front) if (settings.public_url or "").startswith("https://") else front


async def _set_aside(up: Wired) -> dict[str, int]:
    return asdict(await up.stores.set_aside())


async def _all_set_aside(up: Wired) -> int:
    return sum((await _set_aside(up)).values())


async def serve(
    settings: Settings,
    known: KnownSecrets,
    *,
    on_ready: Callable[[Wired, str], Awaitable[None]] | None = None,
    wrap: Callable[[Ports], Ports] = lambda ports: ports,
) -> None:
    """Serve until a signal comes, then end gracefully.

    Args:
        settings: as read.
        known: the redactor's registry.
        on_ready: called with the application and its address once the port is open.
        wrap: what stands between the engine and the adapters, where somebody wants something there.
    """
    host, port = settings.host_and_port
    sockets = [_listen(host, port)]
    bound = sockets[0].getsockname()[1]
    address = f"http://{f'[{host}]' if ':' in host else host}:{bound}"
    if port == 0 and settings.public_url is None:
        settings = settings.model_copy(update={"public_url": address})
    async with wired(settings, known, wrap) as up:
        if up.new_key_file is not None:
            _say_key_was_made(up.new_key_file)
        refusals = Refusals(settings.trusted_proxies)
        application = up.application
        server = _Server(_config(front_of(up, settings, refusals), refusals), application)
        await application.presence.start()
        application.scheduler.start()
        application.auditing.keeper.start()
        serving = asyncio.create_task(server.serve(sockets=sockets))
        try:
            while not server.started and not serving.done():  # noqa: ASYNC110  (uvicorn has no event for it)
                await asyncio.sleep(0.01)
            # What was made by now lives as long as the process: it is not looked through again at each collection.
            gc.collect()
            gc.freeze()
            log.info("listening", address=address, data=str(settings.data))
            if host in ("0.0.0.0", "::") and settings.public_url is None:  # noqa: S104
                log.warning("no_public_url", note="Set KEYTURN_PUBLIC_URL: links would name an address of no machine.")
            if on_ready is not None and not serving.done():
                await on_ready(up, address)
            await serving
        finally:
            server.stop()
            with suppress(asyncio.CancelledError):
                await serving
            await server.work_ended()
            await _last_writes(application)
            refusals.tell()
            log.info("stopped")


async def _last_writes(application: Application) -> None:
    """What a process leaves behind, all of it at once: where the database is locked, each waits for it."""

    async def times() -> None:
        with suppress(StoreUnavailable):
            await application.call_times.write()

    await asyncio.gather(times(), application.auditing.keeper.stop(), application.presence.stop())


class _Server(uvicorn.Server):
    """uvicorn's, but a signal ends only the serving: what else is under way ends beside it."""

    def __init__(self, config: uvicorn.Config, application: Application) -> None:
        super().__init__(config)
        self._application = application
        self._stopped_at: float | None = None
        self._ending: list[asyncio.Task[None]] = []

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin the stop; a second SIGINT does not wait for requests."""
        again = self._stopped_at is not None
        self.stop()
        if again and sig == signal.SIGINT:
            self.force_exit = True

    def stop(self) -> None:
        """Send nothing to providers any more, close the port, and let what is under way end."""
        self.should_exit = True
        if self._stopped_at is not None:
            return
        application = self._application
        self._stopped_at = asyncio.get_running_loop().time()
        application.stopping.begin()
        for work, name in ((application.scheduler.stop(), "stop scheduler"),
                           (application.calls.end_all(CALLS_GET_S), "end calls")):  # fmt: skip
            self._ending.append(asyncio.create_task(work, name=name))

    async def work_ended(self) -> None:
        """Wait for what was sent, and for it to be stored, within the time of the stop."""
        application = self._application
        began = self._stopped_at if self._stopped_at is not None else asyncio.get_running_loop().time()
        left_s = max(1.0, began + STOPS_WITHIN_S - asyncio.get_running_loop().time())
        scheduler, calls = self._ending
        calls.cancel()
        await asyncio.gather(
            asyncio.wait([scheduler], timeout=left_s),
            application.run_jobs.drain(left_s),
            application.run_deliveries.drain(left_s),
            application.challenges.drain(left_s),
            application.builder.trials.drain(left_s),
            application.renewals.drain(left_s),
            application.connect.drain(left_s),
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept and read what clients sent before the port closes: the kernel would reset it unanswered."""
        waiting = select.poll()
        for each in sockets or ():
            waiting.register(each, select.POLLIN)
        deadline = asyncio.get_running_loop().time() + ACCEPTED_WITHIN_S
        while waiting.poll(0) and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - the kernel's queue
            await asyncio.sleep(0.01)
        await asyncio.sleep(READ_WITHIN_S)
        await super().shutdown(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Begin the end on SIGINT or SIGTERM; a second SIGINT does not wait for requests."""
        loop = asyncio.get_running_loop()
        caught = (signal.SIGINT, signal.SIGTERM)
        for each in caught:
            loop.add_signal_handler(each, self.handle_exit, each, None)
        try:
            yield
        finally:
            for each in caught:
                loop.remove_signal_handler(each)


def _config(app: AsgiApp, refusals: Refusals) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="none",
        http=noting(refusals),
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,  # an API's answer has its own; ours get theirs in `front`
        proxy_headers=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=REQUESTS_END_WITHIN_S,
        h11_max_incomplete_event_size=65_536,
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    listener.listen(2048)
    listener.setblocking(False)
    return listener


def _say_key_was_made(path: Path) -> None:
    log.warning(
        "key_file_made", path=str(path), note="Back this file up, apart from the data: without it nothing opens."
    )


def run(main: Awaitable[None]) -> None:
    """Run a coroutine on the fastest loop there is."""
    import uvloop

    async def body() -> None:
        asyncio.get_running_loop().set_exception_handler(log_loop_exception)
        await main

    uvloop.run(body())
