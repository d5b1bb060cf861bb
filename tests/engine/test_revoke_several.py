"""Several revocation requests: in order, each once or for each token, each recorded and tried again by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.connector import TokenKind
from keyturn.core.revocation import RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.revocation.revocation_rows import requests_for
from keyturn.engine.revocation.sends import kinds_of, sends
from tests.core.connector_files import changed, faults, read
from tests.engine import story as engine_story
from tests.engine.passing import in_time
from tests.engine.story import ACTOR, actions, log_in, publish, token
from tests.engine.test_revoke import OK, add, only, revoke_due
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

SEVERAL = """revoke:
  - {url: "https://auth.acme.example/session", method: DELETE, encoding: query, params: {},
     authentication: none, headers: {X-Auth: "{{ access_token }}"}}
  - {url: "https://auth.acme.example/revoke", encoding: json, on_replace: false}
  - {url: "https://auth.acme.example/logout", params: {all: "1", refresh: "{{ refresh_token }}"}}
"""
DOWN = json_answer("{}", 503)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> FakeWorld:
    """A world whose connector ends a session, revokes both tokens, and logs out."""
    begin = engine_story.CONNECTOR.index("revoke:")
    end = engine_story.CONNECTOR.index("password:")
    text = engine_story.CONNECTOR[:begin] + SEVERAL + engine_story.CONNECTOR[end:]
    monkeypatch.setattr(engine_story, "CONNECTOR", text)
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


def sent(world: FakeWorld) -> list[tuple[str, str, bytes]]:
    """What went to the provider."""
    return [(each.method, each.url.rpartition("/")[2], each.body) for each in world.egress.requests]


async def test_in_order_and_each_in_its_own_shape(world: FakeWorld) -> None:
    """One that names no token of its own goes once; RFC 7009's goes for each token."""
    await publish(world)
    await add(world)
    world.egress.will_reply(OK, OK, OK, OK)

    await revoke_due(world)

    assert [("DELETE", "session"), ("POST", "revoke"), ("POST", "revoke"), ("POST", "logout")] == [
        each[:2] for each in sent(world)
    ]
    assert ("X-Auth", "access-1") in world.egress.requests[0].headers
    assert b'{"token":"refresh-1","token_type_hint":"refresh_token"}' == world.egress.requests[1].body
    assert b"all=1&refresh=refresh-1" == world.egress.requests[3].body
    assert {} == world.stores.revocations.rows


async def test_each_is_tried_again_by_itself(world: FakeWorld) -> None:
    """What is done is not sent again; what failed is, until it is done; the record says which."""
    await publish(world)
    await add(world)
    world.egress.will_reply(OK, DOWN, OK, DOWN)
    await revoke_due(world)
    row = only(world)
    world.clock.advance(row.due_at - world.clock.now())
    world.egress.will_reply(OK, DOWN)
    await revoke_due(world)
    second = only(world)
    world.clock.advance(second.due_at - world.clock.now())
    world.egress.will_reply(OK)
    await revoke_due(world)
    facts = [each.facts for each in world.stores.database.records if each.action == "revocation.tried"]

    assert (("1", "2:access_token"), "provider_unavailable") == (row.done, row.last_error)
    assert ["revoke", "logout", "logout"] == [each[1] for each in sent(world)[4:]]
    assert {} == world.stores.revocations.rows
    assert [
        {"2:refresh_token": "provider_unavailable", "3": "provider_unavailable"},
        {"3": "provider_unavailable"},
        None,
    ] == [each.get("open") for each in facts]
    assert ["1", "2:access_token", "2:refresh_token", "3"] == facts[-1]["done"]


async def test_a_disconnect_shows_each_result(world: FakeWorld) -> None:
    """On the connection, while it goes on and when it is given up."""
    await publish(world)
    connection = (await log_in(world, token(at=world.clock.now()))).connection
    world.egress.will_reply(OK, OK, DOWN, OK)
    ending = await in_time(world, world.application.disconnect(connection.id, ACTOR))
    world.egress.will_reply(DOWN)
    ended = await in_time(world, world.application.disconnect(connection.id, ACTOR, forget_now=True))

    done = [{"request": name, "result": "done"} for name in ("1", "2:refresh_token", "3")]
    failed = {"request": "2:access_token", "error": "provider_unavailable"}
    assert [*done, {**failed, "result": "retrying"}] == ending.revocation["requests"]
    assert [*done, {**failed, "result": "given_up"}] == ended.revocation["requests"]
    assert ("given_up", ["refresh_token"]) == (ended.revocation["result"], ended.revocation["revoked"])


@pytest.mark.parametrize(
    ("token_set", "cause", "expected"),
    [
        pytest.param(
            TokenSet(Secret("a"), 0.0), RevocationCause.DISCONNECTED, ["1", "2:access_token"], id="no refresh token"
        ),
        pytest.param(
            TokenSet(Secret(""), 0.0, Secret("r")),
            RevocationCause.LATE,
            ["2:refresh_token", "3"],
            id="the access token is in use elsewhere",
        ),
        pytest.param(TokenSet(Secret("a"), 0.0, Secret("r")), RevocationCause.REPLACED, ["1", "3"], id="replaced"),
        pytest.param(TokenSet(Secret(""), 0.0), RevocationCause.REFUSED, [], id="no token"),
    ],
)
async def test_what_would_go_without_its_token_is_not_sent(
    world: FakeWorld, token_set: TokenSet, cause: RevocationCause, expected: list[str]
) -> None:
    """Nor what is not for this cause; names stay, so that what is done is known by them."""
    connector = await publish(world)
    row = await add(world, token_set=token_set, cause=cause)
    found = list(sends(connector, row))

    assert expected == [each.name for each in found]
    assert all(each.token for each in found)


async def test_a_login_that_replaces_revokes_by_those_that_may(world: FakeWorld) -> None:
    """`on_replace: false` is of each request; only where all say so nothing is sent."""
    connector = await publish(world)
    assert connector.revoke is not None
    silent = replace(connector, revoke=replace(connector.revoke, on_replace=False), further_revokes=())

    assert 2 == len(requests_for(connector, RevocationCause.REPLACED))
    assert () == requests_for(silent, RevocationCause.REPLACED)
    assert 3 == len(requests_for(connector, RevocationCause.DISCONNECTED))


async def test_hosts_of_every_request_are_pinned(world: FakeWorld) -> None:
    """A later version can't send old tokens to one that the person was not shown."""
    await publish(world, more="")
    await add(world, hosts=("elsewhere.example",))

    await revoke_due(world)

    assert [] == sent(world)
    assert "url_not_allowed" == only(world).last_error
    assert ("revocation.tried", "url_not_allowed") in actions(world)


def test_a_list_of_one_is_one() -> None:
    """It means the same, and reads to the same."""
    one = {"url": "https://login.example.com/revoke", "tokens": ["access_token"]}
    listed = read(changed(("revoke", [one])))

    assert read(changed(("revoke", one))) == listed
    assert (1, (TokenKind.ACCESS_TOKEN,)) == (len(listed.revokes), listed.revokes[0].tokens)


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param({"url": "{{ x }}"}, [("/revoke/1/url", "host_not_written"), ("/revoke/1/url", "unknown_name")]),
        pytest.param({}, [("/revoke/1", "required_key")]),
        pytest.param({"params": {"p": "{{ password }}"}}, [("/revoke/1/params/p", "secret_not_allowed_here")]),
        pytest.param(
            {"method": "GET", "params": {"s": "{{ client_secret }}"}}, [("/revoke/1/params/s", "secret_in_url")]
        ),
        pytest.param({"url": "https://a.example.com/{{ client_secret }}"}, [("/revoke/1/url", "secret_in_url")]),
        pytest.param({"encoding": "query", "authentication": "post"}, [("/revoke/1", "secret_in_url")]),
    ],
    ids=["host", "url", "password", "query", "in the URL", "post"],
)
def test_each_of_a_list_is_judged(second: dict[str, object], expected: list[tuple[str, str]]) -> None:
    """With its own place."""
    url = {} if second == {} else {"url": "https://login.example.com/b"}
    value = changed(("revoke", [{"url": "https://login.example.com/a"}, {**url, **second}]))

    assert expected == faults(value)


def test_kinds() -> None:
    """What the sends were about, once each."""
    assert ["refresh_token", "access_token"] == kinds_of(["1", "2:refresh_token", "3:refresh_token", "access_token"])
    assert [] == kinds_of(["1"])
