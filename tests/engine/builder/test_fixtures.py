"""Recordings of trials: nobody's value is in them, and they mean what they meant, until the connector changes."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from keyturn.core.building.fixtures import check_fixture
from keyturn.core.errors import NotFound
from keyturn.core.messages import Answer
from tests.engine.builder.test_trials import AUTHOR, MFA, begin, done, ended
from tests.engine.story import connector_from, error, publish
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

PARTS: dict[str, Any] = {
    "token": ", response: {keep: {plan: account.plan}}",
    "more": f'connection_name: "{{{{ test.name }}}}"\n{MFA}',
}
CLAIMS = base64.urlsafe_b64encode(b'{"exp": 4102444800, "sub": "person-canary"}').decode().rstrip("=")
JWT = f"eyJhbGciOiJub25lIn0.{CLAIMS}.signature-canary"


@pytest.fixture(name="world")
async def _world() -> FakeWorld:
    world = make_world()
    await publish(world)
    return world


def answers() -> tuple[Answer, ...]:
    """A login with a code: personal values wherever an answer may have them."""
    token = {
        "access_token": JWT,
        "refresh_token": "refresh-canary",
        "account": {"plan": "plan-canary"},
        "expires_in": 60,
    }
    me = {"id": 4711, "name": "Jo Canary", "mail": "jo@canary.example", "teams": {"jo@canary.example": ["team-canary"]},
          "members": {"jocanary": {"since": 2020}}}  # fmt: skip
    challenge = json_answer('{"error": "mfa_required", "mfa_token": "mfa-canary"}', 403)
    first, second = json_answer(json.dumps(token)), json_answer(json.dumps(token | {"refresh_token": "other-canary"}))
    return challenge, first, json_answer(json.dumps(me)), json_answer("{}", 404), second, done(), done(), done(), done()


async def test_a_recording_has_nobodys_values_and_means_the_same(world: FakeWorld) -> None:
    """Each exchange is there with what it means; no text of the provider's or the person's is."""
    run = await ended(world, await begin(world, *answers(), **PARTS))
    with pytest.raises(NotFound):
        world.application.builder.trials.fixture(run.id, AUTHOR)
    world.application.builder.trials.answer(run.id, {"code": "123456"}, AUTHOR)
    await ended(world, run)
    fixture = world.application.builder.trials.fixture(run.id, AUTHOR)
    text = json.dumps(fixture)

    assert run.passed, run.rows
    canaries = ("canary", "4711", "123456", "Jo ", JWT, CLAIMS)
    assert [] == [each for each in canaries if each in text]
    requests = ["token", "challenge/0", "test", "refresh", "revoke/0", "revoke/0"]
    assert requests == [each["request"] for each in fixture["exchanges"]]
    assert [] == fixture["left_off"]
    has = ["access_token", "lifetime", "refresh_token", "token.plan"]
    assert {"outcome": "token", "has": has} == fixture["exchanges"][1]["means"]
    assert {"outcome": "challenge", "challenge": 0, "has": ["mfa_token"]} == fixture["exchanges"][0]["means"]
    assert {"passed": True, "has": ["test.id", "test.name"]} == fixture["exchanges"][2]["means"]
    assert [] == list(check_fixture(connector_from(**PARTS), json.loads(text)))


async def test_a_connector_that_reads_otherwise_is_told(world: FakeWorld) -> None:
    """What was found before and is not any more is named, by the request."""
    run = await ended(world, await begin(world, *answers(), **PARTS))
    world.application.builder.trials.answer(run.id, {"code": "123456"}, AUTHOR)
    await ended(world, run)
    fixture = world.application.builder.trials.fixture(run.id, AUTHOR)
    changed = connector_from(**(PARTS | {"token": ", response: {access_token: jwt}"}))
    said = {each.request for each in check_fixture(changed, fixture)}
    other = list(check_fixture(replace(changed, id="other"), fixture))

    assert {"challenge/0", "refresh"} <= said
    assert ["The fixture is one of another connector."] == [each.message for each in other]
    assert 1 == len(list(check_fixture(changed, {})))


async def test_a_refusal_is_recorded_too(world: FakeWorld) -> None:
    """A wrong password makes a fixture of its own; prose of the provider's is not in it."""
    refused = json_answer('{"error": "invalid_grant", "error_description": "jo@canary.example is wrong"}', 400)
    run = await ended(world, await begin(world, refused))
    fixture = world.application.builder.trials.fixture(run.id, AUTHOR)

    assert [{"outcome": "rejected_credentials"}] == [each["means"] for each in fixture["exchanges"]]
    assert "canary" not in json.dumps(fixture)
    assert error("invalid_grant").status == fixture["exchanges"][0]["status"]
