"""Mail by the operator's own SMTP server.

Rule 1: server and addresses are the operator's settings, not a connector's: they are not judged as a provider's are,
and nothing but mail to the operator goes there.
Rule 2: the password goes out over TLS only; where the URL asks for no TLS there are no credentials.
Rule 3: what the server answers is not passed on: it may name accounts.

Sources: RFC 5321 (SMTP), RFC 3207 (STARTTLS), RFC 8314 (implicit TLS), RFC 5322 (the message).
"""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, localtime, make_msgid
from typing import Final
from urllib.parse import unquote, urlsplit

import aiosmtplib

from keyturn.adapters.tls_rules import certificate_fault, machine_context
from keyturn.core.errors import MailUnavailable
from keyturn.core.secret import Secret
from keyturn.ports.mail import Mail

TIMEOUT_S: Final = 20.0
PORTS: Final = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
FORM: Final = "smtps://USER:PASSWORD@HOST, smtp+starttls://USER:PASSWORD@HOST, or smtp://HOST without credentials"
# One address as people have them; odder ones (quoted local parts, literals) are refused.
_ADDRESS: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9.-]{1,255}")


@dataclass(frozen=True, slots=True)
class MailServer:
    """`kind`: `smtp` (in the clear), `smtp+starttls` or `smtps`."""

    kind: str
    host: str
    port: int
    username: str | None = None
    password: Secret | None = field(default=None, repr=False)


def mail_server(url: Secret) -> MailServer:
    """Read the setting; ValueError says what would be right, and nothing of what stands there."""
    try:
        parts = urlsplit(url.reveal())
        port = parts.port
    except ValueError:
        raise ValueError(FORM) from None
    extra = parts.path.strip("/") or parts.query or parts.fragment
    if parts.scheme not in PORTS or not parts.hostname or extra or port == 0:
        raise ValueError(FORM)
    given = (parts.username is not None, parts.password is not None)
    if given not in ((False, False), (True, True)) or (parts.scheme == "smtp" and given[0]):
        raise ValueError(FORM)
    return MailServer(
        parts.scheme,
        parts.hostname,
        port or PORTS[parts.scheme],
        unquote(parts.username) if parts.username is not None else None,
        Secret(unquote(parts.password)) if parts.password is not None else None,
    )


def check_address(text: str) -> str:
    """An address, as it is; ValueError where it is none that mail is sent to here."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("an address such as ops@example.com")
    return text


class SmtpMailer:
    """Promises: the port's. A connection of its own for each mail: there are few."""

    def __init__(
        self, server: MailServer, sender: str, recipients: tuple[str, ...], tls: ssl.SSLContext | None = None
    ) -> None:
        """`tls`: used as it is; the system's authorities where None."""
        self._server = server
        self._sender = sender
        self._recipients = recipients
        self._tls = tls

    async def send(self, mail: Mail) -> None:
        """Send it once."""
        server, message = self._server, self._message(mail)
        password = server.password.reveal() if server.password is not None else None
        try:
            await aiosmtplib.send(
                message,
                sender=self._sender,
                recipients=list(self._recipients),
                hostname=server.host,
                port=server.port,
                username=server.username,
                password=password,
                use_tls=server.kind == "smtps",
                start_tls=server.kind == "smtp+starttls",
                tls_context=self._tls if self._tls is not None else machine_context(),
                timeout=TIMEOUT_S,
            )
        except aiosmtplib.SMTPResponseException as error:
            raise MailUnavailable(f"the mail server answered {error.code}") from None
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            fault = certificate_fault(error)
            why = f"the mail server's certificate was refused: {fault}" if fault else type(error).__name__
            raise MailUnavailable(f"the mail could not be sent: {why}") from None

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage(policy=SMTP)
        message["From"] = self._sender
        message["To"] = ", ".join(self._recipients)
        message["Subject"] = mail.subject
        message["Date"] = format_datetime(localtime())
        message["Message-ID"] = make_msgid(domain=self._sender.rpartition("@")[2])
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers
        message.set_content(mail.text)
        return message
