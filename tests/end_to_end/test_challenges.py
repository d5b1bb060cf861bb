"""Logins in whose middle the provider asks for something, judged by what the provider saw.

Everything here goes over REST to a server in a process of its own. Restarts are in `tests/faults/test_challenges.py`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.end_to_end.canaries import find_canaries
from tests.end_to_end.running import Reply, Server, running_server, wait_for
from tests.end_to_end.scripted.challenges import (
    CODE,
    OTP,
    SECOND_CODE,
    SECOND_GRANT,
    SEED,
    WRONG_CODE,
    Push,
    SecondStep,
    challenge,
    mfa_required,
    seeded,
)
from tests.end_to_end.scripted.connectors import ABSENT, call, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import (
    PASSWORD,
    USERNAME,
    Answer,
    Scripted,
    Seen,
    fingerprint,
    scripted_provider,
)

CAPTURE = {"mfa_token": "mfa_token"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file."""
    with running_server(tmp_path_factory.mktemp("challenges")) as running:
        yield running


@pytest.fixture
def provider() -> Iterator[Scripted]:
    """A provider for each test, so that its log is about one login."""
    with scripted_provider() as running:
        yield running


def answer(server: Server, challenge_id: str, **answers: Any) -> Reply:
    """POST /v1/challenges/{id}."""
    return server.ask("POST", f"/v1/challenges/{challenge_id}", {"answers": answers})


def state_of(server: Server, challenge_id: str) -> dict[str, Any]:
    """GET /v1/challenges/{id}."""
    reply = server.ask("GET", f"/v1/challenges/{challenge_id}")
    assert reply.status == 200, reply.body
    found: dict[str, Any] = reply.json()
    return found


def asked_in(reply: Reply) -> dict[str, Any]:
    """The challenge that a 202 brings."""
    assert reply.status == 202, reply.body
    found: dict[str, Any] = reply.json()["challenge"]
    assert reply.headers["location"] == f"/v1/challenges/{found['id']}"
    return found


def begin(server: Server, provider: Scripted, *challenges: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A login that is stopped: its first challenge."""
    connector = install(server, connector_for(provider, challenges=list(challenges), **changes))
    return asked_in(sign_in(server, connector))


def works(server: Server, reply: Reply) -> dict[str, Any]:
    """The connection that a reply brings, called once."""
    assert reply.status == 201, reply.body
    found: dict[str, Any] = reply.json()
    assert call(server, found).status == 200
    return found


# --- how a code travels


@pytest.mark.parametrize(
    ("way", "then", "second"),
    [
        pytest.param(
            "extra_parameter",
            {"extra_params": {"totp": "{{ otp }}"}},
            {"grant_type": "password", "username": USERNAME, "password": PASSWORD, "totp": CODE},
            id="one more parameter",
        ),
        pytest.param(
            "appended",
            {"extra_params": {"password": "{{ password }}:{{ otp }}"}},
            {"grant_type": "password", "username": USERNAME, "password": f"{PASSWORD}:{CODE}"},
            id="behind the password",
        ),
    ],
)
def test_the_same_request_again(
    server: Server, provider: Scripted, way: str, then: dict[str, Any], second: dict[str, str]
) -> None:
    """The request that was stopped is sent once more with the code in it, and nothing besides."""
    step = SecondStep(provider)
    step.install(getattr(step, way))

    asked = begin(server, provider, challenge(then))
    reply = answer(server, asked["id"], otp=CODE)
    works(server, reply)
    first, again = (row.form() for row in provider.seen("/token"))

    question = {"key": "otp", "label": OTP["label"], "type": "otp", "help": "", "required": True, "choices": []}
    assert [question] == asked["ask"]
    assert (None, False, False) == (asked["error"], asked["polls"], asked["resend"])
    assert PASSWORD == first["password"]
    assert second == again


@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_a_second_grant(server: Server, provider: Scripted, status: int) -> None:
    """What the first answer gave is shown with the code, whatever its status; the password is not sent again."""
    step = SecondStep(provider, status=status)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge(SECOND_GRANT, when=mfa_required(status), capture=CAPTURE))

    connection = works(server, answer(server, asked["id"], otp=CODE))
    state = state_of(server, asked["id"])
    second = provider.seen("/token")[1].form()

    assert {"grant_type", "mfa_token", "otp"} == set(second)
    assert second["mfa_token"].startswith("mfa-")
    assert ("done", connection["id"], None) == (state["state"], state["connection_id"], state["next"])
    assert 2 == len(provider.seen("/token"))


def test_a_receipt_in_a_header(server: Server, provider: Scripted) -> None:
    """What is captured may stand in a header of the answer, and goes back in a header."""
    step = SecondStep(provider)
    step.install(step.receipt)
    then = {"headers": {"Openstack-Auth-Receipt": "{{ receipt }}"}, "params": {"totp": "{{ otp }}"}}
    when = {"status": [401], "header": {"Openstack-Auth-Receipt": "."}}
    asked = begin(server, provider, challenge(then, when=when, capture={"receipt": "header:Openstack-Auth-Receipt"}))

    works(server, answer(server, asked["id"], otp=CODE))
    second = provider.seen("/token")[1]

    assert (second.header("Openstack-Auth-Receipt") or "").startswith("mfa-")
    assert {"totp": CODE} == second.form()


def test_a_choice_then_a_code(server: Server, provider: Scripted) -> None:
    """The provider's list is offered; what is chosen goes back as it came; its code is asked for next."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    step.install(step.factor, "/factor")
    choose = {
        "key": "factor", "label": "How", "type": "choice", "choices_from": "factors[].{value: id, label: name}",
    }  # fmt: skip
    chosen = {
        "url": f"{provider.url}/factor",
        "params": {"factor": "{{ factor }}", "mfa_token": "{{ mfa_token }}"},
        "answers": "challenge",
    }
    code_sent = {"status": [200], "body": "status == 'code_sent'"}
    asked = begin(
        server, provider,
        challenge(chosen, ask=[choose], capture=CAPTURE),
        challenge(SECOND_GRANT, when=code_sent),
    )  # fmt: skip

    refused = answer(server, asked["id"], factor="letter")
    following = asked_in(answer(server, asked["id"], factor="app-2"))
    connection = works(server, answer(server, following["id"], otp=CODE))
    first = state_of(server, asked["id"])

    offered = [{"value": "sms-1", "label": "SMS to **45"}, {"value": "app-2", "label": "Authenticator app"}]
    assert offered == asked["ask"][0]["choices"]
    assert (422, "validation_failed") == (refused.status, refused.code)
    assert ["/answers/factor"] == [each["pointer"] for each in refused.json()["errors"]]
    assert ["app-2"] == [row.form()["factor"] for row in provider.seen("/factor")]
    assert ("done", following["id"], None) == (first["state"], first["next"], first["connection_id"])
    assert connection["id"] == state_of(server, following["id"])["connection_id"]


def test_several_rounds(server: Server, provider: Scripted) -> None:
    """A challenge may follow a challenge, though none is declared to."""
    step = SecondStep(provider)
    step.install(step.several_rounds)
    again = {"key": "again", "label": "Second code", "type": "otp"}
    then = {"params": {"grant_type": SECOND_GRANT["params"]["grant_type"], "mfa_token": "{{ mfa_token }}",
                       "again": "{{ again }}"}}  # fmt: skip
    asked = begin(
        server, provider,
        challenge(SECOND_GRANT, capture=CAPTURE),
        challenge(then, when={"status": [400], "body": "error == 'second_code'"}, ask=[again], capture=CAPTURE),
    )  # fmt: skip

    following = asked_in(answer(server, asked["id"], otp=CODE))
    works(server, answer(server, following["id"], again=SECOND_CODE))

    assert ["again"] == [each["key"] for each in following["ask"]]
    assert (None, [CODE, SECOND_CODE]) == (following["error"], step.sent)


def test_what_should_be_a_challenge_and_is_none(server: Server, provider: Scripted) -> None:
    """Where a challenge has to follow, a token is an answer that nobody described: it is revoked."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge({**SECOND_GRANT, "answers": "challenge"}, capture=CAPTURE))

    reply = answer(server, asked["id"], otp=CODE)

    assert (502, "provider_bad_response") == (reply.status, reply.code)
    assert wait_for(lambda: {fingerprint(each) for each in provider.secrets} <= revoked(provider))
    assert ("failed", "provider_bad_response") == tuple(state_of(server, asked["id"])[k] for k in ("state", "error"))


# --- what is confirmed elsewhere


def test_confirmations_elsewhere(server: Server) -> None:
    """keyturn asks by itself until it is decided: approved, denied, or the time is up."""
    with scripted_provider() as yes, scripted_provider() as no, scripted_provider() as nobody:
        approved, denied = Push(yes, "approved").install(), Push(no, "denied").install()
        never = Push(nobody, "never").install()
        said_no = {"when": {"body": "error == 'access_denied'"}, "class": "must_act"}
        begun = [
            begin(server, yes, approved.challenge()),
            begin(server, no, denied.challenge(), failures=[said_no]),
            begin(server, nobody, never.challenge(for_s=3)),
        ]
        ended = [wait_for(lambda each=each: _decided(server, each["id"]), 20) for each in begun]
        connection = server.ask("GET", f"/v1/connections/{ended[0]['connection_id']}").json()
        polled = [len(each.seen("/push")) for each in (yes, no, nobody)]

        assert [([], True)] * 3 == [(each["ask"], each["polls"]) for each in begun]
        assert [
            ("done", None),
            ("failed", "provider_interaction_required"),
            ("failed", "challenge_expired"),
        ] == [(each["state"], each["error"]) for each in ended]
        assert call(server, connection).status == 200
        assert [2, 2] == polled[:2]
        assert polled[2] >= 1
        assert [1, 1, 1] == [len(each.seen("/token")) for each in (yes, no, nobody)]


def _decided(server: Server, challenge_id: str) -> dict[str, Any] | None:
    state = state_of(server, challenge_id)
    return state if state["state"] in ("done", "failed") else None


# --- wrong, late, twice


def test_a_wrong_code_then_the_right_one(server: Server, provider: Scripted) -> None:
    """A new challenge comes with the error; it has what was captured, and the budget of logins is not touched."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))

    again = asked_in(answer(server, asked["id"], otp=WRONG_CODE))
    used = state_of(server, asked["id"])
    works(server, answer(server, again["id"], otp=CODE))

    assert asked["id"] != again["id"]
    assert ("provider_otp_invalid", asked["tries_left"] - 1) == (again["error"], again["tries_left"])
    assert ("done", again["id"]) == (used["state"], used["next"])
    assert [WRONG_CODE, CODE] == step.sent


def test_three_wrong_codes(server: Server, provider: Scripted) -> None:
    """The third ends the login; nothing is stored, and no fourth is taken."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))
    connections = len(server.ask("GET", "/v1/connections?limit=200").json()["data"])

    second = asked_in(answer(server, asked["id"], otp=WRONG_CODE))
    third = asked_in(answer(server, second["id"], otp=WRONG_CODE))
    last = answer(server, third["id"], otp=WRONG_CODE)
    fourth = answer(server, third["id"], otp=CODE)

    assert (422, "provider_otp_invalid") == (last.status, last.code)
    assert (409, "challenge_used") == (fourth.status, fourth.code)
    assert ("failed", "provider_otp_invalid") == tuple(state_of(server, third["id"])[k] for k in ("state", "error"))
    assert [WRONG_CODE] * 3 == step.sent
    assert connections == len(server.ask("GET", "/v1/connections?limit=200").json()["data"])


def test_an_answer_that_can_t_be_one_uses_nothing_up(server: Server, provider: Scripted) -> None:
    """What is missing or unknown is said with its place, and the challenge still waits."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))

    nothing, unknown = answer(server, asked["id"]), answer(server, asked["id"], otp=CODE, more="x")
    works(server, answer(server, asked["id"], otp=CODE))

    assert [(422, "validation_failed")] * 2 == [(each.status, each.code) for each in (nothing, unknown)]
    assert ["/answers/otp"] == [each["pointer"] for each in nothing.json()["errors"]]
    assert [CODE] == step.sent


def test_two_answers_at_once(server: Server, provider: Scripted) -> None:
    """One is sent; every other is refused, at the same moment and afterwards."""
    step = SecondStep(provider)

    def slow(request: Seen) -> Answer:
        reply = step.second_grant(request)
        reply.after_s = 0.3
        return reply

    step.install(slow)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))
    with ThreadPoolExecutor(4) as crowd:
        replies = list(crowd.map(lambda _: answer(server, asked["id"], otp=CODE), range(4)))
    later = answer(server, asked["id"], otp=CODE)

    assert [201, 409, 409, 409] == sorted(each.status for each in replies)
    assert (409, "challenge_used") == (later.status, later.code)
    assert [CODE] == step.sent
    assert 2 == len(provider.seen("/token"))


def test_a_challenge_that_is_too_old(server: Server, provider: Scripted) -> None:
    """After its time nothing is sent for it."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE, lifetime=1))
    time.sleep(1.1)

    late = answer(server, asked["id"], otp=CODE)
    state = state_of(server, asked["id"])

    assert (410, "challenge_expired") == (late.status, late.code)
    assert ("failed", "challenge_expired") == (state["state"], state["error"])
    assert [] == step.sent


def test_password_or_code(server: Server, provider: Scripted) -> None:
    """Where the provider doesn't tell which was wrong, the person signs in again; nothing is held against it."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    unclear = {"when": {"body": "error_description == 'wrong code'"}, "class": "password_or_code"}
    connector = install(
        server,
        connector_for(provider, challenges=[challenge(SECOND_GRANT, capture=CAPTURE)], failures=[unclear]),
    )
    for _ in range(3):
        asked = asked_in(sign_in(server, connector))
        refused = answer(server, asked["id"], otp=WRONG_CODE)

        assert (422, "provider_credentials_rejected") == (refused.status, refused.code)
        assert "sign_in" == refused.json()["retry"]

    assert 4 == sign_in(server, connector, password="wrong").json()["tries_left"]


def test_another_key_sees_nothing(server: Server, provider: Scripted) -> None:
    """A challenge is its holder's, also where the other key may do everything."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))
    made = server.ask("POST", "/v1/api-keys", {"name": "other", "scopes": ["admin"]}).json()
    place = f"/v1/challenges/{asked['id']}"

    replies = [
        server.ask("GET", place, key=made["key"]),
        server.ask("POST", place, {"answers": {"otp": CODE}}, key=made["key"]),
        server.ask("POST", f"{place}/resend", key=made["key"]),
        server.ask("GET", "/v1/challenges/chl_no-such", key=made["key"]),
    ]

    assert [(404, "not_found")] * 4 == [(each.status, each.code) for each in replies]
    assert [] == step.sent
    works(server, answer(server, asked["id"], otp=CODE))


def test_another_code(server: Server, provider: Scripted) -> None:
    """The provider is asked for one with what was captured; the challenge before is used up, the next one is good."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    provider.always["/resend"] = Answer(200, {"status": "sent"}, outcome="sent")
    resend = {"url": f"{provider.url}/resend", "params": {"mfa_token": "{{ mfa_token }}"}}
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE, resend=resend))
    without = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))

    again = asked_in(server.ask("POST", f"/v1/challenges/{asked['id']}/resend"))
    refused = server.ask("POST", f"/v1/challenges/{without['id']}/resend")
    works(server, answer(server, again["id"], otp=CODE))

    assert (True, True, False) == (asked["resend"], again["resend"], without["resend"])
    assert [{"mfa_token"}] == [set(row.form()) for row in provider.seen("/resend")]
    assert 422 == refused.status
    assert [CODE] == step.sent


# --- what is kept, and what never is


def test_a_code_up_front(server: Server, provider: Scripted) -> None:
    """A field of the form may take it: with it one request is enough, without it the question comes; it is not kept."""
    step = SecondStep(provider)
    step.install(step.extra_parameter)
    up_front = {
        "fields": [{"key": "code", "label": "Code, if you have one", "type": "otp", "required": False}],
        "token": {
            "url": f"{provider.url}/token",
            "params": {
                "grant_type": "password", "username": "{{ username }}", "password": "{{ password }}",
                "totp": "{{ code }}",
            },
        },
        "challenges": [challenge({"extra_params": {"totp": "{{ otp }}"}})],
    }  # fmt: skip
    connector = install(server, connector_for(provider, **up_front))

    with_code = works(server, sign_in(server, connector, fields={"code": CODE}))
    asked = asked_in(sign_in(server, connector, "bob"))
    works(server, answer(server, asked["id"], otp=CODE))

    assert ({}, {}) == (with_code["fields"], with_code["stored"]["fields"])
    assert [CODE, None, CODE] == [row.form().get("totp") for row in provider.seen("/token")]


def revoked(provider: Scripted) -> set[str]:
    """Fingerprints of what was revoked."""
    return {row.refresh for row in provider.seen("/revoke")}


def test_a_weaker_token_never_becomes_the_connection(server: Server, provider: Scripted) -> None:
    """It comes with the question: it is revoked, and every call goes with the one that came after the code."""
    step = SecondStep(provider)
    step.install(step.weaker_token)
    then = {"extra_params": {"totp": "{{ otp }}"}}
    asked = begin(server, provider, challenge(then, when={"status": [200], "body": "mfa"}))

    works(server, answer(server, asked["id"], otp=CODE))

    used = {fingerprint(row.bearer()) for row in provider.seen("/api/me")}
    assert wait_for(lambda: step.weaker in revoked(provider))
    assert step.weaker not in used
    assert not used & revoked(provider)


def test_a_seed_answers_by_itself(server: Server, provider: Scripted) -> None:
    """With consent a seed is kept sealed, and gives the code; without consent nothing is sent."""
    step = SecondStep(provider)
    step.install(step.by_seed)
    connector = install(server, connector_for(provider, **seeded()))

    refused = sign_in(server, connector, fields={"seed": SEED})
    before = len(provider.seen("/token"))
    connection = works(
        server, sign_in(server, connector, fields={"seed": SEED}, keep_totp_seed=True, keep_password=True)
    )

    assert (422, ["/keep_totp_seed"]) == (refused.status, [each["pointer"] for each in refused.json()["errors"]])
    assert 0 == before
    assert (2, 1) == (len(provider.seen("/token")), len(step.sent))
    assert connection["stored"]["fields"]["seed"]["sealed"] is True
    assert SEED not in "".join(row.body.decode() for row in provider.log)


def test_a_login_that_needs_the_person_each_time(server: Server, provider: Scripted) -> None:
    """`login: interactive`: nothing is tried without the person, who is warned before the end."""
    step = SecondStep(provider)
    step.install(step.extra_parameter)
    provider.token_extra = {"refresh_token": None}
    asked = begin(
        server, provider, challenge({"extra_params": {"totp": "{{ otp }}"}}), login="interactive", refresh=ABSENT
    )
    connection = works(server, answer(server, asked["id"], otp=CODE))
    sent = len(provider.seen("/token"))

    renewed = server.ask("POST", f"/v1/connections/{connection['id']}/renew")

    assert (409, "renewal_not_possible") == (renewed.status, renewed.code)
    assert sent == len(provider.seen("/token"))
    assert shown(server, connection)["expires_soon"] is True


def test_no_code_is_anywhere(server: Server, provider: Scripted) -> None:
    """Not in a file of the data directory, nor in the log, while a login waits, after a wrong code, and afterwards."""
    step = SecondStep(provider)
    step.install(step.second_grant)
    asked = begin(server, provider, challenge(SECOND_GRANT, capture=CAPTURE))
    again = asked_in(answer(server, asked["id"], otp=WRONG_CODE))
    searched = [CODE, WRONG_CODE, PASSWORD, *step.open]
    places = [server.data, server.log]

    waiting = find_canaries(places, searched)
    works(server, answer(server, again["id"], otp=CODE))

    assert [] == waiting
    assert [] == find_canaries(places, searched)
