"""The pages that say “do this, and you see that” are followed to the letter, against a live `keyturn dev`."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.docs.pages import Block, page
from tests.docs.walkthrough import PLAIN_CURL, as_pattern, assert_seen, keyturn_dev

TO_A_FIRST_CALL_S = 120


FOLLOWED = (
    "README.md",
    "docs/tutorial/first-connection.md",
    "docs/how-to/connect-links.md",
    "docs/how-to/answer-a-challenge.md",
)


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_page_can_be_followed(name: str, tmp_path: Path) -> None:
    """Each command of the page works, each thing the person does has the effect, each output is as shown."""
    followed = page(name)
    shell = [block for block in followed.blocks() if block.info == "sh"]
    begun = time.monotonic()
    with keyturn_dev(tmp_path) as walk:
        walk.follow(followed)

        assert len(shell) == len(walk.outputs)
        assert time.monotonic() - begun < TO_A_FIRST_CALL_S


def test_the_stand_in_for_curl_does_what_the_pages_need(tmp_path: Path) -> None:
    """On a machine without curl the same page is followed with ours."""
    with keyturn_dev(tmp_path) as walk:
        walk.curl = PLAIN_CURL
        walk.follow(page("docs/how-to/connect-links.md"))

        assert "unconfirmed" not in walk.outputs[-1]


@pytest.mark.parametrize(
    ("wanted", "seen", "same"),
    [
        pytest.param("cxn_… ● active … you", "cxn_12  ● active  Dana  you", True, id="anything between"),
        pytest.param("open http://127.0.0.1:8800/c/…", "open http://127.0.0.1:40001/c/x", True, id="this run's port"),
        pytest.param("exit code 7", "exit code 5", False, id="another number"),
        pytest.param("state … ● active", "state  ‖ paused", False, id="another state"),
    ],
)
def test_as_pattern(wanted: str, seen: str, same: bool) -> None:
    """Dots stand for anything, all else for itself."""
    assert same == (as_pattern(wanted).fullmatch(" ".join(seen.split())) is not None)


def test_assert_seen() -> None:
    """Lines have to be seen in their order."""
    block = Block("page", 1, "text", "one\n…\ntwo\n", None)
    assert_seen(block, "zero\none\nmore\ntwo\n")

    with pytest.raises(AssertionError, match="not seen: two"):
        assert_seen(block, "two\none\n")
