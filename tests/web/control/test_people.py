"""People over REST: invited by e-mail, and how that is taken back."""

from __future__ import annotations

from dataclasses import replace

from tests.web.control.house import assert_problem, begin


async def test_an_invitation_over_rest() -> None:
    """Made, changed and taken back; of one e-mail there is one."""
    house = await begin()
    made = await house.call("POST", "/v1/people", {"name": "Ada", "role": "operator", "email": "Ada@Example.com"})
    taken = await house.call("POST", "/v1/people", {"name": "Eve", "role": "viewer", "email": "ada@example.com"})
    wrong = await house.call("POST", "/v1/people", {"name": "Eve", "role": "viewer", "email": "ada"})
    path = f"/v1/people/{made.json()['id']}"
    back = await house.call("PATCH", path, {"email": ""})
    nothing = await house.call("PATCH", path, {})
    both = await house.call("PATCH", path, {"email": "ada@example.org", "role": "admin"})

    assert ("ada@example.com", False) == (made.json()["email"], made.json()["linked"])
    for answer in (taken, wrong):
        assert "/email" == assert_problem(answer, 422, "validation_failed")["errors"][0]["pointer"]
    assert_problem(nothing, 422, "validation_failed")
    assert (200, None) == (back.status_code, back.json()["email"])
    assert ("ada@example.org", "admin") == (both.json()["email"], both.json()["role"])


async def test_a_new_invitation_unlinks() -> None:
    """Whoever was linked is so no more."""
    house = await begin()
    made = await house.call("POST", "/v1/people", {"name": "Ada", "role": "viewer"})
    store = house.world.stores.people
    person = await store.load(made.json()["id"])
    assert person is not None
    await store.save(replace(person, subject="https://id.example 17"))
    listed = await house.call("GET", "/v1/people")
    changed = await house.call("PATCH", f"/v1/people/{person.id}", {"email": "ada@example.com"})

    assert [True] == [each["linked"] for each in listed.json()["data"]]
    assert (False, "ada@example.com") == (changed.json()["linked"], changed.json()["email"])
    assert await store.find_subject("https://id.example 17") is None
