"""What every door tells a browser, asked of the product's own table of calls and pages, behind https."""

from __future__ import annotations

from dataclasses import dataclass, replace

import httpx
import pytest

from keyturn.bootstrap.front import AsgiApp, https_only, make_front
from keyturn.core.access.roles import Role
from keyturn.engine.actor import Actor
from keyturn.web.connect.app import make_connect
from keyturn.web.console.application import make_console
from keyturn.web.console.pages import ALL
from keyturn.web.control.application import OPERATIONS, make_control
from keyturn.web.dataplane.application import DataPlane
from tests.fakes.application import ADMIN_KEY
from tests.web.connect.browsing import Site, make_site
from tests.web.control.house import metrics

ORIGIN = "https://k.example"
OWN_FORM = {"origin": ORIGIN, "sec-fetch-site": "same-origin", "content-type": "application/x-www-form-urlencoded"}
CONNECT = (
    "/c/none", "/connect/none/sign-in", "/connect/none/code", "/connect/none/state", "/connect/none/done", "/my/none",
    "/my/none/disconnect",
)  # fmt: skip
ELSEWHERE = ("/", "/none", "/c/", "/static/none/none.css", "/v1", "/v1/none", "/v1/connections/none/token")
PROXIED = ("/v1/proxy/none/x", "/v1/forward-auth")
EXPECTED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "strict-transport-security": "max-age=63072000; includeSubDomains",
}


@dataclass
class Instance:
    """All doors of one world, by https, and a browser before them that follows nothing."""

    site: Site
    client: httpx.AsyncClient

    async def sign_in(self) -> httpx.Response:
        """An administrator, by a link."""
        people = self.site.world.application.people
        person = await people.create("Ada", Role.ADMIN, Actor("operator"))
        link, _ = await people.make_link(person.id, Actor("operator"))
        path = "/sign-in/" + link.reveal().rpartition("/")[2]
        return await self.client.post(path, headers=OWN_FORM)


@pytest.fixture
async def instance() -> Instance:
    """As bootstrap puts it together where the public URL is https."""
    site = await make_site(public_url=ORIGIN)
    application = replace(site.world.application, public_url=ORIGIN)

    async def readiness() -> dict[str, str]:
        return {"database": "ok"}

    app: AsgiApp = https_only(
        make_front(
            DataPlane(application),
            make_control(application, readiness=readiness, metrics=metrics),
            make_connect(application),
            make_console(application, version="0.0.0"),
        )
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return Instance(site, httpx.AsyncClient(transport=transport, base_url=ORIGIN))


def lacks(answer: httpx.Response) -> list[str]:
    """What an answer of ours should say and doesn't."""
    missing = [name for name, value in EXPECTED.items() if [value] != answer.headers.get_list(name)]
    policy = answer.headers.get("content-security-policy", "")
    missing += [word for word in ("default-src 'none'", "frame-ancestors 'none'") if word not in policy]
    missing += [name for name in answer.headers if name.startswith("access-control-") or name == "server"]
    return missing


def calls() -> list[tuple[str, str, str]]:
    """Method, path and key of each call, page and unknown place, with and without the key."""
    places = [(each.method, each.path) for each in OPERATIONS]
    places += [(each.method, each.path) for each in ALL]
    places += [(method, path) for path in (*CONNECT, *ELSEWHERE) for method in ("GET", "POST", "DELETE")]
    return [(m.upper(), path.replace("{", "").replace("}", ""), key) for m, path in places for key in ("", ADMIN_KEY)]


async def test_every_door_says_what_browsers_may_do(instance: Instance) -> None:
    """The walk over all calls and pages, known and unknown, signed in and not: no frame, no cache, no guess, https."""
    wrong, walked, statuses = [], calls(), set()
    for signed_in in (False, True):
        if signed_in:
            await instance.sign_in()
        for method, path, key in walked:
            headers = {"authorization": f"Bearer {key}"} if key else {}
            answer = await instance.client.request(method, path, headers=headers)
            statuses.add(answer.status_code)
            if fault := lacks(answer):
                wrong.append(f"{method} {path} {answer.status_code}: {fault}")

    assert len(OPERATIONS) + len(ALL) < len(walked)
    assert [] == sorted(set(wrong))
    assert {200, 303, 401, 404, 405} <= statuses


@pytest.mark.parametrize("path", PROXIED)
async def test_a_call_that_is_refused_is_kept_by_nobody(path: str, instance: Instance) -> None:
    """The data plane's own answers: no cache, no guess; https from now on."""
    answer = await instance.client.get(path)

    assert 400 <= answer.status_code < 500
    assert "no-store" == answer.headers["cache-control"]
    assert EXPECTED["strict-transport-security"] == answer.headers["strict-transport-security"]


async def test_cookies_are_for_this_host_and_https(instance: Instance) -> None:
    """Each cookie that any page sets: `__Host-`, Secure, HttpOnly, SameSite, the whole host and no other."""
    link = "/c/" + (await instance.site.link()).rpartition("/")[2]
    answers = [
        await instance.sign_in(),
        await instance.client.get(f"{link}?lang=de"),
        await instance.client.post(link, headers=OWN_FORM),
    ]
    cookies = [each for answer in answers for each in answer.headers.get_list("set-cookie")]
    names = {each.partition("=")[0] for each in cookies}

    assert {"__Host-keyturn-console", "__Host-keyturn-language", "__Host-keyturn-connect"} == names
    for cookie in cookies:
        flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
        assert {"secure", "httponly", "path=/"} <= flags
        assert {"samesite=strict", "samesite=lax"} & flags
        assert not any(flag.startswith("domain") for flag in flags)
