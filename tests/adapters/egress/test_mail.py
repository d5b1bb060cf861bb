"""Mail to the operator, against a server that speaks SMTP."""

from __future__ import annotations

import socket
from email import message_from_string
from email.policy import default

import pytest

from keyturn.adapters.egress.mail import MailServer, SmtpMailer, check_address, mail_server
from keyturn.core.errors import MailUnavailable
from keyturn.core.secret import Secret
from keyturn.ports.mail import Mail
from tests.end_to_end.smtp_server import running_mail_server

MAIL = Mail("keyturn: ä subject", "A line.\n.a line that begins with a dot\nAda’s account\n")
TO = ("ops@example.com", "on-call@example.com")


async def test_a_mail_arrives_as_it_was_written() -> None:
    """To each recipient, from the sender, as something that nobody answers."""
    with running_mail_server() as mailbox:
        await SmtpMailer(MailServer("smtp", "127.0.0.1", mailbox.port), "keyturn@example.com", TO).send(MAIL)
    (got,) = mailbox.mails
    read = message_from_string(got.text, policy=default)

    assert list(TO) == got.recipients
    assert ("keyturn@example.com", ", ".join(TO), MAIL.subject) == (read["From"], read["To"], read["Subject"])
    assert "auto-generated" == read["Auto-Submitted"]
    assert MAIL.text == read.get_content().replace("\r\n", "\n")


async def test_a_server_that_refuses_is_named_by_its_code_alone() -> None:
    """What it says may name an account."""
    with running_mail_server() as mailbox:
        mailbox.refuses = "452 no room for jo@example.com"
        mailer = SmtpMailer(MailServer("smtp", "127.0.0.1", mailbox.port), "keyturn@example.com", TO)
        with pytest.raises(MailUnavailable) as caught:
            await mailer.send(MAIL)

    assert "the mail server answered 452" == caught.value.detail


@pytest.mark.parametrize("kind", ["smtp", "smtps", "smtp+starttls"])
async def test_a_server_that_is_not_there_or_has_no_tls(kind: str) -> None:
    """No mail goes out in the clear where TLS was asked for."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = probe.getsockname()[1]
    with running_mail_server() as mailbox:
        for port in (nobody, mailbox.port) if kind != "smtp" else (nobody,):
            with pytest.raises(MailUnavailable):
                await SmtpMailer(MailServer(kind, "127.0.0.1", port), "keyturn@example.com", TO).send(MAIL)

    assert [] == mailbox.mails


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        pytest.param("smtp://mail.example", MailServer("smtp", "mail.example", 25), id="in the clear"),
        pytest.param("smtps://mail.example:4650/", MailServer("smtps", "mail.example", 4650), id="another port"),
        pytest.param(
            "smtp+starttls://jo%40x:a%2Fb@mail.example",
            MailServer("smtp+starttls", "mail.example", 587, "jo@x", Secret("a/b")),
            id="credentials",
        ),
    ],
)
def test_the_setting(url: str, expected: MailServer) -> None:
    """Where, how, and as whom."""
    assert expected == mail_server(Secret(url))
    assert "a/b" not in repr(expected)


@pytest.mark.parametrize(
    "url",
    [
        "smtp://jo:canary@mail.example", "smtps://jo@mail.example", "http://mail.example", "smtps://", "mail.example",
        "smtps://mail.example/canary", "smtps://mail.example:0", "smtps://mail.example:canary", "smtps://[canary",
    ],
)  # fmt: skip
def test_settings_that_cannot_be(url: str) -> None:
    """A password in the clear, half of the credentials, another protocol; nothing of it is said back."""
    with pytest.raises(ValueError, match="smtps://USER") as caught:
        mail_server(Secret(url))

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "ops", "a b@example.com", "a@b\r\nBcc: c@d", "Ops <ops@example.com>", "@x", "x@"])
def test_addresses_that_cannot_be(text: str) -> None:
    """Nothing that could make another header or recipient."""
    with pytest.raises(ValueError, match="an address such as"):
        check_address(text)
