"""People over REST: invited by e-mail, and how that is taken back."""

from __future__ import annotations

from dataclasses import replace

from keyturn.engine.actor import Actor
from keyturn.engine.people.people import AskingBrowser, People
from tests.web.control.house import House, assert_problem, begin


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


async def signed_in(house: House, name: str) -> tuple[str, str]:
    """Somebody's id, and the cookie of one browser."""
    people = house.world.application.people
    person = (await house.call("POST", "/v1/people", {"name": name, "role": "viewer"})).json()["id"]
    return person, await another_browser(people, person)


async def another_browser(people: People, person: str) -> str:
    """Sign one more browser in."""
    link, _ = await people.make_link(person, Actor("operator"))
    _, cookie = await people.sign_in(link.reveal().rpartition("/")[2], AskingBrowser("Firefox"))
    return cookie.reveal()


async def test_sessions_are_listed_and_ended() -> None:
    """One, or all of a person; another's is not found, and stays."""
    house = await begin()
    people = house.world.application.people
    ada, first = await signed_in(house, "Ada")
    second = await another_browser(people, ada)
    eve, others = await signed_in(house, "Eve")
    path = f"/v1/people/{ada}/sessions"
    rows = (await house.call("GET", path)).json()["data"]
    eves = (await house.call("GET", f"/v1/people/{eve}/sessions")).json()["data"]
    foreign = await house.call("DELETE", f"{path}/{eves[0]['id']}")
    one = await house.call("DELETE", f"{path}/{rows[0]['id']}")
    left = [await people.of_cookie(each) is not None for each in (first, second)]
    everywhere = await house.call("DELETE", path)

    assert (2, "Firefox") == (len(rows), rows[0]["agent"])
    assert first not in str(rows)
    assert_problem(foreign, 404, "not_found")
    assert (204, 1) == (one.status_code, sum(left))
    assert 204 == everywhere.status_code
    assert [None, None] == [await people.of_cookie(each) for each in (first, second)]
    assert await people.of_cookie(others) is not None
    for method, address in (("GET", path), ("DELETE", path), ("DELETE", f"{path}/ses_1")):
        gone = address.replace(ada, "per_none")
        assert_problem(await house.call(method, gone), 404, "not_found")
