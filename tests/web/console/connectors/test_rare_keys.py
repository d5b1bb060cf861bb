"""The forms of what few connectors need: nothing of it is lost, and all of it can be written without YAML."""

from __future__ import annotations

from typing import Any

from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from tests.web.console.connectors.authoring import author, inputs_of, source_of
from tests.web.console.visiting import Visitor

RICH = """\
keyturn: 1
connector: acme   # with a bit of everything
title: Acme
trust: {reason: legacy, note: There is nothing else.}
retires: {on: 2029-01-31, successor: acme-new}
login: interactive
fields:
  - {key: region, label: Region, type: choice, choices: {eu: "Europe, all of it", us: States}}   # commas
  - {key: plant, label: Plant, visible_when: {region: [eu]}, min_length: 2, max_length: 9, pattern: "[a-z]+"}
  - {key: seed, label: Seed, type: totp_seed}
password: {keep: offer, reason: It has no other way.}
derive: {both: {join: ["{{ username }}", "{{ client_id }}"], filters: [sha256, base64]}}
generate: {device: uuid}
remember: {trusted: trust.token}
client: {authentication: post}
token:
  url: "https://auth.acme.example/token"
  before:
    # the tenant first
    - {name: tenant, url: "https://auth.acme.example/tenant", encoding: json, capture: {tenant: id}, when: {region: eu}}
  params:
    u: "{{ username }}"
    p: "{{ password }}"
    t: "{{ tenant }}"
    d: "{{ device }}"
    k: "{{ trusted }}"
    h: "{{ both }}"
  response:
    refresh_expires: {from: refresh_in, unit: minutes}
    keep: {site: {from: site, hosts: ["*.acme.example"]}, plan: plan}
  success_when: {body: access_token}
challenges:
  - when: {status: [401], body: "error == 'choose'"}
    ask: [{key: factor, label: How, type: choice, choices_from: "factors[].{value: id, label: name}"}]
    capture: {state: state}
    then: {extra_params: {factor: "{{ factor }}", state: "{{ state }}"}, answers: challenge}
  - when: {body: "error == 'code'"}   # the code itself
    ask: [{key: code, label: Code, type: otp}]
    lifetime: 5m
    then: {params: {code: "{{ code }}", state: "{{ state }}"}}
    resend: {params: {again: "{{ state }}"}}
  - when: {body: "error == 'push'"}
    then: {params: {state: "{{ state }}"}, poll: {every: 5, for: 60, while: "error == 'pending'"}}
refresh: {with: token, keep_alive: true}
revoke:
  - {url: "https://auth.acme.example/out", params: {token: "{{ token }}"}, tokens: [access_token]}
  - {url: "https://auth.acme.example/all", encoding: text, authentication: none, body: "{{ access_token }}"}
test: {url: "https://api.acme.example/me"}
unique_id: "{{ test.id }}"
allowed_urls: ["https://api.acme.example", {url: "https://api.acme.example/admin", deny: true}]
request:
  encoded_slashes: allow
  only: [{methods: [POST], paths: [/items], headers: {X-Csrf: "{{ token.plan }}"}}]
stale_when: {status: [401, 419]}
"""


async def save(visitor: Visitor, step: int, changed: dict[str, str]) -> Any:
    """Open a step, change inputs and send it."""
    path = f"/connectors/acme/edit/{step}"
    values = inputs_of((await visitor.get(path)).text, path) | changed
    values.pop("form")
    return await visitor.post(path, values)


async def value_of(visitor: Visitor) -> Any:
    """The draft as plain data."""
    return YamlCatalogue().read(await source_of(visitor)).value


async def test_unchanged_forms_change_nothing() -> None:
    """Of a file with every rare key not a character moves in any step."""
    visitor = await author(RICH)
    answers = [await save(visitor, step, {}) for step in range(10)]

    assert ["same"] * 10 == [each.headers.get("location", each.text).rpartition("said=")[2] for each in answers]
    assert RICH == await source_of(visitor)


async def test_one_edit_leaves_the_rest() -> None:
    """A value of a challenge, of a request before the login and of a revoke request: their lines alone differ."""
    visitor = await author(RICH)
    await save(visitor, 2, {"challenges.1.lifetime": "3m", "token.before.0.encoding": "form"})
    await save(visitor, 4, {"revoke.0.url": "https://auth.acme.example/leave"})
    expected = RICH.replace("lifetime: 5m", 'lifetime: "3m"').replace(
        "encoding: json, capture", "encoding: form, capture"
    )

    assert expected.replace("acme.example/out", "acme.example/leave") == await source_of(visitor)


async def test_parts_are_added_and_taken_out() -> None:
    """What is typed into the empty part becomes another at the end; a tick takes one out, with its edits."""
    visitor = await author(RICH)
    await save(
        visitor,
        2,
        {
            "challenges.0.remove": "1",
            "challenges.0.lifetime": "9m",
            "challenges.1.capture.0.name": "state",
            "challenges.1.capture.0.value": "state",
            "challenges.3.when.status": "403",
            "challenges.3.ask.0.key": "sms",
            "challenges.3.ask.0.label": "Code of the message",
            "challenges.3.ask.0.type": "otp",
            "challenges.3.then.extra_params.0.name": "sms",
            "challenges.3.then.extra_params.0.value": "{{ sms }}",
        },
    )
    await save(visitor, 4, {"revoke.0.remove": "1", "revoke.1.remove": "1"})
    value = await value_of(visitor)
    made = {
        "when": {"status": [403]},
        "ask": [{"key": "sms", "label": "Code of the message", "type": "otp"}],
        "then": {"extra_params": {"sms": "{{ sms }}"}},
    }

    assert ["error == 'code'", "error == 'push'", None] == [each["when"].get("body") for each in value["challenges"]]
    assert made == value["challenges"][2]
    assert "revoke" not in value


async def test_the_rare_keys_can_be_written_without_yaml() -> None:
    """From a plain connector: a request before the login, a challenge that is polled, values, a second revocation."""
    visitor = await author()
    first = await save(
        visitor,
        2,
        {
            "token.before.0.name": "tenant",
            "token.before.0.url": "https://auth.acme.example/tenant",
            "token.before.0.capture.0.name": "tenant",
            "token.before.0.capture.0.value": "id",
            "token.headers.0.name": "X-Tenant",
            "token.headers.0.value": "{{ tenant }}",
            "challenges.0.when.body": "error == 'push'",
            "challenges.0.then.poll.while": "error == 'pending'",
            "challenges.0.then.poll.every": "5",
            "generate.0.name": "device",
            "generate.0.value": "uuid",
        },
    )
    await save(visitor, 3, {"login": "interactive", "refresh.with": "token", "refresh.keep_alive": "true"})
    await save(visitor, 4, {"revoke.1.url": "https://auth.acme.example/all", "revoke.1.tokens": "access_token"})
    await save(visitor, 9, {"request.only.0.methods": "POST", "request.only.0.headers.0.name": "X-A",
                            "request.only.0.headers.0.value": "b"})  # fmt: skip
    value = await value_of(visitor)

    assert 303 == first.status_code, first.text
    expected = {"name": "tenant", "url": "https://auth.acme.example/tenant", "capture": {"tenant": "id"}}
    assert [expected] == value["token"]["before"]
    polled = {"poll": {"while": "error == 'pending'", "every": 5}}
    assert [{"when": {"body": "error == 'push'"}, "then": polled}] == value["challenges"]
    assert ({"device": "uuid"}, "interactive") == (value["generate"], value["login"])
    assert {"with": "token", "keep_alive": True} == value["refresh"]
    assert ["https://auth.acme.example/revoke", "https://auth.acme.example/all"] == [e["url"] for e in value["revoke"]]
    assert [{"methods": ["POST"], "headers": {"X-A": "b"}}] == value["request"]["only"]


async def test_a_last_resort_is_chosen_and_taken_back() -> None:
    """The author decides it; the choice that is no key again leaves none behind."""
    visitor = await author()
    await save(visitor, 3, {"refresh.last_resort": "true"})
    chosen = (await value_of(visitor))["refresh"]
    await save(visitor, 3, {"refresh.last_resort": ""})

    assert {"last_resort": True} == chosen
    assert "last_resort" not in (await value_of(visitor)).get("refresh", {})
