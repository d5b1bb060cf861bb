"""Requests that nobody would write, drawn from the OpenAPI document, at a house with things in it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.ports.egress import EgressPolicy
from keyturn.web.control.application import OPERATIONS
from keyturn.web.control.operations import Operation, Takes
from tests.engine.story import error, me, token
from tests.fakes.egress import FakeEgress
from tests.web.control.house import CANARY, House, begin, login_body

EXAMPLES = settings().max_examples // 10  # for each operation, as drawn and marked; two hundred in a thorough run
CHALLENGES = """
challenges:
  - when: {body: "error == 'mfa_required'"}
    ask: [{key: otp, label: Code, type: otp}]
    then: {extra_params: {otp: "{{ otp }}"}}
    resend: {url: "https://auth.acme.example/resend", params: {}}
"""
BY_ORDER = {"logins_stopped", "quiet_hours"}  # an operator's own, as an example before may have ordered
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
load_all_checks()


class Willing(FakeEgress):
    """A provider that grants everything, so that a 5xx can only be ours."""

    def __init__(self) -> None:
        super().__init__()
        self.logins = 0
        self.asks = False  # for a code, where the next login should be stopped

    async def send(self, request: OutgoingRequest, policy: EgressPolicy) -> Answer:
        """A token, a person, or nothing."""
        if "/token" in request.url and self.asks:
            return error("mfa_required")
        if "/token" in request.url:
            self.logins += 1
            return token(self.logins)
        return me(str(self.logins)) if "/me" in request.url else Answer(200)


@dataclass
class Seeded:
    """The house, the ids that exist in it, and its document as the fuzzer reads it."""

    house: House
    ids: dict[str, str]
    schema: Any


async def build() -> Seeded:
    """A house with a session, a key and a login in its middle, besides its connection."""
    egress = Willing()
    house = await begin(egress=egress, more=CHALLENGES)
    egress.asks = True
    challenge = (await house.call("POST", "/v1/connections", login_body())).json()["challenge"]
    egress.asks = False
    session = await house.call("POST", "/v1/connect-sessions", {"connector": "acme", "owner": "o"})
    key = await house.call("POST", "/v1/api-keys", {"name": "x", "scopes": ["read"]})
    job = await house.call("POST", "/v1/jobs", {"kind": "connection.bulk", "action": "pause"})
    person = await house.call("POST", "/v1/people", {"name": "Ada", "role": "viewer"})
    webhook = await house.call("POST", "/v1/webhooks", {"url": "https://app.example/"})
    delivery = await house.call("POST", f"/v1/webhooks/{webhook.json()['id']}/test")
    trial = await house.call("POST", "/v1/connectors/acme/trials", {"username": "jo", "password": "x"})
    document = json.loads((await house.call("GET", "/openapi.json")).content)
    ids = {
        "connection_id": house.connection_id,
        "connector_id": "acme",
        "version": "1",
        "entry_id": "matrix",
        "seq": "1",
        "owner": "somebody/else",
        "session_id": session.json()["id"],
        "key_id": key.json()["id"],
        "person_id": person.json()["id"],
        "challenge_id": challenge["id"],
        "job_id": job.json()["id"],
        "trial_id": trial.json()["id"],
        "webhook_id": webhook.json()["id"],
        "delivery_id": delivery.json()["id"],
    }
    return Seeded(house, ids, schemathesis.openapi.from_dict(document))


@pytest.fixture(scope="module")
def seeded() -> Seeded:
    """One house for all examples: what one leaves behind is the next one's world."""
    return asyncio.run(build())


def marked(value: Any, *, members: bool) -> Any:
    """The same with the canary at the end of every text and, with `members`, as a member of every object."""
    if isinstance(value, str):
        return value + CANARY
    if isinstance(value, list):
        return [marked(each, members=members) for each in value]
    if isinstance(value, dict):
        more = {CANARY: CANARY} if members else {}
        return {name: marked(each, members=members) for name, each in value.items()} | more
    return value


def named(operation: Operation) -> str:
    """A readable id."""
    return f"{operation.method} {operation.path}"


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
@pytest.mark.parametrize("mark", [False, True], ids=["as drawn", "marked"])
def test_no_request_breaks_it(operation: Operation, mark: bool, seeded: Seeded) -> None:
    """No 5xx that nobody ordered; each answer is in the document; a refusal repeats nothing of what was sent."""
    drawn = seeded.schema[operation.path][operation.method]
    seen: set[int] = set()

    # Nothing is made smaller: the house is another after each example, and its clock stands still.
    @settings(max_examples=EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=drawn.as_strategy(), real=st.booleans())
    def examples(case: Any, real: bool) -> None:
        if real:
            case.path_parameters = {name: seeded.ids[name] for name in case.path_parameters or {}}
        if mark:
            # Of a connector's text the key is said, as the product wants it; of everything else it is not.
            if isinstance(case.body, dict | list | str):
                case.body = marked(case.body, members=operation.takes is not Takes.CONNECTOR)
            case.query = marked(dict(case.query or {}), members=True)
        answer = case.call(app=seeded.house.app, headers={"Authorization": f"Bearer {seeded.house.keys['admin']}"})
        seen.add(answer.status_code)

        by_order = answer.status_code == 503 and answer.json()["code"] in BY_ORDER
        assert answer.status_code < 500 or by_order
        assert answer.status_code < 400 or CANARY not in answer.text
        case.validate_response(answer, checks=CHECKS)

    examples()

    assert seen
