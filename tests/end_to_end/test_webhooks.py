"""Webhooks between real processes: two servers on one database, and a receiver that misbehaves."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.receiver import Receiver, running_receiver
from tests.end_to_end.running import (
    CHECKOUT,
    Server,
    connect,
    example_connector,
    install_connector,
    running_provider,
    running_server,
    wait_for,
)
from tests.end_to_end.smtp_server import MailBox, running_mail_server

PAGE = CHECKOUT / "docs" / "how-to" / "webhooks.md"


@dataclass(frozen=True)
class Story:
    """What is shared by the module."""

    server: Server
    receiver: Receiver
    mailbox: MailBox
    webhooks: dict[str, dict[str, Any]]


@pytest.fixture(scope="module", name="story")
def _story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Two servers, an endpoint for each manner, and one account that is connected."""
    where = tmp_path_factory.mktemp("webhooks")
    with (
        running_receiver() as receiver,
        running_mail_server() as mailbox,
        running_provider() as provider,
    ):
        env = {"KEYTURN_SMTP_URL": f"smtp://127.0.0.1:{mailbox.port}", "KEYTURN_MAIL_TO": "ops@example.com"}
        with running_server(where, env=env) as first:
            second = Server(where / "data", where / "second.log", env=env).start()
            try:
                receiver.answers = {"/again": [500, 204], "/gone": [410], "/moved": [302]}
                receiver.hang_s = 1.0
                made = {}
                for name in ("ok", "again", "gone", "moved", "hang"):
                    body = {"url": receiver.url(f"/{name}"), "events": ["connection.*"]}
                    made[name] = first.ask("POST", "/v1/webhooks", body).json()
                away = {"url": "http://169.254.169.254/latest", "events": ["connection.*"]}
                made["away"] = first.ask("POST", "/v1/webhooks", away).json()
                connector = install_connector(first, example_connector(provider.port))
                assert connect(first, connector, provider.username, provider.password).status == 201
                yield Story(first, receiver, mailbox, made)
            finally:
                second.stop()


def deliveries(story: Story, name: str) -> list[dict[str, Any]]:
    """Those of an endpoint, newest first."""
    path = f"/v1/webhooks/{story.webhooks[name]['id']}/deliveries"
    found: list[dict[str, Any]] = story.server.ask("GET", path).json()["data"]
    return found


def verifier() -> Any:
    """The function that the page shows, as it stands there."""
    code = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code.group(1), names)  # noqa: S102  (the point: the page's own code runs)
    return names["verify"]


def test_the_page_verifies_what_comes(story: Story) -> None:
    """A real message passes; a changed body, another secret, and an old one do not."""
    headers, body = wait_for(lambda: story.receiver.of("/ok"))[0]
    verify, secret = verifier(), story.webhooks["ok"]["secret"]
    old = {**headers, "webhook-timestamp": str(int(headers["webhook-timestamp"]) - 3600)}

    assert "connection.created" == verify(body, headers, secret)["type"]
    another = story.webhooks["again"]["secret"]
    for bad in ((body + b" ", headers, secret), (body, headers, another), (body, old, secret)):
        with pytest.raises(ValueError, match="webhook"):
            verify(*bad)


def test_each_event_comes_once_from_two_processes(story: Story) -> None:
    """Both follow the same log."""
    wait_for(lambda: story.receiver.of("/ok"))
    wait_for(lambda: deliveries(story, "ok")[0]["state"] == "delivered")
    ids = Counter(headers["webhook-id"] for headers, _ in story.receiver.of("/ok"))

    assert {1} == set(ids.values())
    assert len(deliveries(story, "ok")) == len(ids)


def test_a_failure_comes_again_with_the_same_id(story: Story) -> None:
    """500, then 204."""
    done = wait_for(lambda: [each for each in deliveries(story, "again") if each["state"] == "delivered"], timeout_s=30)
    ids = [headers["webhook-id"] for headers, _ in story.receiver.of("/again")]

    assert (2, 204, None) == (done[0]["tries"], done[0]["status"], done[0]["code"])
    assert 1 == len(set(ids[:2]))


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        pytest.param("moved", 302, "webhook_refused", id="a redirect is not followed"),
        pytest.param("away", None, "address_not_allowed", id="a cloud's metadata is not asked"),
    ],
)
def test_what_fails_says_why(story: Story, name: str, status: int | None, code: str) -> None:
    """The list has status and code."""
    found = wait_for(lambda: [each for each in deliveries(story, name) if each["tries"]])

    assert (status, code) == (found[0]["status"], found[0]["code"])
    assert [] == story.receiver.of("/elsewhere")


def test_a_slow_receiver_is_waited_for(story: Story) -> None:
    """Within the limit."""
    found = wait_for(lambda: [each for each in deliveries(story, "hang") if each["state"] == "delivered"])

    assert found[0]["took_s"] >= 1.0


def test_gone_disables_and_the_operator_gets_mail(story: Story) -> None:
    """The webhook says why; the mail names it, and holds no secret."""
    path = f"/v1/webhooks/{story.webhooks['gone']['id']}"
    wait_for(lambda: not story.server.ask("GET", path).json()["enabled"])
    mail = wait_for(lambda: story.mailbox.mails)[0]

    assert "webhook_gone" == story.server.ask("GET", path).json()["disabled_code"]
    assert ["ops@example.com"] == mail.recipients
    assert "Subject: keyturn: a webhook was disabled" in mail.text
    assert story.webhooks["gone"]["id"] in mail.text
    assert "whsec_" not in mail.text


def test_events_can_be_asked_for(story: Story) -> None:
    """The same ones, oldest first, and where to go on."""
    wait_for(lambda: story.receiver.of("/ok"))
    found = story.server.ask("GET", "/v1/events").json()
    (sent,) = {headers["webhook-id"] for headers, _ in story.receiver.of("/ok")}

    assert sent in [each["id"] for each in found["data"]]
    assert [] == story.server.ask("GET", f"/v1/events?after={found['next_cursor']}").json()["data"]


def test_no_secret_in_the_log_or_the_data(story: Story) -> None:
    """Of all endpoints, in both logs and the whole data directory."""
    wait_for(lambda: story.receiver.of("/ok"))
    files = [path for path in Path(story.server.log.parent).rglob("*") if path.is_file()]
    secrets = [each["secret"].encode() for each in story.webhooks.values()]

    assert len(files) >= 3
    assert [] == [path.name for path in files for secret in secrets if secret in path.read_bytes()]
