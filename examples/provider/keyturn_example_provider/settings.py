"""What can be set from outside. The client secret comes from the environment, never from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

ID_VARIABLE = "EXAMPLE_PROVIDER_CLIENT_ID"
SECRET_VARIABLE = "EXAMPLE_PROVIDER_CLIENT_SECRET"  # noqa: S105 - the name of a variable
DEFAULT_CLIENT_ID = "acme-client"
DEFAULT_CLIENT_SECRET = "acme-secret-for-trying-out-only"  # noqa: S105 - printed in the README


@dataclass(frozen=True, slots=True)
class Settings:
    """How the server behaves. Lives are in seconds. `max_sessions`: logins of an account that live at once; 0: any."""

    access_ttl_s: int = 60
    refresh_ttl_s: int = 86_400
    client_id: str = DEFAULT_CLIENT_ID
    client_secret: str = field(default=DEFAULT_CLIENT_SECRET, repr=False)
    debug_endpoints: bool = False
    max_sessions: int = 0

    @property
    def has_made_up_secret(self) -> bool:
        """Whether the client secret is the README's: anybody may see it."""
        return self.client_secret == DEFAULT_CLIENT_SECRET


def read_client(environment: Mapping[str, str]) -> tuple[str, str]:
    """Give the client id and secret that `environment` sets, each with its default when absent or empty."""
    return (
        environment.get(ID_VARIABLE) or DEFAULT_CLIENT_ID,
        environment.get(SECRET_VARIABLE) or DEFAULT_CLIENT_SECRET,
    )
