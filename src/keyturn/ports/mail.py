"""Mail to the operator. Promises: `tests/adapters/egress/test_mail.py`, against a server that speaks SMTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Mail:
    """One message of plain text; sender and recipients are the operator's settings."""

    subject: str
    text: str


class Mailer(Protocol):
    """Sends mail."""

    async def send(self, mail: Mail) -> None:
        """Send it once; MailUnavailable where the server can't be reached, refuses, or takes too long."""
        ...
