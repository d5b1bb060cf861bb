"""A caller of the example provider, for the tests of it: in this process or over a socket."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import httpx

from keyturn_example_provider.accounts import ACCOUNTS
from keyturn_example_provider.provider import Provider
from keyturn_example_provider.settings import DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET

CLIENT = (DEFAULT_CLIENT_ID, DEFAULT_CLIENT_SECRET)
DEMO, ODD, OTP = ACCOUNTS


@dataclass
class FakeClock:
    """A clock that moves when it is told to."""

    now: float = 1_800_000_000.0

    def __call__(self) -> float:
        """Give the time it was set to, seconds since the epoch."""
        return self.now


@dataclass
class Caller:
    """A client of one provider in this process."""

    provider: Provider
    http: httpx.AsyncClient
    clock: FakeClock
    log: io.StringIO = field(default_factory=io.StringIO)

    async def token(self, **form: str) -> httpx.Response:
        """Send a form to the token endpoint, the client by Basic."""
        return await self.http.post("/oauth/token", data=form, auth=CLIENT)

    async def log_in(self, username: str = DEMO.username, password: str = DEMO.password, **more: str) -> httpx.Response:
        """Log in by password."""
        return await self.token(grant_type="password", username=username, password=password, **more)

    async def refresh(self, refresh_token: str, **more: str) -> httpx.Response:
        """Spend a refresh token."""
        return await self.token(grant_type="refresh_token", refresh_token=refresh_token, **more)

    async def me(self, access_token: str) -> httpx.Response:
        """Ask who the access token is for."""
        return await self.http.get("/api/me", headers={"Authorization": f"Bearer {access_token}"})
