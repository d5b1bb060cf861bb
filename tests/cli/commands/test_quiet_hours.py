"""`connector quiet-hours`: shown, set, added to, taken back."""

from __future__ import annotations

import pytest

from tests.cli.fake_server import FakeServer
from tests.cli.running import run

PATH = "/v1/connectors/acme/quiet-hours"
NIGHT = {"from": "02:00", "to": "04:00", "days": ["mon", "tue"]}
STANDING = {"connector": "acme", "zone": "Europe/Berlin", "windows": [NIGHT], "strict": True,
            "quiet_until": "2030-01-31T03:00:00.000Z"}  # fmt: skip
VERB = ("connector", "quiet-hours", "acme")


def test_shown(server: FakeServer) -> None:
    """Windows on standard output, the rest beside it; without windows, that."""
    server.answer(f"GET {PATH}", STANDING)
    ran = run(*VERB)
    server.answer(f"GET {PATH}", {**STANDING, "windows": [], "zone": None})
    none = run(*VERB)

    assert (0, "02:00-04:00  mon tue  Europe/Berlin\n") == (ran.code, ran.out)
    assert "Strict: " in ran.err
    assert "They last until " in ran.err
    assert (0, "", "acme has no quiet hours.\n") == (none.code, none.out, none.err)


def test_set_added_to_and_taken_back(server: FakeServer) -> None:
    """`--add` keeps zone, strictness and windows that are there; days are spelt out."""
    server.answer(f"PUT {PATH}", STANDING)
    server.answer(f"GET {PATH}", STANDING)
    server.answer(f"DELETE {PATH}", None, status=204)
    window = ("--from", "22:00", "--to", "06:00")
    codes = [
        run(*VERB, *window, "--zone", "UTC", "--days", "fri-sun").code,
        run(*VERB, *window, "--add").code,
        run(*VERB, "--clear").code,
    ]
    sent = [each.document for each in server.asked if each.method == "PUT"]

    assert [0, 0, 0] == codes
    assert [
        {"zone": "UTC", "strict": False,
         "windows": [{"from": "22:00", "to": "06:00", "days": ["fri", "sat", "sun"]}]},
        {"zone": "Europe/Berlin", "strict": True, "windows": [NIGHT, {"from": "22:00", "to": "06:00"}]},
    ] == sent  # fmt: skip
    assert "DELETE" == server.asked[-1].method


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("--from", "02:00", "--to", "04:00"), id="no zone"),
        pytest.param(("--zone", "UTC"), id="no times"),
        pytest.param(("--clear", "--strict"), id="both ways"),
    ],
)
def test_half_an_order_is_a_usage_error(server: FakeServer, options: tuple[str, ...]) -> None:
    """Nothing is sent."""
    ran = run(*VERB, *options)

    assert (2, []) == (ran.code, server.asked)
