"""A browser without JavaScript at the console, signed in as somebody with a role."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from keyturn.core.access.roles import Role
from keyturn.engine.actor import Actor
from keyturn.web.connect.form_preview import FormPreview
from keyturn.web.console.application import make_console
from keyturn.web.console.instance import Instance
from tests.fakes.application import FakeWorld, make_world

ORIGIN = "http://127.0.0.1:8800"


@dataclass
class Visitor:
    """Keeps its cookie, takes the form's token off the last page, follows nothing by itself."""

    world: FakeWorld
    client: httpx.AsyncClient
    token: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    async def get(self, path: str) -> httpx.Response:
        """Open a page."""
        answer = await self.client.get(path)
        found = re.search(r'name="form" value="([0-9a-f]{128})"', answer.text)
        self.token = found.group(1) if found else self.token
        return answer

    async def post(self, path: str, values: Mapping[str, str] | None = None, **more: str) -> httpx.Response:
        """Send a form with the token of the last page that had one; `more` are headers over the usual ones."""
        headers = {"origin": ORIGIN, "sec-fetch-site": "same-origin", **more}
        return await self.client.post(path, data={"form": self.token, **(values or {})}, headers=headers)

    async def sign_in(self, role: Role) -> str:
        """Make somebody with this role and sign in by a link; returns the person's id."""
        people = self.world.application.people
        person = await people.create(f"A {role.value}", role, Actor("operator"))
        link, _ = await people.make_link(person.id, Actor("operator"))
        answer = await self.post(link.reveal().removeprefix(ORIGIN))
        assert 303 == answer.status_code
        await self.get("/")
        return person.id


def make_visitor(world: FakeWorld | None = None, instance: Instance | None = None) -> Visitor:
    """A browser that holds nothing yet, at a fresh world's console."""
    world = world or make_world()
    app = make_console(
        world.application,
        version="0.0.0",
        instance=instance,
        connect_form=FormPreview(world.application.builder.suffixes),
    )
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return Visitor(world, httpx.AsyncClient(transport=transport, base_url=ORIGIN))
