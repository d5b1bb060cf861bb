"""Trial runs of a connector, from the login to the revocation, over a provider that answers from a list."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.access.spraying import LIMITS, Watched
from keyturn.core.errors import ChallengeUsed, ConnectorClientMissing, LoginsStopped, NotFound, ValidationFailed
from keyturn.core.format.writing import digest
from keyturn.core.messages import Answer
from keyturn.core.reading import read_connector
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.builder.course.exchange import UNREADABLE
from keyturn.engine.builder.trial_trace import Mark, Phase, TrialRun
from keyturn.engine.builder.trials import KEPT_S
from keyturn.engine.builder.typed import Typed
from keyturn.ports.store import ClientCredentials
from tests.engine.builder.texts import parsed, text
from tests.engine.story import ACTOR, actions, connector_from, error, log_in, me, publish, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer

AUTHOR = Actor("person:author", "req_trial")
TYPED = Typed("jo@acme.example", Secret("password-canary"))
MFA = """
challenges:
  - when: {body: "error == 'mfa_required'"}
    ask: [{key: code, label: Code, type: otp}]
    capture: {mfa_token: mfa_token}
    then: {params: {mfa_token: "{{ mfa_token }}", otp: "{{ code }}"}}
"""


def done() -> Answer:
    """The answer to a revocation."""
    return json_answer("{}")


async def begin(world: FakeWorld, *answers: Answer, typed: Typed = TYPED, **parts: str) -> TrialRun:
    """Start a trial of the test connector; the provider gives these answers in turn."""
    connector = connector_from(**parts)
    world.egress.will_reply(*answers)
    return await world.application.builder.trials.begin(connector, typed, AUTHOR)


async def ended(world: FakeWorld, run: TrialRun) -> TrialRun:
    """The run once it is over or asks something."""
    for _ in range(200):
        if run.phase is not Phase.RUNNING:
            return run
        await asyncio.sleep(0)
    raise AssertionError(run.rows)


def marks(run: TrialRun) -> list[tuple[int, str]]:
    """Step and mark of each row."""
    return [(row.step, row.mark.value) for row in run.rows]


@pytest.fixture(name="world")
async def _world() -> FakeWorld:
    world = make_world()
    await publish(world)
    return world


async def test_a_trial_runs_every_step(world: FakeWorld) -> None:
    """In the order 2, 5, 6, 8, 9, 3, 4; both token sets are revoked, and the audit log has the digest."""
    answers = (token(1), me(), json_answer("{}", 404), token(2), done(), done(), done(), done())
    run = await ended(world, await begin(world, *answers, more='connection_name: "{{ test.name }}"'))

    expected = [
        (2, "ok"),
        (5, "ok"),
        (6, "ok"),
        (8, "ok"),
        (9, "ok"),
        (3, "ok"),
        (4, "ok"),
        (4, "ok"),
        (4, "ok"),
        (4, "ok"),
    ]
    assert expected == marks(run)
    assert run.passed
    assert ("Jo", "42") == (run.name, run.unique_id)
    revoked = [each.body.decode() for each in world.egress.requests if each.url.endswith("/revoke")]
    assert {"refresh-2", "access-2", "refresh-1", "access-1"} == {each.partition("token=")[2] for each in revoked}
    assert ("connector.tried", "ok") in actions(world)
    assert await world.application.builder.trials.passed("acme", run.digest)
    assert not await world.application.builder.trials.passed("acme", "another")


async def test_no_row_shows_a_secret(world: FakeWorld) -> None:
    """Neither what was typed nor what came, in any row; requests show where each value would stand."""
    answers = (token(1), me(), json_answer("{}", 404), token(2), done(), done(), done(), done())
    run = await ended(world, await begin(world, *answers))
    shown = repr(run)

    canaries = ("password-canary", "jo@acme", "access-1", "refresh-1", "access-2", "refresh-2", "client-secret-canary")
    assert [] == [each for each in canaries if each in shown]
    assert "username=‹username›&password=‹password›" in run.rows[0].request
    assert "Authorization: Basic ‹base64(client_id:client_secret)›" in run.rows[0].request
    assert ("access_token", "‹access_token›", "access_token") in run.rows[0].found


async def test_a_row_tells_how_its_request_travelled(world: FakeWorld) -> None:
    """Protocol, certificate and kind of address of each exchange; a row that sent nothing tells nothing."""
    run = await ended(world, await begin(world, token(1), me(), json_answer("{}", 404), token(2), *[done()] * 4))
    told = {row.title: dict(row.travelled) for row in run.rows}

    assert "TLSv1.3, TLS_AES_256_GCM_SHA384" == told["Log in"]["TLS"]
    assert "auth.acme.example, issued by Acme Trust, Acme CA" == told["Log in"]["Certificate"]
    assert ("IPv4", "2033-05-18 03:33 UTC") == (told["Log in"]["Address"], told["Log in"]["Valid until"])
    assert "api.acme.example" in told["Test"]["Certificate"]
    assert [] == [row.title for row in run.rows if bool(row.request) != bool(row.travelled)]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("https://login.acme.example/a?code=canary", "login.acme.example"),
        ("/elsewhere", "auth.acme.example"),
        ("//jo:canary@other.example:8443/", "other.example:8443"),
        ("https://%00canary/", UNREADABLE),
        ("https://x:canary/", UNREADABLE),
        ("https://password-canary.acme.example/", "***.acme.example"),
    ],
)
async def test_where_a_redirect_points_is_told_by_its_host(world: FakeWorld, location: str, host: str) -> None:
    """Nothing but the host is shown, masked as everything else; it is never followed."""
    run = await ended(world, await begin(world, Answer(302, (("Location", location),))))

    assert host == run.rows[0].redirects_to
    assert f"points to {host}; not followed" == dict(run.rows[0].travelled)["Redirect"]
    assert "canary" not in str(run.rows[0].travelled)
    assert 1 == len(world.egress.requests)


async def test_of_several_trials_the_newest_answer_is_kept(world: FakeWorld) -> None:
    """An answer may be a megabyte; the step's page shows the newest alone. One that brought none forgets nothing."""
    runs = []
    for n in range(3):
        world.clock.advance(1.0)
        now = world.clock.now()
        answers = (token(1, at=now), me() if n < 2 else json_answer("{}", 404))
        rest = (json_answer("{}", 404), token(2, at=now), *[done()] * 4) if n < 2 else (done(), done())
        runs.append(await ended(world, await begin(world, *answers, *rest)))

    assert [False, True, False] == [bool(each.test_answer_paths) for each in runs]
    assert runs[0].test_answer is None
    assert runs[1].test_answer is not None


async def test_a_wrong_password_ends_it_and_counts(world: FakeWorld) -> None:
    """It is sent once, costs one of the tries that connections have, and nothing is tried after it."""
    for _ in range(3):
        run = await ended(world, await begin(world, error("invalid_grant")))
        assert [(2, "failed")] == marks(run)
        assert not run.passed
    spent = await ended(world, await begin(world))

    assert 3 == len(world.egress.requests)
    assert "Too many logins" in spent.rows[0].diagnosis


@pytest.mark.parametrize(
    ("answers", "parts", "pointer", "value"),
    [
        pytest.param(
            [json_answer('{"data": {"jwt": "abc.def.ghi"}}')],
            {},
            "/token/response/access_token",
            "data.jwt",
            id="another path",
        ),
        pytest.param([json_answer('{"message": "send JSON"}', 400)], {}, "/token/encoding", "json", id="encoding"),
        pytest.param([error("invalid_client", 401)], {}, "/client/authentication", "post", id="client"),
        pytest.param(
            [token(1), json_answer('{"id": "1", "user_id": "2"}'), done(), done()],
            {"more": 'connection_name: "{{ test.id }}"', "id": "{{ test.user.uid }}"},
            "/unique_id",
            "{{ test.id }}",
            id="unique id",
        ),
        pytest.param(
            [token(1), json_answer('{"user": {"id": "1"}}'), done(), done()],
            {},
            "/test/expect/body",
            "user.id",
            id="test",
        ),
    ],
)
async def test_what_is_wrong_is_told_with_an_edit(
    world: FakeWorld, answers: list[Answer], parts: dict[str, str], pointer: str, value: Any
) -> None:
    """The first row that failed says what would mend it; every token that came is revoked all the same."""
    world.egress.will_reply(*answers)
    connector = parsed(**parts)
    run = await ended(world, await world.application.builder.trials.begin(connector, TYPED, AUTHOR))
    failed = next(each for each in run.rows if each.mark is Mark.FAILED)

    assert failed.suggestion is not None
    assert (pointer, value) == (failed.suggestion.pointer, failed.suggestion.value)
    came = len(answers) > 1
    assert came is any(each.step == 4 for each in run.rows)


async def test_a_code_is_asked_for(world: FakeWorld) -> None:
    """The run waits; a wrong shape is refused, the answer goes out once, and is in no row."""
    challenge = json_answer('{"error": "mfa_required", "mfa_token": "mfa-canary"}', 403)
    after = (token(1), me(), json_answer("{}"), token(2), done(), done(), done(), done())
    run = await ended(world, await begin(world, challenge, *after, more=MFA))
    trials = world.application.builder.trials

    assert (Phase.ASKING, ["code"]) == (run.phase, [each.key for each in run.ask])
    with pytest.raises(ValidationFailed):
        trials.answer(run.id, {"code": ""}, AUTHOR)
    trials.answer(run.id, {"code": "123456"}, AUTHOR)
    with pytest.raises(ChallengeUsed):
        trials.answer(run.id, {"code": "123456"}, AUTHOR)
    await ended(world, run)
    assert run.passed
    assert "123456" not in repr(run)
    assert "mfa-canary" not in repr(run)
    assert "otp=‹code›" in run.rows[1].request


async def test_what_is_typed_is_checked_first(world: FakeWorld) -> None:
    """Every fault at once, and nothing is sent; a client that is missing is said before."""
    with pytest.raises(ValidationFailed) as caught:
        await begin(world, typed=Typed("", Secret("")))
    fresh = make_world()
    with pytest.raises(ConnectorClientMissing):
        await begin(fresh)

    assert ["/username", "/password"] == [each.pointer for each in caught.value.errors]
    assert [] == world.egress.requests


async def test_a_run_is_its_authors_and_is_forgotten() -> None:
    """To somebody else there is none; after a day there is none for anybody."""
    world = make_world(clock=(clock := FakeClock()))
    await publish(world)
    run = await ended(world, await begin(world, error("invalid_grant")))
    trials = world.application.builder.trials

    assert run is trials.look(run.id, AUTHOR)
    with pytest.raises(NotFound):
        trials.look(run.id, Actor("person:other"))
    clock.advance(KEPT_S)
    with pytest.raises(NotFound):
        trials.look(run.id, AUTHOR)
    assert [] == trials.of_connector("acme", AUTHOR)


async def test_the_digest_is_that_of_the_text_that_is_tried(world: FakeWorld) -> None:
    """A trial of one text says nothing of another."""
    run = await ended(world, await begin(world, error("invalid_grant")))

    assert digest(connector_from()) == run.digest
    await world.stores.connectors.set_client("acme", ClientCredentials("client", None), at=0.0)


async def test_a_wrong_code_is_asked_for_again_and_another_can_be_sent(world: FakeWorld) -> None:
    """As in a login: the provider refuses a code, is asked for another, and takes that; the third refusal ends it."""
    more = MFA + '    resend: {params: {again: "{{ mfa_token }}"}}\n'
    challenge = json_answer('{"error": "mfa_required", "mfa_token": "mfa-canary"}', 403)
    after = (token(1), me(), json_answer("{}"), token(2), done(), done(), done(), done())
    run = await ended(world, await begin(world, challenge, error("invalid_grant"), challenge, *after, more=more))
    trials = world.application.builder.trials
    trials.answer(run.id, {"code": "111111"}, AUTHOR)
    await ended(world, run)
    again = (run.phase, run.asked_again, run.resendable)
    trials.resend(run.id, AUTHOR)
    await ended(world, run)
    told = run.asked_again
    trials.answer(run.id, {"code": "222222"}, AUTHOR)
    await ended(world, run)

    assert (Phase.ASKING, "That code was not accepted.", True) == again
    assert "Another code was asked for." == told
    assert run.passed
    assert "111111" not in repr(run)


OWN = """
generate: {device: uuid}
remember: {trusted: trust.token}
"""


async def test_a_trial_has_what_each_connection_has(world: FakeWorld) -> None:
    """What is generated goes out, what is remembered is found; the renewal has the first too, and neither is shown."""
    first = json_answer('{"access_token": "access-1", "refresh_token": "refresh-1", "trust": {"token": "t-canary"}}')
    answers = (first, me(), json_answer("{}", 404), token(2), done(), done(), done(), done())
    params = ', params: {u: "{{ username }}", p: "{{ password }}", d: "{{ device }}"}'
    refresh = 'params: {r: "{{ refresh_token }}", d: "{{ device }}"}'
    run = await ended(world, await begin(world, *answers, token=params, refresh=refresh, more=OWN))
    sent = [each.body.decode() for each in world.egress.requests if each.url.endswith("/token")]

    assert run.passed, run.rows
    assert 2 == len(sent)
    device = sent[0].rpartition("d=")[2]
    assert f"r=refresh-1&d={device}" == sent[1]
    assert ("trusted", "‹trusted›", "trust.token") in run.rows[0].found
    assert device not in repr(run)
    assert "t-canary" not in repr(run)


async def test_every_revoke_request_is_sent(world: FakeWorld) -> None:
    """Of a list of them each, in order, as a disconnect does."""
    both = """[{url: "https://auth.acme.example/first", params: {token: "{{ token }}"}, tokens: [access_token]},
         {url: "https://auth.acme.example/second", params: {all: "{{ refresh_token }}"}}]"""
    source = text().replace('{url: "https://auth.acme.example/revoke", params: {token: "{{ token }}"}}', both)
    connector = read_connector(read_document(source), suffixes=load_public_suffixes())
    world.egress.will_reply(token(1), me(), json_answer("{}"), token(2), done(), done(), done(), done())
    run = await ended(world, await world.application.builder.trials.begin(connector, TYPED, AUTHOR))
    sent = [(each.url, each.body.decode()) for each in world.egress.requests][4:]

    assert run.passed, run.rows
    first, second = "https://auth.acme.example/first", "https://auth.acme.example/second"
    assert [(first, "token=access-2"), (second, "all=refresh-2")] == sent[:2]
    assert [(first, "token=access-1"), (second, "all=refresh-1")] == sent[2:]


async def test_a_trial_stops_where_logins_do(world: FakeWorld) -> None:
    """An operator's stop holds it, and a password tried on many accounts is held back here too."""
    connector = connector_from()
    limit = LIMITS[Watched.OWNER].accounts
    for n in range(limit + 1):
        world.egress.will_reply(error("invalid_grant"))
        typed = Typed(f"person-{n}@acme.example", Secret("password-canary"))
        run = await ended(world, await world.application.builder.trials.begin(connector, typed, AUTHOR))
    await world.application.guards.stop_logins.stop("acme", Actor("operator"))

    assert limit == len(world.egress.requests)
    assert "different accounts" in run.rows[0].diagnosis
    with pytest.raises(LoginsStopped):
        await begin(world)


async def test_a_trial_ends_no_connections_session(world: FakeWorld) -> None:
    """Where the provider allows few, its login would; another account, and one that holds none, may be tried."""
    more = "session: {limit: 1}"
    await publish(world, more=more)
    connected = (await log_in(world, token(1, expires_in=None), username="jo@acme.example")).connection
    world.egress.requests.clear()
    refused = await ended(world, await begin(world, more=more))
    sent = len(world.egress.requests)
    ann = Typed("ann@acme.example", Secret("password-canary"))
    other = await ended(world, await begin(world, token(2, refresh=None), me(), me(), done(), typed=ann, more=more))
    world.egress.will_reply(done(), done())
    await world.application.disconnect(connected.id, ACTOR)
    free = await ended(world, await begin(world, token(3, refresh=None), me(), me(), done(), more=more))

    assert ([(2, "failed")], 0) == (marks(refused)[:1], sent)
    assert "This account is connected here" in refused.rows[0].diagnosis
    assert (True, True) == (other.passed, free.passed)
    assert "token=access-3" == world.egress.requests[-1].body.decode()
