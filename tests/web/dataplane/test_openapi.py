"""What /openapi.json says of the data plane's calls is what they do."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from keyturn.bootstrap.front import make_front
from keyturn.core.problems import PROBLEMS
from keyturn.web.control.application import make_control
from keyturn.web.dataplane.application import DataPlane
from keyturn.web.dataplane.openapi import FORWARD_AUTH_CODES, OPENAPI_PATHS, TOKEN_CODES
from tests.fakes.application import ADMIN_KEY
from tests.web.dataplane.story import Story
from tests.web.dataplane.test_forward_auth import said

KEY = {"keyturn-key": ADMIN_KEY}


async def ready() -> dict[str, str]:
    """Everything is well."""
    return {"database": "ok"}


async def no_metrics() -> bytes:
    """No other zone has any."""
    return b""


async def no_pages(scope: Any, receive: Any, send: Any) -> None:
    """The zone of the pages, which nothing here asks for."""
    raise AssertionError(scope["path"])


@pytest.fixture
def front(story: Story) -> httpx.AsyncClient:
    """A client of all doors together."""
    application = story.world.application
    control = make_control(application, readiness=ready, metrics=no_metrics, other_paths=OPENAPI_PATHS)
    app = make_front(DataPlane(application), control, no_pages, no_pages)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://keyturn.test")


async def test_the_document_lists_them(front: httpx.AsyncClient) -> None:
    """Both calls stand in it, each with its scope; the proxy does not."""
    paths = (await front.get("/openapi.json")).json()["paths"]

    assert "token" == paths["/v1/connections/{connection_id}/token"]["post"]["x-required-scope"]
    assert "call" == paths["/v1/forward-auth"]["get"]["x-required-scope"]
    assert [] == [path for path in paths if path.startswith("/v1/proxy")]
    assert {"get", "delete"} == set(paths["/v1/connections/{connection_id}"])


async def test_the_answers_are_as_described(front: httpx.AsyncClient, story: Story) -> None:
    """The token's members are the described ones; both answers carry a date, since no API does it for them."""
    schema = OPENAPI_PATHS["/v1/connections/{connection_id}/token"]["post"]["responses"]["200"]["content"]
    wanted = schema["application/json"]["schema"]
    token = await front.post(f"/v1/connections/{story.connection_id}/token", headers=KEY)
    asked = {**KEY, **{name.decode(): value.decode() for name, value in said()}}
    added = await front.get("/v1/forward-auth", params={"connection": story.connection_id}, headers=asked)

    assert set(wanted["required"]) == set(wanted["properties"]) == set(token.json())
    apply = wanted["properties"]["apply"]
    assert set(apply["required"]) == set(token.json()["apply"]) == set(apply["properties"]) - {"only"}
    assert (200, 204) == (token.status_code, added.status_code)
    assert "date" in token.headers
    assert "date" in added.headers


@pytest.mark.parametrize(
    "path",
    [
        "/v1/connections/a%2Fb/token",
        "/v1/connections/cxn_0/%74oken",
        "/v1/connections/cxn_0/token/",
        "/v1/forward%2Dauth",
    ],
)
async def test_other_spellings_are_no_doors(front: httpx.AsyncClient, path: str) -> None:
    """A stranger is told nothing of them, and a key that there is no such path."""
    strangers = await front.post(path)
    keys = await front.post(path, headers=KEY)

    assert (401, 404) == (strangers.status_code, keys.status_code)


def test_codes_are_of_the_register() -> None:
    """Each code has its row, and stands once; forward-auth knows two statuses of refusal."""
    assert set(TOKEN_CODES) | set(FORWARD_AUTH_CODES) <= set(PROBLEMS)
    assert len(TOKEN_CODES) == len(set(TOKEN_CODES))
    assert {"204", "401", "403"} == set(OPENAPI_PATHS["/v1/forward-auth"]["get"]["responses"])
    assert json.dumps(dict(OPENAPI_PATHS))
