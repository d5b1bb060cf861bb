"""Signing in through an OpenID provider: who gets in, and everything by which nobody does."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from typing import Any

import pytest

from keyturn.adapters.egress.client import HttpEgress
from keyturn.adapters.egress.dialling import EgressAllowances
from keyturn.adapters.egress.resolver import SystemResolver
from keyturn.core.access.roles import Role
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.people.openid.attempt import LIVES_S
from keyturn.engine.people.openid.provider import KEPT_FOR_S
from keyturn.engine.people.openid.relying import RelyingSettings, SignInSettings
from keyturn.engine.people.people import FRESH_S
from tests.fakes.application import make_world
from tests.fakes.clock import FakeClock
from tests.fakes.openid_provider import CLIENT_ID, CLIENT_SECRET, ScriptedProvider, running
from tests.web.console.connectors.authoring import inputs_of
from tests.web.console.visiting import ORIGIN, Visitor, make_visitor

OPERATOR = Actor("operator")
COOKIE = "keyturn-openid"
LOOPBACK = (ip_network("127.0.0.0/8"),)
ROLES = {"staff": Role.VIEWER, "ops": Role.OPERATOR, "admins": Role.ADMIN}


@pytest.fixture(name="clock")
def _clock() -> FakeClock:
    return FakeClock()


@pytest.fixture(name="provider")
def _provider(clock: FakeClock) -> Iterator[ScriptedProvider]:
    with running(clock.now()) as provider:
        yield provider


def visitor_at(
    provider: ScriptedProvider, clock: FakeClock, *, links: bool = True, networks: Any = LOOPBACK, **changes: Any
) -> Visitor:
    """A browser at an instance that relies on this provider."""
    relying = RelyingSettings(provider.issuer, CLIENT_ID, "Example", Secret(CLIENT_SECRET))
    egress = HttpEgress(SystemResolver(), EgressAllowances(networks, True), clock)
    sign_in = SignInSettings(replace(relying, **changes), links)
    return make_visitor(make_world(clock=clock, sign_in=sign_in, way_out=egress))


@pytest.fixture(name="visitor")
async def _visitor(provider: ScriptedProvider, clock: FakeClock) -> Visitor:
    """With Ada invited as an operator."""
    visitor = visitor_at(provider, clock)
    await visitor.world.application.people.create("Ada", Role.OPERATOR, OPERATOR, email="Ada@Example.com")
    return visitor


async def begun(visitor: Visitor, **values: str) -> str:
    """Press the button; the address that the page leads to."""
    page = await visitor.post("/sign-in/openid", values)
    assert 200 == page.status_code, page.text
    found = re.search(r'http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    assert found, page.text
    return html.unescape(found.group(1))


async def signed_in(visitor: Visitor, provider: ScriptedProvider, **values: str) -> str:
    """The whole way; where it ends."""
    answer = await visitor.get(provider.answer(await begun(visitor, **values)))
    assert 303 == answer.status_code, answer.text
    return answer.headers["location"]


async def refused(visitor: Visitor, path: str) -> tuple[int, str]:
    """Status and code of a page that lets nobody in."""
    answer = await visitor.get(path)
    found = re.search(r"<dt>Code</dt><dd><code>(\w+)</code>", answer.text)
    assert found, (answer.status_code, answer.text)
    assert "keyturn-console=" not in answer.headers.get("set-cookie", "")
    return answer.status_code, found.group(1)


async def test_an_invited_person_signs_in(visitor: Visitor, provider: ScriptedProvider) -> None:
    """Linked by the verified e-mail the first time, known by issuer and subject from then on."""
    login = await visitor.get("/login?next=%2Fconnections")
    where = await signed_in(visitor, provider, next="/connections")
    home = await visitor.get("/connections")
    provider.claims = {"email": "another@example.com"}
    other = make_visitor(visitor.world)
    await signed_in(other, provider)
    people = await visitor.world.application.people.list()
    records, _ = await visitor.world.stores.audit.list()

    assert "Sign in with Example" in login.text
    assert 'name="next" value="/connections"' in login.text
    assert ("/connections", 200) == (where, home.status_code)
    assert [("Ada", f"{provider.issuer} 17", None)] == [(each.name, each.subject, each.email) for each in people]
    actions = [each.action for _, each in records]
    assert ["person.signed_in", "person.signed_in", "person.linked", "person.created"] == actions


async def test_what_is_asked_of_the_provider(visitor: Visitor, provider: ScriptedProvider) -> None:
    """A code with PKCE S256, state and nonce; the secret goes to the token endpoint, and nowhere else."""
    address = await begun(visitor)
    await visitor.get(provider.answer(address))

    for part in ("response_type=code", "code_challenge_method=S256", "scope=openid+email+profile"):
        assert part in address
    assert f"redirect_uri={ORIGIN}/sign-in/openid/callback".replace(":", "%3A").replace("/", "%2F") in address
    assert CLIENT_SECRET not in address
    assert provider.forms[0]["code_verifier"] not in address
    assert "client_secret" not in provider.forms[0]


@pytest.mark.parametrize(
    ("claims", "code"),
    [
        pytest.param({"nonce": "another"}, "openid_answer_invalid", id="another nonce"),
        pytest.param({"nonce": None}, "openid_answer_invalid", id="no nonce"),
        pytest.param({"iss": "https://evil.example"}, "openid_answer_invalid", id="another issuer"),
        pytest.param({"aud": "somebody-else"}, "openid_answer_invalid", id="for another client"),
        pytest.param({"aud": [CLIENT_ID, "other"]}, "openid_answer_invalid", id="for several without azp"),
        pytest.param({"azp": "other"}, "openid_answer_invalid", id="another authorized party"),
        pytest.param({"exp": 1_700_000_000 - 61}, "openid_answer_invalid", id="expired"),
        pytest.param({"iat": 1_700_000_000 + 61}, "openid_answer_invalid", id="from the future"),
        pytest.param({"exp": None}, "openid_answer_invalid", id="without an end"),
        pytest.param({"sub": 17}, "openid_answer_invalid", id="a subject that is no text"),
        pytest.param({"email": "eve@example.com"}, "openid_not_invited", id="not invited"),
        pytest.param({"email_verified": None}, "openid_not_invited", id="an e-mail that nobody verified"),
        pytest.param({"email_verified": "true"}, "openid_not_invited", id="verified as a text"),
    ],
)
async def test_a_token_that_lets_nobody_in(
    visitor: Visitor, provider: ScriptedProvider, claims: dict[str, Any], code: str
) -> None:
    """Each claim is checked; the refusal is recorded, and nobody was linked."""
    provider.claims = claims
    provider.userinfo = None
    found = await refused(visitor, provider.answer(await begun(visitor)))
    records, _ = await visitor.world.stores.audit.list(limit=1)

    assert code == found[1]
    assert ("person.sign_in_refused", code) == (records[0][1].action, records[0][1].outcome)
    assert [None] == [each.subject for each in await visitor.world.application.people.list()]


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({"exp": 1_700_000_000 - 59}, id="expired within the leeway"),
        pytest.param({"aud": [CLIENT_ID, "other"], "azp": CLIENT_ID}, id="for several, ours the party"),
        pytest.param({"iat": 1_700_000_000 + 59}, id="from a clock that is ahead"),
    ],
)
async def test_just_within(visitor: Visitor, provider: ScriptedProvider, claims: dict[str, Any]) -> None:
    """The neighbours of what is refused."""
    provider.claims = claims

    assert "/" == await signed_in(visitor, provider)


@pytest.mark.parametrize("alg", ["none", "HS256"])
async def test_only_key_pairs_sign(visitor: Visitor, provider: ScriptedProvider, alg: str) -> None:
    """Neither no signature, nor one made with the public key."""
    provider.alg = alg

    assert (502, "openid_answer_invalid") == await refused(visitor, provider.answer(await begun(visitor)))


async def test_a_signature_by_another_key(visitor: Visitor, provider: ScriptedProvider) -> None:
    """One that names a published key and was made by another."""
    provider.signs_with = "stolen"
    token = provider.id_token("n")
    provider.answers["/token"] = 200, {"id_token": token.replace(token.split(".")[2], "A" * 86)}
    provider.publishes = ["stolen"]

    assert (502, "openid_answer_invalid") == await refused(visitor, provider.answer(await begun(visitor)))


async def test_keys_are_rotated(visitor: Visitor, provider: ScriptedProvider) -> None:
    """A key that isn't at hand is looked for once; one that nobody publishes is refused after one look."""
    await signed_in(visitor, provider)
    provider.signs_with, provider.publishes = "second", ["first", "second"]
    await signed_in(visitor, provider)
    looked = provider.asked.count("/keys")
    provider.signs_with = "third"
    found = await refused(visitor, provider.answer(await begun(visitor)))

    assert (2, 3) == (looked, provider.asked.count("/keys"))
    assert "openid_answer_invalid" == found[1]


async def test_documents_are_kept_for_an_hour(visitor: Visitor, provider: ScriptedProvider, clock: FakeClock) -> None:
    """And read anew afterwards."""
    await signed_in(visitor, provider)
    await signed_in(visitor, provider)
    before = len([each for each in provider.asked if each != "/token"])
    clock.advance(KEPT_FOR_S)
    provider.now = clock.now()
    await signed_in(visitor, provider)

    assert (2, 4) == (before, len([each for each in provider.asked if each != "/token"]))


async def test_another_state_is_refused(visitor: Visitor, provider: ScriptedProvider) -> None:
    """One that this browser did not begin, none, twice one, one whose end was changed, and another browser's."""
    address = await begun(visitor)
    wrong = await refused(visitor, provider.answer(address, state="x" * 43))
    again = provider.answer(await begun(visitor))
    twice = await refused(visitor, f"{again}&state=x")
    none = await refused(visitor, provider.answer(await begun(visitor), state=None))
    other = make_visitor(visitor.world)
    foreign = await refused(other, provider.answer(await begun(visitor)))
    address = await begun(visitor)
    secret, _, _ = visitor.client.cookies[COOKIE].partition(".")
    changed = f"{secret}.WzE3MDAwMDAwMDAuMCwiL2tleXMiLGZhbHNlXQ"
    visitor.client.cookies.set(COOKIE, changed, domain="127.0.0.1", path="/")
    turned = await refused(visitor, provider.answer(address))

    assert {(400, "openid_state_mismatch")} == {wrong, twice, none, foreign, turned}
    assert [] == provider.forms


async def test_a_try_ends_after_ten_minutes(visitor: Visitor, provider: ScriptedProvider, clock: FakeClock) -> None:
    """Its answer counts no more."""
    address = await begun(visitor)
    clock.advance(LIVES_S)

    assert (400, "openid_state_mismatch") == await refused(visitor, provider.answer(address))


async def test_an_answer_counts_once(visitor: Visitor, provider: ScriptedProvider) -> None:
    """The browser forgets the try, and the provider the code."""
    answer = provider.answer(await begun(visitor))
    kept = visitor.client.cookies[COOKIE]
    first = await visitor.get(answer)
    again = await refused(visitor, answer)
    visitor.client.cookies.set(COOKIE, kept, domain="127.0.0.1", path="/")
    replayed = await refused(visitor, answer)

    assert 303 == first.status_code
    assert ((400, "openid_state_mismatch"), (400, "openid_state_mismatch")) == (again, replayed)
    assert 2 == len(provider.forms)


async def test_a_mix_up_is_noticed(visitor: Visitor, provider: ScriptedProvider, clock: FakeClock) -> None:
    """An answer that names another issuer, or none where the provider promises its name, costs no code."""
    other = await refused(visitor, provider.answer(await begun(visitor), iss="https://evil.example"))
    provider.metadata = {"authorization_response_iss_parameter_supported": True}
    clock.advance(KEPT_FOR_S)
    none = await refused(visitor, provider.answer(await begun(visitor), iss=None))

    assert ((502, "openid_answer_invalid"),) * 2 == (other, none)
    assert [] == provider.forms


async def test_the_provider_says_no(visitor: Visitor, provider: ScriptedProvider) -> None:
    """Its error is an answer of its own; its text is not shown."""
    address = await begun(visitor)
    path = provider.answer(address, code=None, error="access_denied", error_description="canary")

    assert (403, "openid_denied") == await refused(visitor, path)


@pytest.mark.parametrize(
    ("path", "answer", "code"),
    [
        pytest.param("/.well-known/openid-configuration", (500, {}), "openid_unavailable", id="no document"),
        pytest.param("/.well-known/openid-configuration", (200, b"["), "openid_unavailable", id="no JSON"),
        pytest.param(
            "/.well-known/openid-configuration", (200, {"issuer": "https://evil.example"}), "openid_answer_invalid",
            id="another issuer's document",
        ),
        pytest.param("/keys", (200, b"x" * 300_000), "openid_unavailable", id="too large a key set"),
        pytest.param("/keys", (200, {"keys": []}), "openid_answer_invalid", id="no key"),
        pytest.param("/token", (503, {}), "openid_unavailable", id="no token endpoint"),
        pytest.param("/token", (200, {"access_token": "a"}), "openid_answer_invalid", id="no ID token"),
        pytest.param("/token", (401, {"error": "invalid_client"}), "openid_client_refused", id="client unknown"),
    ],
)  # fmt: skip
async def test_a_provider_in_trouble(
    visitor: Visitor, provider: ScriptedProvider, path: str, answer: tuple[int, Any], code: str
) -> None:
    """A page with the code, and with another way in; nothing is kept of the failure."""
    address = "" if path.startswith("/.well") else await begun(visitor)
    provider.answers[path] = answer
    if address:
        found = await refused(visitor, provider.answer(address))
    else:
        page = await visitor.post("/sign-in/openid")
        found = page.status_code, code if code in page.text else page.text
    provider.answers.clear()

    assert code == found[1]
    assert "/" == await signed_in(visitor, provider)


async def test_the_way_out_is_guarded(provider: ScriptedProvider, clock: FakeClock) -> None:
    """Without the operator's allowance the private network is not reached for the provider either."""
    visitor = visitor_at(provider, clock, networks=())
    page = await visitor.post("/sign-in/openid")

    assert 503 == page.status_code
    assert "address_not_allowed" in page.text
    assert [] == provider.asked


async def test_a_provider_that_is_down(clock: FakeClock) -> None:
    """Links go on."""
    with running(clock.now()) as gone:
        visitor = visitor_at(gone, clock)
    page = await visitor.post("/sign-in/openid")

    assert 503 == page.status_code
    assert "openid_unavailable" in page.text
    await visitor.sign_in(Role.VIEWER)


async def test_roles_come_from_the_table(provider: ScriptedProvider, clock: FakeClock) -> None:
    """The strongest of the person's groups, at each sign-in; without one of them nobody comes in."""
    visitor = visitor_at(provider, clock, roles=ROLES, role_claim="realm.groups")
    provider.userinfo = {"sub": "17"}
    people = visitor.world.application.people
    await people.create("Ada", Role.ADMIN, OPERATOR, email="ada@example.com")
    none = await refused(visitor, provider.answer(await begun(visitor)))
    provider.claims = {"realm": {"groups": ["others"]}}
    wrong = await refused(visitor, provider.answer(await begun(visitor)))
    provider.claims = {"realm": {"groups": ["staff", "ops"]}}
    await signed_in(visitor, provider)
    at_first = [(each.name, each.role) for each in await people.list()]
    provider.claims = {"realm": {"groups": ["staff"]}}
    other = make_visitor(visitor.world)
    await signed_in(other, provider)

    assert {(403, "openid_role_missing")} == {none, wrong}
    assert [("Ada", Role.OPERATOR)] == at_first
    assert [("Ada", Role.VIEWER)] == [(each.name, each.role) for each in await people.list()]
    assert 303 == (await visitor.get("/")).status_code  # the role's change ended what was


async def test_who_comes_uninvited(provider: ScriptedProvider, clock: FakeClock) -> None:
    """With a verified e-mail of a domain and a role of the table somebody is made; with less nobody is."""
    visitor = visitor_at(provider, clock, roles=ROLES, domains=frozenset({"example.com"}))
    provider.claims = {"groups": ["staff"], "email": "eve@example.com.evil.example"}
    outside = await refused(visitor, provider.answer(await begun(visitor)))
    provider.claims = {"groups": ["staff"], "email_verified": False}
    unverified = await refused(visitor, provider.answer(await begun(visitor)))
    provider.claims = {"groups": ["staff"], "name": " Grace\u202e\n Hopper "}
    await signed_in(visitor, provider)
    found = [(each.name, each.role) for each in await visitor.world.application.people.list()]

    assert {(403, "openid_not_invited")} == {outside, unverified}
    assert [("Grace Hopper", Role.VIEWER)] == found


async def test_nobody_is_an_administrator_by_default(provider: ScriptedProvider, clock: FakeClock) -> None:
    """A claim that says so gives nothing where the operator's table doesn't name it."""
    visitor = visitor_at(provider, clock)
    provider.claims = {"groups": ["admin", "admins"], "role": "admin"}

    assert (403, "openid_not_invited") == await refused(visitor, provider.answer(await begun(visitor)))
    assert [] == list(await visitor.world.application.people.list())


async def test_userinfo_fills_in(visitor: Visitor, provider: ScriptedProvider) -> None:
    """Where the ID token has no e-mail; of somebody else it says nothing."""
    provider.claims = {"email": None, "email_verified": None}
    provider.userinfo = {"sub": "18", "email": "ada@example.com", "email_verified": True}
    foreign = await refused(visitor, provider.answer(await begun(visitor)))
    provider.userinfo = {**provider.userinfo, "sub": "17"}
    where = await signed_in(visitor, provider)

    assert ((502, "openid_answer_invalid"), "/") == (foreign, where)
    assert "Bearer access-canary" == provider.heads[-1]["authorization"]


@pytest.mark.parametrize(
    ("claims", "gets_in"),
    [
        pytest.param({}, False, id="nothing said"),
        pytest.param({"acr": "gold", "amr": ["pwd"]}, False, id="one factor"),
        pytest.param({"acr": "silver", "amr": ["pwd", "otp"]}, False, id="another class"),
        pytest.param({"acr": "gold", "amr": "otp"}, False, id="methods that are no list"),
        pytest.param({"acr": "gold", "amr": ["pwd", "otp"]}, True, id="both"),
    ],
)
async def test_a_second_factor(
    provider: ScriptedProvider, clock: FakeClock, claims: dict[str, Any], gets_in: bool
) -> None:
    """Asked for, and not believed of anything but the ID token."""
    visitor = visitor_at(provider, clock, acr=("gold",), amr=("mfa", "otp"))
    await visitor.world.application.people.create("Ada", Role.VIEWER, OPERATOR, email="ada@example.com")
    provider.claims = {"email": None, **claims}
    provider.userinfo = {
        "sub": "17", "email": "ada@example.com", "email_verified": True, "acr": "gold", "amr": ["otp"],
    }  # fmt: skip
    address = await begun(visitor)
    answer = await visitor.get(provider.answer(address))

    assert "acr_values=gold" in address
    assert (303 if gets_in else 403) == answer.status_code
    assert gets_in or "openid_second_factor_missing" in answer.text


async def test_signing_in_again(visitor: Visitor, provider: ScriptedProvider, clock: FakeClock) -> None:
    """What is typed waits in one tab; the provider asks anew in the other, and has to say that it did."""
    provider.claims = {"auth_time": int(clock.now())}
    person = (await visitor.world.application.people.list())[0]
    await visitor.world.application.people.set_role(person.id, Role.ADMIN, OPERATOR)
    await signed_in(visitor, provider)
    await visitor.get("/people")
    clock.advance(FRESH_S + 1)
    provider.now = clock.now()
    page = await visitor.post("/people", {"name": "Grace", "role": "viewer"})
    kept = inputs_of(page.text, "/people")
    address = await begun(visitor, again="1")
    stale = await refused(visitor, provider.answer(address))
    provider.claims = {"auth_time": int(clock.now())}
    where = await signed_in(visitor, provider, again="1")
    there = await visitor.get(where)
    done = await visitor.client.post("/people", data=kept, headers={"origin": ORIGIN})

    assert 'action="/sign-in/openid" target="_blank"' in page.text
    assert "prompt=login" in address
    assert "max_age=300" in address
    assert (403, "reauth_required") == stale
    assert "go on in the tab that asked for it" in there.text
    assert 200 == done.status_code
    assert ["Ada", "Grace"] == [each.name for each in await visitor.world.application.people.list()]


async def test_an_old_sign_in_at_the_provider_is_none_here(
    visitor: Visitor, provider: ScriptedProvider, clock: FakeClock
) -> None:
    """Who was signed in there already comes in, and is asked anew before what needs it."""
    person = (await visitor.world.application.people.list())[0]
    await visitor.world.application.people.set_role(person.id, Role.ADMIN, OPERATOR)
    provider.claims = {"auth_time": int(clock.now() - FRESH_S - 1)}
    await signed_in(visitor, provider)
    await visitor.get("/keys")
    old = await visitor.post("/keys/add")
    provider.claims = {}
    await signed_in(visitor, provider)
    await visitor.get("/keys")
    unknown = await visitor.post("/keys/add")

    assert (403, 403) == (old.status_code, unknown.status_code)


async def test_links_can_be_switched_off(provider: ScriptedProvider, clock: FakeClock) -> None:
    """But for the operator's own command line."""
    visitor = visitor_at(provider, clock, links=False)
    people = visitor.world.application.people
    person = await people.create("Ada", Role.ADMIN, OPERATOR)
    login = await visitor.get("/login")
    link, _ = await people.make_link(person.id, OPERATOR)
    assert 303 == (await visitor.post(link.reveal().removeprefix(ORIGIN))).status_code
    await visitor.get("/people")
    answer = await visitor.post(f"/people/{person.id}/link")

    assert "Sign in with Example" in login.text
    assert "administrator here makes one" not in login.text
    assert 403 == answer.status_code
    assert "sign_in_links_off" in answer.text


async def test_without_a_provider_there_is_no_button() -> None:
    """And nothing behind it."""
    visitor = make_visitor()
    login = await visitor.get("/login")
    posted = await visitor.post("/sign-in/openid")
    came = await visitor.get("/sign-in/openid/callback?code=x&state=y")

    assert "Sign in with" not in login.text
    assert (404, 404) == (posted.status_code, came.status_code)


async def test_a_button_of_another_site_does_nothing(visitor: Visitor, provider: ScriptedProvider) -> None:
    """Nobody is sent off to sign in by somebody else's page."""
    answer = await visitor.post("/sign-in/openid", None, **{"sec-fetch-site": "cross-site"})

    assert 403 == answer.status_code
    assert [] == provider.asked
