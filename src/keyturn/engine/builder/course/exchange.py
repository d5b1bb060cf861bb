"""The way out of a trial: the same as everybody's, watched, so that a row can tell what came back and when."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import urljoin, urlsplit

from keyturn.core.errors import KeyturnError
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.urls.hostnames import HostError, normalise_host
from keyturn.ports.clock import Clock
from keyturn.ports.egress import Egress, EgressPolicy

UNREADABLE: Final = "an address that can't be read"


@dataclass(slots=True)
class WatchedEgress:
    """Sends as the egress that it stands before, and remembers the last answer, or why there was none.

    `redirects_to`: the host that the answer points to, not masked; empty where it is no redirect.
    """

    egress: Egress
    clock: Clock
    answer: Answer | None = field(default=None, repr=False)
    ms: int | None = None
    error: KeyturnError | None = None
    redirects_to: str = field(default="", repr=False)

    async def send(self, request: OutgoingRequest, policy: EgressPolicy) -> Answer:
        """See the port."""
        began = self.clock.monotonic()
        self.begin()
        try:
            self.answer = await self.egress.send(request, replace(policy, transport_facts=True))
        except KeyturnError as error:
            self.error = error
            raise
        finally:
            self.ms = round((self.clock.monotonic() - began) * 1000)
        self.redirects_to = redirect_host(request.url, self.answer)
        return self.answer

    def begin(self) -> None:
        """Forget the last exchange: the next row may have none."""
        self.answer, self.ms, self.error, self.redirects_to = None, None, None, ""


def redirect_host(url: str, answer: Answer) -> str:
    """Where a redirect points: host and port, where it is another than the usual, and nothing else of it."""
    location = answer.value("location")
    if not 300 <= answer.status < 400 or location is None:
        return ""
    try:
        parts = urlsplit(urljoin(url, location))
        host, port = normalise_host(parts.netloc.rpartition("@")[2].removesuffix(f":{parts.port}")), parts.port
    except (ValueError, HostError):
        return UNREADABLE
    return host if port is None else f"{host}:{port}"
