"""What the operator is told by mail."""

from __future__ import annotations

import contextlib

from keyturn.core.errors import KeyturnError
from keyturn.core.messages import Answer
from tests.engine.jobs.running import run_all
from tests.engine.passing import renew
from tests.engine.story import ACTOR, error, log_in, publish, read
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.mailer import FakeMailer

HOUR = 3600.0
SECRETS = ("canary", "whsec_", "/c/", "access-", "refresh-")


async def lose(world: FakeWorld, *accounts: str) -> list[str]:
    """Connect accounts whose refresh tokens the provider then refuses."""
    ids = []
    for account in accounts:
        connection = (await log_in(world, account=account)).connection
        ids.append(connection.id)
        world.egress.will_reply(error("invalid_grant"))
        with contextlib.suppress(KeyturnError):
            await renew(world, await read(world, connection.id))
    return ids


async def test_one_mail_for_a_connector_and_hour() -> None:
    """It names each connection that still needs its person, what is wrong and what to do; and no secret."""
    mailer = FakeMailer()
    world = make_world(mailer=mailer)
    await run_all(world)
    await publish(world)
    lost = await lose(world, "1", "2", "3")
    await run_all(world)
    early = list(mailer.sent)
    await log_in(world, account="2")
    world.clock.advance(2 * HOUR)
    await run_all(world)
    (mail,) = mailer.sent

    assert [] == early
    assert "keyturn: 2 connections of acme need a person" == mail.subject
    assert [True, False, True] == [each in mail.text for each in lost]
    assert "grant_lost" in mail.text
    assert "keyturn connection reconnect" in mail.text
    assert [] == [each for each in SECRETS if each in mail.text]


async def test_nobody_left_no_mail() -> None:
    """Whoever signed in again meanwhile is not written about."""
    mailer = FakeMailer()
    world = make_world(mailer=mailer)
    await run_all(world)
    await publish(world)
    await lose(world, "1")
    await run_all(world)
    await log_in(world, account="1")
    world.clock.advance(2 * HOUR)
    await run_all(world)

    assert [] == mailer.sent


async def test_a_disabled_webhook_is_told_at_once_and_again_after_a_failure() -> None:
    """A mail server that refuses is asked again."""
    mailer = FakeMailer()
    mailer.failing = 1
    world = make_world(mailer=mailer)
    await run_all(world)
    made, _ = await world.application.webhooks.create("https://app.example/", ["connection.created"], "the app", ACTOR)
    await publish(world)
    await log_in(world)
    world.egress.will_reply(Answer(410))
    await run_all(world)
    refused = list(mailer.sent)
    world.clock.advance(90.0)
    await run_all(world)
    (mail,) = mailer.sent

    assert [] == refused
    assert "keyturn: a webhook was disabled" == mail.subject
    assert f"{made.id} (the app)" in mail.text
    assert "webhook_gone" in mail.text


async def test_without_a_mail_server_nothing_is_queued() -> None:
    """No job waits for a mail that nobody wants."""
    world = make_world()
    await run_all(world)
    await publish(world)
    await lose(world, "1")
    await run_all(world)
    jobs, _ = await world.stores.jobs.list(kind="mail.send")

    assert () == tuple(jobs)
