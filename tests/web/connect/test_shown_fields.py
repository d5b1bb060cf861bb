"""Fields that only some people are asked for, and the key of an authenticator app."""

from __future__ import annotations

import pytest

from keyturn.core.connector import Field, FieldType
from keyturn.web.connect.inputs import may_have_letters
from tests.web.connect.browsing import CANARY, CONNECTOR, ME, TOKEN, make_site

SEED = "JBSWY3DPEHPK3PXP"  # a canary as well
FIELDS = """\
fields:
  - {key: place, label: Place, type: choice, choices: {cloud: Cloud, own: Own server}}
  - {key: beta, label: Beta, type: boolean, visible_when: {place: [cloud]}}
  - {key: tenant, label: Tenant, visible_when: {place: [cloud]}}
client:"""
WITH_FIELDS = CONNECTOR.replace("client:", FIELDS).replace(
    'oauth/token"}', 'oauth/token", params: {p: "{{ place }}", t: "{{ tenant }}", u: "{{ username }}", '
    'w: "{{ password }}"}}'
)  # fmt: skip
WITH_SEED = CONNECTOR.replace(
    "client:", "fields:\n  - {key: seed, label: Key of your app, type: totp_seed, required: false}\nclient:"
).replace('oauth/token"}', 'oauth/token", params: {u: "{{ username }}", w: "{{ password }}", o: "{{ seed }}"}}')


@pytest.mark.parametrize(
    ("place", "asked"),
    [pytest.param("cloud", True, id="what the answer needs"), pytest.param("own", False, id="and nothing else")],
)
async def test_an_answer_decides_what_is_asked_beside_the_password(place: str, asked: bool) -> None:
    """It comes first, on a page of its own, as no script may be needed to hide the rest."""
    site = await make_site(WITH_FIELDS, replies=(TOKEN, ME))
    browser = site.browser()
    details = await site.sign_in_page(browser)
    sign_in = await browser.submit(details, field__place=place)
    given = {"field__tenant": "t1"} if asked else {}
    done = await browser.submit(sign_in, 0, username="jo", password=CANARY, **given)

    assert {"form", "field.place"} == set(details.parsed.forms[0].inputs)
    assert asked == ("field.tenant" in sign_in.parsed.forms[0].inputs)
    assert asked == ("field.beta" in sign_in.parsed.forms[0].inputs)
    assert "Your Acme CRM account is connected" == done.title
    assert asked == (b"t=t1" in (site.world.egress.requests[0].body or b""))


@pytest.mark.parametrize(
    ("place", "asked"), [pytest.param("own", False, id="needless"), pytest.param("cloud", True, id="needed")]
)
async def test_what_is_hidden_on_the_same_page_is_passed_over(place: str, asked: bool) -> None:
    """A box that the answer before it makes needless keeps nobody from going on, and decides nothing."""
    source = WITH_FIELDS.replace("visible_when: {place: [cloud]}}\nclient", "visible_when: {beta: [true]}}\nclient")
    site = await make_site(source)
    browser = site.browser()
    details = await site.sign_in_page(browser)
    sign_in = await browser.submit(details, field__place=place, field__beta="true")

    assert {"form", "field.place", "field.beta"} == set(details.parsed.forms[0].inputs)
    assert sign_in.url.endswith("/sign-in")
    assert asked == ("field.tenant" in sign_in.parsed.forms[0].inputs)


async def test_a_seed_is_kept_only_with_consent() -> None:
    """Asked for beside the seed, unticked; without it nothing is sent, and nothing is kept."""
    site = await make_site(WITH_SEED, replies=(TOKEN, ME))
    browser = site.browser()
    page = await site.sign_in_page(browser)
    refused = await browser.submit(page, username="jo", password=CANARY, field__seed=SEED)
    sent_before = len(site.world.egress.requests)
    done = await browser.submit(
        refused, username="jo", password=CANARY, field__seed=f"{SEED[:4]} {SEED[4:]}", keep_totp_seed="on"
    )

    assert "checked" not in page.parsed.forms[0].inputs["keep_totp_seed"]
    assert "Also kept" not in page.text
    assert 422 == refused.status
    assert "Tick the box if “Key of your app” may be kept, or leave it empty" in refused.text
    assert 0 == sent_before
    assert "Your Acme CRM account is connected" == done.title
    assert "From the form: Key of your app." in done.text
    assert [False, False] == [each in browser.everything() for each in (SEED, CANARY)]


async def test_no_seed_needs_no_consent() -> None:
    """Both are left empty by whoever does not want it."""
    site = await make_site(WITH_SEED.replace(', o: "{{ seed }}"', ""), replies=(TOKEN, ME))
    browser = site.browser()
    done = await browser.submit(await site.sign_in_page(browser), username="jo", password=CANARY)

    assert "Your Acme CRM account is connected" == done.title


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        pytest.param(None, False, id="nothing said"),
        pytest.param("[0-9]{6}", False, id="digits"),
        pytest.param(r"\d{6,8}", False, id="a class of digits"),
        pytest.param("[0-9A-F]{6}", True, id="letters"),
        pytest.param(r"\w+", True, id="a class with letters"),
        pytest.param(".{6}", True, id="anything"),
        pytest.param("[^x]{6}", True, id="all but"),
    ],
)
def test_a_keyboard_of_digits_only_for_digits(pattern: str | None, expected: bool) -> None:
    """Who has a code with letters must be able to type it."""
    assert expected == may_have_letters(Field("otp", "Code", FieldType.OTP, pattern=pattern))
