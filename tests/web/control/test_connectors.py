"""Connectors over REST: write, check, publish, read."""

from __future__ import annotations

import asyncio
import json
import threading

import pytest

from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.core.reading import Document
from keyturn.web.control.routes.connectors import EXAMPLE
from tests.web.control.house import CANARY, House, assert_problem, begin

NEW = EXAMPLE.replace("connector: acme", "connector: fresh")
PATH = "/v1/connectors/fresh"
YAML = "application/yaml"


async def put(house: House, text: str = NEW, headers: dict[str, str] | None = None) -> str:
    """Write the draft; returns its tag."""
    answer = await house.call("PUT", PATH, raw=text.encode(), kind=YAML, headers=headers)
    assert answer.status_code in (200, 201)
    return answer.headers["etag"]


async def test_a_draft_is_made_and_written_over() -> None:
    """201, then 200; the text comes back byte for byte with what the linter finds."""
    house = await begin()
    first = await house.call("PUT", PATH, raw=NEW.encode(), kind=YAML)
    changed = NEW + "\n# ü\n"
    second = await house.call("PUT", PATH, raw=changed.encode(), kind=YAML)
    read = await house.call("GET", PATH, key="read")

    assert (201, 200) == (first.status_code, second.status_code)
    assert PATH == first.headers["location"]
    assert (1, 2) == (first.json()["draft"]["revision"], second.json()["draft"]["revision"])
    assert second.json() == read.json()
    assert (changed, None, False) == (
        read.json()["draft"]["source"], read.json()["version"], read.json()["client_id_set"]
    )  # fmt: skip
    assert {"K401"} <= {each["code"] for each in read.json()["findings"]}
    assert second.headers["etag"] == read.headers["etag"] != first.headers["etag"]


async def test_a_connector_may_be_written_as_json() -> None:
    """YAML contains JSON, and so does this call."""
    house = await begin()
    document = {
        "keyturn": 1,
        "connector": "fresh",
        "title": "Fresh",
        "trust": {"reason": "legacy", "note": "There is nothing else."},
        "token": {"url": "https://login.acme.example/oauth/token"},
        "test": {"url": "https://api.acme.example/v1/me"},
        "allowed_urls": ["https://api.acme.example/v1"],
        "unique_id": "{{ test.id }}",
    }
    answer = await house.call("PUT", PATH, raw=json.dumps(document, indent=2).encode())

    assert 201 == answer.status_code


async def test_every_error_is_said_at_once_and_nothing_is_saved() -> None:
    """With line and column, and without a word of the text."""
    house = await begin()
    wrong = f'keyturn: 1\nconnector: fresh\ntitle: ""\n{CANARY}: 1\ntoken: {{url: "{CANARY}"}}\n'
    errors = assert_problem(await house.call("PUT", PATH, raw=wrong.encode(), kind=YAML), 422, "connector_invalid")

    assert 3 <= len(errors["errors"])
    assert all({"pointer", "code", "message", "line", "column"} <= set(each) for each in errors["errors"])
    assert_problem(await house.call("GET", PATH), 404, "not_found")


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff\xfe\x00", id="no UTF-8"),
        pytest.param(b"a: &x [*x]", id="an alias"),
        pytest.param(b"[" * 100_000, id="a depth bomb"),
        pytest.param(b"a: \x00", id="NUL"),
        pytest.param("a: \ud800".encode("utf-8", "surrogatepass"), id="half a character"),
        pytest.param(NEW.replace("fresh", "another").encode(), id="another id than the path's"),
    ],
)
@pytest.mark.parametrize("call", ["PUT ", "POST /lint"])
async def test_texts_that_are_no_connector(raw: bytes, call: str) -> None:
    """Each is a 422 of the same kind, on both calls; the id matters only where something is saved."""
    house = await begin()
    method, _, rest = call.partition(" ")
    answer = await house.call(method, PATH + rest, raw=raw, kind=YAML)

    if b"another" in raw and method == "POST":
        assert 200 == answer.status_code
    else:
        assert_problem(answer, 422, "connector_invalid")


async def test_lint_saves_nothing() -> None:
    """It says what writing would say."""
    house = await begin()
    answer = await house.call("POST", f"{PATH}/lint", raw=NEW.encode(), kind=YAML)
    blocked = await house.call("POST", f"{PATH}/lint", raw=NEW.replace("trust:", "# ").encode(), kind=YAML)

    assert (200, True) == (answer.status_code, answer.json()["publishable"])
    assert {"code", "name", "severity", "step", "pointer", "message", "remedy"} == set(answer.json()["findings"][0])
    assert (200, False) == (blocked.status_code, blocked.json()["publishable"])
    assert_problem(await house.call("GET", PATH), 404, "not_found")


async def test_publish() -> None:
    """Each new text is the next version; the same text again is the same version."""
    house = await begin()
    assert_problem(await house.call("POST", f"{PATH}/publish"), 404, "not_found")
    numbers = []
    for text in (NEW, NEW, NEW.replace("title: Acme", "title: Fresh")):
        await put(house, text)
        answer = await house.call("POST", f"{PATH}/publish")
        numbers.append((answer.status_code, answer.json()["version"]))
    read = (await house.call("GET", PATH)).json()
    listed = (await house.call("GET", f"{PATH}/versions", key="read")).json()

    assert [(201, 1), (201, 1), (201, 2)] == numbers
    assert (2, "Fresh") == (read["version"]["version"], read["title"])
    assert [2, 1] == [each["version"] for each in listed["data"]]
    assert listed["next_cursor"] is None


@pytest.mark.parametrize(
    ("cursor", "count"),
    [
        ("1", 1),
        ("3", 3),
        ("99", 3),
        ("0", 0),
        ("-1", 0),
        ("x", 0),
        ("1e9", 0),
        ("1234567890x", 0),
        ("999999999", 3),
        ("9" * 4096, 0),
    ],
)
async def test_versions_are_paged(cursor: str, count: int) -> None:
    """A cursor that names no version leads to none."""
    house = await begin()
    for title in ("One", "Two", "Three"):
        await put(house, NEW.replace("title: Acme", f"title: {title}"))
        await house.call("POST", f"{PATH}/publish")
    page = (await house.call("GET", f"{PATH}/versions?limit=2")).json()
    rest = (await house.call("GET", f"{PATH}/versions?limit=2&cursor={page['next_cursor']}")).json()

    assert [[3, 2], [1]] == [[each["version"] for each in one["data"]] for one in (page, rest)]
    assert count == len((await house.call("GET", f"{PATH}/versions?cursor={cursor}")).json()["data"])


async def test_errors_of_the_linter_block_publishing() -> None:
    """A draft may have them, a version may not."""
    house = await begin()
    await put(house, NEW.replace("trust:", "# "))
    problem = assert_problem(await house.call("POST", f"{PATH}/publish"), 409, "publish_blocked")

    assert ["K001"] == [each["code"] for each in problem["errors"]]
    assert [] == (await house.call("GET", f"{PATH}/versions")).json()["data"]


@pytest.mark.parametrize(
    ("client_id", "secret", "stored"),
    [
        pytest.param("id", "s3cret", True, id="both"),
        pytest.param("id", None, False, id="null"),
        pytest.param("id", "", False, id="empty"),
        pytest.param("id", ..., False, id="absent"),
    ],
)
async def test_the_client_is_set_and_never_shown(client_id: str, secret: object, stored: bool) -> None:
    """204; afterwards only that there is one can be seen."""
    house = await begin()
    await put(house)
    body = {"client_id": client_id} | ({} if secret is ... else {"client_secret": secret})
    answer = await house.call("PUT", f"{PATH}/client", body)
    kept = await house.world.stores.connectors.client("fresh")
    read = await house.call("GET", PATH)

    assert (204, "") == (answer.status_code, answer.text)
    assert kept is not None
    assert stored == bool(kept.client_secret)
    assert read.json()["client_id_set"]
    assert "s3cret" not in read.text


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param({"client_id": ""}, ["/client_id"], id="empty"),
        pytest.param({"client_id": "x" * 4097}, ["/client_id"], id="long id"),
        pytest.param({"client_id": "a\nb"}, ["/client_id"], id="a new line"),
        pytest.param({"client_id": "x", "client_secret": "x" * 4097}, ["/client_secret"], id="long secret"),
        pytest.param({"client_secret": CANARY}, ["/client_id"], id="no id"),
    ],
)
async def test_a_client_that_cannot_be(body: dict[str, str], pointers: list[str]) -> None:
    """It is refused with its place, and not repeated."""
    house = await begin()
    await put(house)
    answer = await house.call("PUT", f"{PATH}/client", body)

    assert pointers == [each["pointer"] for each in assert_problem(answer, 422, "validation_failed")["errors"]]
    assert CANARY not in answer.text


async def test_a_client_of_no_connector() -> None:
    """There has to be a draft first."""
    house = await begin()

    assert_problem(await house.call("PUT", f"{PATH}/client", {"client_id": "x"}), 404, "not_found")


async def test_two_authors_do_not_write_over_each_other() -> None:
    """The tag that was read has to be the draft's, for writing and for publishing."""
    house = await begin()
    old = await put(house, headers={"if-none-match": "*"})
    new = await put(house, NEW.replace("title: Acme", "title: Fresh"), headers={"if-match": old})
    for headers in ({"if-match": old}, {"if-none-match": "*"}):
        answer = await house.call("PUT", PATH, raw=NEW.encode(), kind=YAML, headers=headers)
        assert_problem(answer, 412, "version_conflict")
    stale = await house.call("POST", f"{PATH}/publish", headers={"if-match": old})

    assert_problem(stale, 412, "version_conflict")
    assert 201 == (await house.call("POST", f"{PATH}/publish", headers={"if-match": new})).status_code
    assert "Fresh" == (await house.call("GET", PATH)).json()["title"]


async def test_a_connector_that_is_not_there_has_no_tag_to_match() -> None:
    """`If-Match: *` asks for one that exists."""
    house = await begin()
    answer = await house.call("PUT", PATH, raw=NEW.encode(), kind=YAML, headers={"if-match": "*"})

    assert_problem(answer, 412, "version_conflict")


async def test_the_list() -> None:
    """By id, with what one wants to know at a glance."""
    house = await begin()
    await put(house)
    rows = (await house.call("GET", "/v1/connectors", key="read")).json()["data"]

    assert [("acme", 1, True, True), ("fresh", None, True, False)] == [
        (each["id"], each["latest_version"], each["has_draft"], each["client_id_set"]) for each in rows
    ]


async def test_connecting_needs_a_version_and_a_client() -> None:
    """Said before a password is looked at, with the address of the call that mends it."""
    house = await begin()
    await put(house)
    body = {"connector": "fresh", "owner": "o"}
    unpublished = assert_problem(await house.call("POST", "/v1/connections", body), 409, "connector_not_published")
    await house.call("POST", f"{PATH}/publish")
    without = assert_problem(await house.call("POST", "/v1/connections", body), 409, "connector_client_missing")

    assert [unpublished["next_action"]["url"], without["next_action"]["url"]] == [
        f"http://127.0.0.1:8800{PATH}/publish",
        f"http://127.0.0.1:8800{PATH}/client",
    ]


@pytest.mark.parametrize("path", [PATH, f"{PATH}/lint"])
async def test_a_file_that_takes_long_to_read_holds_nobody_up(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls go on while a large file is read that is wrong everywhere."""
    house, go_on = await begin(), threading.Event()
    read = YamlCatalogue.read

    def slow(catalogue: YamlCatalogue, source: str | bytes) -> Document:
        assert go_on.wait(10), "nobody else had a turn"
        return read(catalogue, source)

    monkeypatch.setattr(YamlCatalogue, "read", slow)
    method = "PUT" if path == PATH else "POST"
    reading = asyncio.create_task(house.call(method, path, raw=NEW.encode(), kind=YAML))
    await asyncio.sleep(0.05)
    meanwhile = await house.call("GET", house.path)
    go_on.set()

    assert 200 == meanwhile.status_code
    assert (await reading).status_code in (200, 201)


async def test_a_note_is_kept_with_the_version() -> None:
    """With who published it, in the list and in the connector; one that is no line publishes nothing."""
    house = await begin()
    await put(house)
    refused = assert_problem(await house.call("POST", f"{PATH}/publish", {"note": "a\nb"}), 422, "validation_failed")
    await house.call("POST", f"{PATH}/publish", {"note": "the new host"})
    row = (await house.call("GET", f"{PATH}/versions")).json()["data"][0]
    version = (await house.call("GET", PATH)).json()["version"]

    assert "/note" == refused["errors"][0]["pointer"]
    assert ("the new host", 1) == (row["note"], row["version"])
    assert row["published_by"].startswith("key:")
    assert (row["note"], row["published_by"]) == (version["note"], version["published_by"])
