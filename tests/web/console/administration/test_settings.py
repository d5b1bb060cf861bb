"""Settings at the console: values with their sources, secrets only as set or not, the log's level for a while."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from keyturn.bootstrap.observing.instance import instance_of
from keyturn.bootstrap.settings import read_settings
from keyturn.core.access.roles import Role
from keyturn.web.console.instance import Instance, ShownSetting
from keyturn.web.dataplane.openapi import OPENAPI_PATHS
from keyturn.web.kit.brand import Brand
from tests.web.console.visiting import Visitor, make_visitor

CANARIES = {
    "KEYTURN_ADMIN_API_KEY": "canary-admin-key-0123456789-0123456789",
    "KEYTURN_SMTP_URL": "smtps://jo:canary-smtp@mail.example",
    "KEYTURN_EGRESS_PROXY": "http://jo:canary-proxy@proxy.example:3128",
    "KEYTURN_KEYS": "file:/run/canary-keys",
    "KEYTURN_DATABASE_URL": "sqlite:////run/canary-database",
}


@dataclass
class Switch:
    """Remembers what was asked for."""

    state: tuple[str, str, float | None] = ("info", "info", None)

    def set(self, level: str, for_s: float) -> None:
        """Note it."""
        self.state = (level, "info", for_s)


async def visitor_at(instance: Instance, role: Role = Role.ADMIN) -> Visitor:
    """Somebody at a console that is told this."""
    visitor = make_visitor(instance=instance)
    await visitor.sign_in(role)
    return visitor


async def test_values_and_where_they_come_from(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A default, the environment, a file, and a flag that stands over the environment."""
    monkeypatch.setenv("KEYTURN_OPERATOR_NAME", "Ledgerly GmbH")
    monkeypatch.setenv("KEYTURN_LISTEN", "127.0.0.1:1")
    (tmp_path / "color").write_text("#14508c\n")
    monkeypatch.setenv("KEYTURN_BRAND_COLOR_FILE", str(tmp_path / "color"))
    instance = instance_of(read_settings(listen="127.0.0.1:2"), Switch(), {})
    page = (await (await visitor_at(instance)).get("/settings")).text

    assert "<code>KEYTURN_OPERATOR_NAME</code></th><td>Ledgerly GmbH</td><td>environment</td>" in page
    assert "<code>KEYTURN_BRAND_COLOR</code></th><td>#14508c</td><td>file named by the environment</td>" in page
    assert "<code>KEYTURN_LISTEN</code></th><td>127.0.0.1:2</td><td>command that started the server</td>" in page
    assert "<code>KEYTURN_LIMIT_SIGNIN</code></th><td>600</td><td>default</td>" in page


async def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may hold one is set, or is not."""
    unset = (await (await visitor_at(instance_of(read_settings(), Switch(), {}))).get("/settings")).text
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    page = (await (await visitor_at(instance_of(read_settings(), Switch(), {}))).get("/settings")).text

    assert "canary" not in page
    for name in CANARIES:
        assert f"<code>{name}</code></th><td>set, not shown</td><td>environment</td>" in page
        assert f'<code>{name}</code></th><td><span class="quiet">not set</span></td><td>default</td>' in unset


async def test_more_in_the_log_for_a_while() -> None:
    """Switched and recorded by name of who did it; another level or span does nothing."""
    switch = Switch()
    visitor = await visitor_at(Instance(log_level=switch))
    page = (await visitor.get("/settings")).text
    wrong = await visitor.post("/settings/log-level", {"level": "all", "span": "600"})
    before = switch.state
    done = await visitor.post("/settings/log-level", {"level": "debug", "span": "3600"})
    records, _ = await visitor.world.stores.audit.list(limit=1)

    assert "This process logs at <b>info</b>" in page
    assert (422, ("info", "info", None)) == (wrong.status_code, before)
    assert "/settings?said=log_level" == done.headers["location"]
    assert ("debug", "info", 3600) == switch.state
    assert ("instance.log_level_set", {"level": "debug", "for_s": 3600}) == (records[0][1].action, records[0][1].facts)
    assert records[0][1].actor.startswith("person:")


async def test_a_process_without_a_log_of_its_own() -> None:
    """Offers nothing, and refuses."""
    visitor = await visitor_at(Instance())

    assert "/settings/log-level" not in (await visitor.get("/settings")).text
    assert 404 == (await visitor.post("/settings/log-level", {"level": "debug", "span": "600"})).status_code


async def test_which_calls_there_are() -> None:
    """The control plane's and the data plane's, each with the scope that it needs; a viewer may look."""
    instance = instance_of(read_settings(), Switch(), OPENAPI_PATHS)
    page = (await (await visitor_at(instance, Role.VIEWER)).get("/api/docs")).text

    assert "<code>/v1/keys/destroy-passwords</code>" in page
    assert "Hand out a connection&#39;s access token" in page
    assert 60 < len(instance.calls)
    assert all(each.title for each in instance.calls)


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        pytest.param("", 200, "#0a7d4f</code> reads well", id="as it is set"),
        pytest.param("?color=%23c2410c", 200, "KEYTURN_BRAND_COLOR=#c2410c", id="another one that reads well"),
        pytest.param("?color=%23ffcc00", 200, "can&#39;t be used:</b> its contrast with the page is", id="too light"),
        pytest.param("?color=red", 422, 'id="color-error1"', id="none"),
    ],
)
async def test_how_the_connect_page_looks(query: str, status: int, text: str) -> None:
    """A picture of its head in both themes, and whether people can read it; a colour is tried without being set."""
    visitor = await visitor_at(Instance(brand=Brand("#0a7d4f", b"\x89PNG", "https://help.example")))
    answer = await visitor.get(f"/settings/appearance{query}")

    assert status == answer.status_code
    assert text.replace("&#39;", "'") in answer.text.replace("&#39;", "'")
    assert 2 == answer.text.count("data:image/png;base64,iVBORw==")
    assert "light theme" in answer.text
    assert "dark theme" in answer.text


async def test_the_settings_lead_to_the_picture() -> None:
    """And only administrators see it."""
    instance = Instance((ShownSetting("KEYTURN_BRAND_COLOR", "default", "", False),))

    assert "/settings/appearance" in (await (await visitor_at(instance)).get("/settings")).text
    assert 403 == (await (await visitor_at(instance, Role.VIEWER)).get("/settings/appearance")).status_code
