"""A mail server that keeps what it was sent."""

from __future__ import annotations

from keyturn.core.errors import MailUnavailable
from keyturn.ports.mail import Mail


class FakeMailer:
    """Keeps the mails; `failing`: so many of the next ones are refused."""

    def __init__(self) -> None:
        self.sent: list[Mail] = []
        self.failing = 0

    async def send(self, mail: Mail) -> None:
        """Keep it."""
        if self.failing:
            self.failing -= 1
            raise MailUnavailable("the mail server answered 451")
        self.sent.append(mail)
