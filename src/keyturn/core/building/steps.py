"""The nine steps in words, in the order in which an author takes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Step:
    """One step. `keys`: what of the file belongs to it. `required`: a connector has to say something of it."""

    number: int
    title: str
    hint: str
    keys: tuple[str, ...]
    required: bool


STEPS: Final = (
    Step(
        1,
        "Configure fields",
        "What the connect form asks besides username and password, such as a region. Keep it minimal.",
        ("fields", "username", "password"),
        False,
    ),
    Step(
        2,
        "Token URL",
        "Where username and password are exchanged for a token, how they travel, and where the answer has the token.",
        (
            *("client", "token", "derive", "generate", "remember", "challenges", "failures", "limits", "tls"),
            *("client_address_header", "private_network", "insecure_http"),
        ),
        True,
    ),
    Step(
        3,
        "Refresh token URL",
        "How the connection is renewed without the person. Not every provider gives refresh tokens.",
        ("refresh", "login"),
        False,
    ),
    Step(
        4,
        "Revoke token URL",
        "Tells the provider when the person disconnects. Recommended: without it a token stays good there.",
        ("revoke", "session"),
        False,
    ),
    Step(
        5,
        "Test API",
        "A call that proves that the token works. Its answer feeds the name and the unique identifier.",
        ("test",),
        True,
    ),
    Step(6, "Connection name", "What people see in lists, made of the test's answer.", ("connection_name",), False),
    Step(
        7,
        "Allowed URLs",
        "The only places that a call or a test may reach. Keep them narrow.",
        ("allowed_urls",),
        True,
    ),
    Step(
        8,
        "Unique identifier",
        "What is the same whenever this account connects and never changes: one stored connection for one account.",
        ("unique_id", "on_duplicate"),
        True,
    ),
    Step(
        9,
        "Request parameters",
        "Headers, query and body values that are put on every request to the API.",
        ("request", "stale_when"),
        False,
    ),
)
BY_NUMBER: Final = {each.number: each for each in STEPS}


def step_of(pointer: str) -> int:
    """The step that a place of the file belongs to; 0 for the connector as a whole."""
    key = pointer.split("/")[1] if "/" in pointer else ""
    return next((each.number for each in STEPS if key in each.keys), 0)
