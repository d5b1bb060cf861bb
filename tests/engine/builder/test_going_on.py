"""A trial that waits for a mended text after its login, and goes on without another one."""

from __future__ import annotations

import asyncio
import gc
import re

import pytest

from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.connector import Connector
from keyturn.core.errors import TrialNotHeld, ValidationFailed
from keyturn.core.format.writing import digest
from keyturn.core.messages import Answer
from keyturn.core.reading import read_connector
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.builder.trial_trace import Phase, TrialRun
from keyturn.engine.builder.typed import Typed
from tests.engine.builder.test_trials import AUTHOR, TYPED, done, ended, marks
from tests.engine.builder.texts import parsed, text
from tests.engine.story import actions, error, me, publish, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

BAD_ID = "{{ test.uid }}"


async def held(world: FakeWorld) -> TrialRun:
    """A trial that stopped at step 8, its tokens held."""
    await publish(world)
    world.egress.will_reply(token(1, at=world.clock.now()), me())
    tried = parsed(id=BAD_ID)
    run = await ended(world, await world.application.builder.trials.begin(tried, TYPED, AUTHOR, hold=True))
    assert Phase.HELD is run.phase
    return run


async def test_it_goes_on_from_the_step_that_failed() -> None:
    """Neither login nor test is repeated, and what passed in the end is the mended text."""
    world = make_world()
    run = await held(world)
    sent = len(world.egress.requests)
    world.egress.will_reply(json_answer("{}"), token(2, at=world.clock.now()), *[done() for _ in range(4)])
    mended = parsed()
    await world.application.builder.trials.go_on(run.id, mended, AUTHOR)
    await ended(world, run)

    assert [(2, "ok"), (5, "ok"), (6, "ok"), (8, "ok"), (9, "ok"), (3, "ok")] == marks(run)[:6]
    assert (True, digest(mended)) == (run.passed, run.digest)
    assert 1 == sum(b"password=" in each.body for each in world.egress.requests)
    assert "https://api.acme.example" in world.egress.requests[sent].url
    assert 1 == sum(each == ("connector.tried", "ok") for each in actions(world))
    assert await world.application.builder.trials.passed("acme", digest(mended))
    assert not await world.application.builder.trials.passed("acme", digest(parsed(id=BAD_ID)))


@pytest.mark.parametrize(
    ("changed", "answers", "begins"),
    [
        pytest.param({"id": "{{ test.nobody }}"}, [], 8, id="the id, which was well"),
        pytest.param(
            {"more": "test: {url: 'https://api.acme.example/other'}"}, [json_answer("{}", 404)], 5, id="the test"
        ),
    ],
)
async def test_what_was_well_and_is_changed_is_taken_again(
    changed: dict[str, str], answers: list[Answer], begins: int
) -> None:
    """A text of which not all was shown to work does not pass, wherever the first one failed."""
    world = make_world()
    await publish(world)
    trials = world.application.builder.trials
    world.egress.will_reply(token(1, at=world.clock.now()), me(), json_answer("{}"), error("invalid_grant"))
    run = await ended(world, await trials.begin(parsed(), TYPED, AUTHOR, hold=True))
    assert (Phase.HELD, 3) == (run.phase, run.failed.step if run.failed else 0)
    world.egress.will_reply(*answers)
    mended = _with_test(changed.pop("more")) if "more" in changed else parsed(**changed)
    await trials.go_on(run.id, mended, AUTHOR)
    await ended(world, run)

    assert (Phase.HELD, begins) == (run.phase, run.failed.step if run.failed else 0)
    world.egress.will_reply(done(), done())
    trials.end(run.id, AUTHOR)
    await _over(run)
    assert not await trials.passed("acme", digest(mended))


def _with_test(test: str) -> Connector:
    source = re.sub(r"^test:.*$", test, text(), flags=re.MULTILINE)
    return read_connector(read_document(source), suffixes=load_public_suffixes())


async def test_a_test_is_made_again_with_its_new_url() -> None:
    """From step 5 on: the token goes where the mended text says."""
    world = make_world()
    await publish(world)
    world.egress.will_reply(token(1, at=world.clock.now()), json_answer("{}", 404))
    trials = world.application.builder.trials
    run = await ended(world, await trials.begin(parsed(), TYPED, AUTHOR, hold=True))
    world.egress.will_reply(me(), json_answer("{}"), token(2, at=world.clock.now()), *[done() for _ in range(4)])
    first = [run.phase, run.not_reached]
    await trials.go_on(run.id, parsed(more='connection_name: "{{ test.name }}"'), AUTHOR)
    await ended(world, run)

    assert [Phase.HELD, (6, 8, 9, 3, 4)] == first
    assert (True, "Jo") == (run.passed, run.name)
    assert () == run.not_reached


async def test_the_password_is_gone_while_it_waits() -> None:
    """Nothing that the process holds for the trial has it, its username or the code that was typed."""
    world = make_world()
    await publish(world)
    password = Secret("another-password-canary")
    world.egress.will_reply(token(1, at=world.clock.now()), me())
    trials = world.application.builder.trials
    run = await ended(world, await trials.begin(parsed(id=BAD_ID), Typed("jo-canary", password, {}), AUTHOR, hold=True))
    del password
    gc.collect()
    alive = [each for each in gc.get_objects() if isinstance(each, Secret)]

    assert Phase.HELD is run.phase
    assert [] == [each for each in alive if "another-password-canary" in each.reveal()]
    trials.end(run.id, AUTHOR)
    await _over(run)


@pytest.mark.parametrize("how", ["press", "time", "another", "drain"])
async def test_ended_or_left_alone_it_revokes(how: str) -> None:
    """By a press, when its time is up, when another trial begins and when the process ends."""
    world = make_world()
    run = await (_short(world) if how == "time" else held(world))
    trials = world.application.builder.trials
    world.egress.will_reply(*[error("invalid_grant")] * (how == "another"), done(), done())
    if how == "press":
        trials.end(run.id, AUTHOR)
    elif how == "another":
        await trials.begin(parsed(), TYPED, AUTHOR)
    elif how == "drain":
        await trials.drain(1.0)
    await _over(run)
    revoked = [each.body for each in world.egress.requests if each.url.endswith("/revoke")]

    assert 2 == len(revoked)
    with pytest.raises(TrialNotHeld):
        await trials.go_on(run.id, parsed(), AUTHOR)


async def _short(world: FakeWorld) -> TrialRun:
    """One whose token has ended by the time that it would wait."""
    await publish(world)
    world.egress.will_reply(token(1, expires_in=1), me())
    return await world.application.builder.trials.begin(parsed(id=BAD_ID), TYPED, AUTHOR, hold=True)


async def _over(run: TrialRun) -> None:
    for _ in range(400):
        if run.phase is Phase.ENDED:
            return
        await asyncio.sleep(0)
    raise AssertionError(run.rows)


@pytest.mark.parametrize(
    "parts",
    [
        pytest.param({"url": "https://login.acme.example"}, id="another token URL"),
        pytest.param({"token": ", encoding: json"}, id="another way to send the password"),
        pytest.param({"refresh": 'url: "https://evil.example/token"'}, id="another host gets the refresh token"),
        pytest.param({"more": "insecure_http: true"}, id="less safe"),
        pytest.param({"more": 'request: {base_url: "https://evil.example/api"}'}, id="another domain gets the token"),
    ],
)
async def test_another_login_is_tried_from_the_beginning(parts: dict[str, str]) -> None:
    """A token goes to no host that the text which brought it did not name; it waits on, and nothing is sent."""
    world = make_world()
    run = await held(world)
    sent = len(world.egress.requests)
    with pytest.raises(ValidationFailed) as caught:
        await world.application.builder.trials.go_on(run.id, parsed(**parts), AUTHOR)
    with pytest.raises(Exception, match="no such trial"):
        await world.application.builder.trials.go_on(run.id, parsed(), Actor("person:other"))

    assert ["/source"] == [each.pointer for each in caught.value.errors]
    assert (Phase.HELD, sent) == (run.phase, len(world.egress.requests))
    world.egress.will_reply(done(), done())
    world.application.builder.trials.end(run.id, AUTHOR)
    await _over(run)


async def test_unasked_nothing_is_held() -> None:
    """Who did not ask for it gets the tokens revoked at once, as ever."""
    world = make_world()
    await publish(world)
    world.egress.will_reply(token(1), me(), done(), done())
    run = await world.application.builder.trials.begin(parsed(id=BAD_ID), TYPED, AUTHOR)
    await _over(run)

    assert (9, 3) == run.not_reached
    assert 4 == run.rows[-1].step


async def test_a_mistyped_host_of_the_same_domain_is_mended() -> None:
    """Where the API is, the author may have got wrong; the domain is that of the people who got the password."""
    world = make_world()
    await publish(world)
    world.egress.will_reply(token(1, at=world.clock.now()), json_answer("{}", 404))
    trials = world.application.builder.trials
    run = await ended(world, await trials.begin(parsed(), TYPED, AUTHOR, hold=True))
    world.egress.will_reply(me(), json_answer("{}"), token(2, at=world.clock.now()), *[done()] * 4)
    source = text(refresh='url: "https://auth.acme.example/renew"').replace("api.acme", "rest.acme")
    await trials.go_on(run.id, read_connector(read_document(source), suffixes=load_public_suffixes()), AUTHOR)
    await ended(world, run)

    assert run.passed, run.rows
    sent = [each.url for each in world.egress.requests]
    assert {"https://rest.acme.example/me", "https://auth.acme.example/renew"} <= set(sent)
