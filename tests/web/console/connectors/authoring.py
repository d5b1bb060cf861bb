"""An author before a draft, over a world of fakes."""

from __future__ import annotations

import html
import re

from keyturn.core.access.roles import Role
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from tests.engine.builder.texts import text
from tests.web.console.visiting import Visitor, make_visitor

OPERATOR = Actor("operator")


async def author(source: str | None = None, role: Role = Role.AUTHOR, *, published: bool = False) -> Visitor:
    """Somebody signed in, and the draft of `acme`."""
    visitor = make_visitor()
    application = visitor.world.application
    await application.edit_connector.save("acme", source if source is not None else text(), OPERATOR)
    await application.edit_connector.set_client("acme", "client", Secret("client-secret-canary"), OPERATOR)
    if published:
        await application.edit_connector.publish("acme", OPERATOR)
    await visitor.sign_in(role)
    return visitor


async def source_of(visitor: Visitor) -> str:
    """The draft's text as it is stored."""
    draft = await visitor.world.application.connectors.draft("acme")
    assert draft is not None
    return draft.source


def inputs_of(page: str, action: str) -> dict[str, str]:
    """What a browser would send of the form with this action, as it stands."""
    form = page[page.index(f'action="{action}"') :]
    form = form[: form.index("</form>")]
    found: dict[str, str] = {}
    for tag in re.findall(r"<input [^>]*>", form):
        name, kind = _attribute(tag, "name"), _attribute(tag, "type")
        if name and (kind not in ("checkbox", "radio", "file") or " checked" in tag):
            found[name] = _attribute(tag, "value")
    for name, body in re.findall(r'<textarea [^>]*name="([^"]+)"[^>]*>(.*?)</textarea>', form, re.DOTALL):
        found[name] = html.unescape(body.removeprefix("\n"))
    for name, body in re.findall(r'<select [^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.DOTALL):
        options = re.findall(r'<option value="([^"]*)"( selected)?', body)
        found[name] = html.unescape(next((value for value, chosen in options if chosen), options[0][0]))
    return found


def _attribute(tag: str, name: str) -> str:
    found = re.search(rf' {name}="([^"]*)"', tag)
    return html.unescape(found.group(1)) if found else ""
