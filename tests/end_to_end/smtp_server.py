"""A mail server that takes every mail and keeps it (RFC 5321, as little of it as a client needs)."""

from __future__ import annotations

import contextlib
import socketserver
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Received:
    """One mail."""

    recipients: list[str]
    text: str


@dataclass
class MailBox:
    """What came in. `refuses`: the answer to the mail's content, where it is not to be taken."""

    port: int = 0
    refuses: str | None = None
    mails: list[Received] = field(default_factory=list)


@contextlib.contextmanager
def running_mail_server() -> Iterator[MailBox]:
    """One on a free port."""
    mailbox = MailBox()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            recipients: list[str] = []
            self.say("220 test")
            while line := self.rfile.readline():
                word = line.decode().strip()
                match word[:4].upper():
                    case "EHLO" | "HELO" | "RSET" | "NOOP" | "MAIL":
                        self.say("250 ok")
                    case "RCPT":
                        recipients.append(word.partition("<")[2].partition(">")[0])
                        self.say("250 ok")
                    case "DATA":
                        self.take(recipients)
                    case "QUIT":
                        self.say("221 bye")
                        return
                    case _:
                        self.say("502 no")

        def take(self, recipients: list[str]) -> None:
            self.say("354 go on")
            lines = []
            while (line := self.rfile.readline()) not in (b".\r\n", b""):
                lines.append(line.removeprefix(b"."))
            if mailbox.refuses is not None:
                self.say(mailbox.refuses)
                return
            mailbox.mails.append(Received(list(recipients), b"".join(lines).decode()))
            self.say("250 taken")

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    mailbox.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield mailbox
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)
