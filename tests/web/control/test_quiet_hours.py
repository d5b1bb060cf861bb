"""Quiet hours over REST."""

from __future__ import annotations

import pytest

from tests.web.control.house import assert_problem, begin, new_key

PATH = "/v1/connectors/acme/quiet-hours"
NIGHT = {"zone": "Europe/Berlin", "windows": [{"from": "22:00", "to": "06:00", "days": ["mon", "fri"]}]}
NONE: dict[str, object] = {"connector": "acme", "zone": None, "windows": [], "strict": False, "quiet_until": None}


async def test_set_read_and_taken_back() -> None:
    """Each answer says how they stand; the clock of these tests shows Tuesday, 23:13 in Berlin."""
    house = await begin()
    before = (await house.call("GET", PATH)).json()
    put = (await house.call("PUT", PATH, NIGHT)).json()
    daily = {"zone": "Europe/Berlin", "strict": True, "windows": [{"from": "22:00", "to": "06:00"}]}
    now = (await house.call("PUT", PATH, daily)).json()
    taken = [(await house.call("DELETE", PATH)).status_code for _ in range(2)]

    assert NONE == before == (await house.call("GET", PATH)).json()
    assert {"connector": "acme", **NIGHT, "strict": False, "quiet_until": None} == put
    assert (True, 7, "2023-11-15T05:00:00.000Z") == (
        now["strict"], len(now["windows"][0]["days"]), now["quiet_until"],
    )  # fmt: skip
    assert [204, 204] == taken


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param({"zone": "Europe/Berlin", "windows": []}, ["/windows"], id="no window"),
        pytest.param({**NIGHT, "zone": "Europe/Atlantis"}, ["/zone"], id="no such zone"),
        pytest.param({**NIGHT, "windows": [{"from": "2", "to": "3"}]}, ["/windows/0/from", "/windows/0/to"], id="time"),
        pytest.param({**NIGHT, "from": "02:00"}, [""], id="an unknown member"),
    ],
)
async def test_what_is_wrong_is_said(body: dict[str, object], pointers: list[str]) -> None:
    """Every error with its place, and nothing is set."""
    house = await begin()
    refused = assert_problem(await house.call("PUT", PATH, body), 422, "validation_failed")

    assert pointers == [each["pointer"] for each in refused["errors"]]
    assert NONE == (await house.call("GET", PATH)).json()


async def test_keys_with_limits() -> None:
    """They are about everybody's connections, so a key of one owner sets none; another connector's does not see it."""
    house = await begin()
    of_owner = await new_key(house.world, "admin", owners=("owner-1",))
    of_another = await new_key(house.world, "admin", connectors=("other",))

    assert_problem(await house.call("PUT", PATH, NIGHT, key=of_owner), 403, "forbidden_scope")
    assert_problem(await house.call("GET", PATH, key=of_another), 404, "not_found")
    assert_problem(await house.call("PUT", "/v1/connectors/nowhere/quiet-hours", NIGHT), 404, "not_found")
