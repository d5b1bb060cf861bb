"""Versions of a connector over REST: texts, what each changed, the way back; and steps as they would be sent."""

from __future__ import annotations

import json

from keyturn.engine.builder.previews import step_requests
from tests.web.control.house import House, assert_problem, begin
from tests.web.control.test_connectors import NEW, PATH, YAML, put

OTHER_HOST = NEW.replace("login.acme.example", "login.elsewhere.example")


async def two_versions() -> House:
    """`fresh` with two versions, and a draft that goes back to the first one's host under another title."""
    house = await begin()
    for text in (NEW, OTHER_HOST):
        await put(house, text)
        assert 201 == (await house.call("POST", f"{PATH}/publish")).status_code
    await put(house, NEW.replace("title: Acme", "title: Third"))
    return house


async def test_each_versions_text_is_kept() -> None:
    """Byte for byte; what is no version's number is not found."""
    house = await two_versions()
    first = await house.call("GET", f"{PATH}/versions/1", key="read")
    second = await house.call("GET", f"{PATH}/versions/2", key="read")

    assert (1, NEW) == (first.json()["version"], first.json()["source"])
    assert (2, OTHER_HOST) == (second.json()["version"], second.json()["source"])
    for wrong in ("3", "0", "01", "one", "9" * 30):
        assert_problem(await house.call("GET", f"{PATH}/versions/{wrong}", key="read"), 404, "not_found")


async def test_what_one_version_changes_of_another() -> None:
    """Named, or the one before; the draft is held against the newest."""
    house = await two_versions()
    second = (await house.call("GET", f"{PATH}/diff?new=2", key="read")).json()
    first = (await house.call("GET", f"{PATH}/diff?new=1", key="read")).json()
    back = (await house.call("GET", f"{PATH}/diff?new=1&old=2", key="read")).json()
    draft = (await house.call("GET", f"{PATH}/diff", key="read")).json()
    missing = await house.call("GET", f"{PATH}/diff?new=9", key="read")

    assert (1, 2) == (second["old"], second["new"])
    assert second["changes"][0]["risky"]
    assert "login.elsewhere.example" in second["changes"][0]["sentence"]
    assert any(line.startswith("+token: ") and "elsewhere" in line for line in second["text"])
    assert (None, 1) == (first["old"], first["new"])
    assert (2, 1) == (back["old"], back["new"])
    assert any(line.startswith("-token: ") and "elsewhere" in line for line in back["text"])
    assert (2, None) == (draft["old"], draft["new"])
    assert_problem(missing, 404, "not_found")


async def test_where_only_advice_differs_that_is_said() -> None:
    """Publishing corrects the newest version then."""
    house = await begin()
    await put(house, NEW)
    await house.call("POST", f"{PATH}/publish")
    await put(house, NEW + "retires: {on: 2031-01-01}\n")
    draft = (await house.call("GET", f"{PATH}/diff", key="read")).json()

    assert "1" in draft["correction"]


async def test_going_back_to_a_version() -> None:
    """Its text becomes the draft, and the next version once it is published; what was published stays."""
    house = await two_versions()
    seen = (await house.call("GET", PATH)).headers["etag"]
    await put(house, NEW.replace("title: Acme", "title: Fourth"))
    slow = await house.call("POST", f"{PATH}/versions/1/rollback", headers={"if-match": seen})
    back = await house.call("POST", f"{PATH}/versions/1/rollback")
    published = await house.call("POST", f"{PATH}/publish")
    missing = await house.call("POST", f"{PATH}/versions/9/rollback")

    assert_problem(slow, 412, "version_conflict")
    assert (200, NEW) == (back.status_code, back.json()["draft"]["source"])
    assert 2 == back.json()["version"]["version"]
    assert (3, "published") == (published.json()["version"], published.json()["result"])
    assert OTHER_HOST == (await house.call("GET", f"{PATH}/versions/2")).json()["source"]
    assert_problem(missing, 404, "not_found")


async def test_a_step_is_shown_as_it_would_be_sent() -> None:
    """By the code that sends: of the draft, of a version, and of a text that is nowhere stored."""
    house = await two_versions()
    await house.call("PUT", f"{PATH}/client", {"client_id": "id-canary", "client_secret": "secret-canary"})
    draft = await house.call("GET", f"{PATH}/preview?step=2", key="read")
    second = await house.call("GET", f"{PATH}/preview?step=2&version=2", key="read")
    text = OTHER_HOST.encode()
    given = await house.call("POST", "/v1/connectors/nowhere/preview?step=2", raw=text, kind=YAML)
    [(title, made)] = step_requests(await house.world.application.edit_connector.read(NEW), 2)
    request = draft.json()["requests"][0]["request"]

    assert not isinstance(made, str)
    assert title == draft.json()["requests"][0]["title"]
    assert (made.method, made.url, made.body) == (request["method"], request["url"], request["body"])
    assert "password=‹password›" in request["body"]
    assert "login.elsewhere.example" in second.json()["requests"][0]["request"]["url"]
    assert second.json() == given.json()
    assert "canary" not in draft.text + second.text + given.text


async def test_a_step_that_is_none() -> None:
    """A step is one of nine; one without a request shows none; a text with errors is answered as when it is written."""
    house = await two_versions()
    nothing = await house.call("GET", f"{PATH}/preview?step=6", key="read")
    wrong = await house.call("POST", f"{PATH}/preview?step=2", raw=b"keyturn: 1\n", kind=YAML)

    assert [] == nothing.json()["requests"]
    assert_problem(wrong, 422, "connector_invalid")
    for query in ("", "?step=0", "?step=10", "?step=x"):
        assert_problem(await house.call("GET", f"{PATH}/preview{query}", key="read"), 422, "validation_failed")


async def test_what_a_connector_can_begin_with() -> None:
    """What comes along reads as a connector of its own id."""
    house = await begin()
    rows = (await house.call("GET", "/v1/catalogue", key="read")).json()["data"]
    texts = [(await house.call("GET", f"/v1/catalogue/{row['id']}", key="read")).json() for row in rows]

    assert {"directus", "matrix"} <= {row["id"] for row in rows}
    for row, text in zip(rows, texts, strict=True):
        connector = await house.world.application.edit_connector.read(text["source"])
        assert (row["id"], row["title"]) == (connector.id, connector.title)
    assert_problem(await house.call("GET", "/v1/catalogue/none", key="read"), 404, "not_found")


async def test_a_curl_command_becomes_a_text() -> None:
    """It can be written as it is; nothing of the person's is in it, nor in what is remembered of the request."""
    house = await begin()
    curl = "curl https://login.acme.example/token -d grant_type=password -d username=ada-canary -d password=pw-canary"
    path = "/v1/connectors/pasted/from-curl"
    made = await house.call("POST", path, {"curl": curl}, headers={"idempotency-key": "k1"})
    saved = await house.call("PUT", "/v1/connectors/pasted", raw=made.json()["source"].encode(), kind=YAML)
    broken = await house.call("POST", path, {"curl": "curl 'https://a"})
    no_id = await house.call("POST", "/v1/connectors/Not_One/from-curl", {"curl": curl})

    assert "https://login.acme.example/token" in made.json()["source"]
    assert "canary" not in made.text
    assert 201 == saved.status_code
    errors = assert_problem(broken, 422, "validation_failed")["errors"]
    assert [("/curl", 1)] == [(each["pointer"], each["line"]) for each in errors]
    assert_problem(no_id, 422, "validation_failed")
    assert "canary" not in json.dumps(house.world.stores.database.writes, default=str)
