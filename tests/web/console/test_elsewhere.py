"""The same list by other means: a command, curl and Python that ask for exactly what the page shows."""

from __future__ import annotations

import pytest

from keyturn.web.console.elsewhere import elsewhere


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        pytest.param({}, "keyturn connection list", id="everything"),
        pytest.param({"owner": "", "state": "active"}, "keyturn connection list --state active", id="what is empty"),
        pytest.param({"attention": "true"}, "keyturn connection list --attention", id="a switch"),
        pytest.param({"owner": "true"}, "keyturn connection list --owner true", id="a value that looks like one"),
        pytest.param({"ends_before": "a b'c"}, "keyturn connection list --ends-before 'a b'\"'\"'c'", id="quoted"),
    ],
)
def test_as_a_command(asked: dict[str, str], command: str) -> None:
    """The options that the command line has, and values that a shell takes as they are."""
    ways = dict(elsewhere("https://broker.example", "keyturn connection list", "/v1/connections", asked))

    assert command == ways["Command line"]


def test_a_key_stands_in_none_of_them() -> None:
    """It comes from the environment."""
    ways = dict(elsewhere("https://broker.example", "keyturn audit list", "/v1/audit", {"owner": "a&b"}))

    assert "$KEYTURN_API_KEY" in ways["curl"]
    assert "'https://broker.example/v1/audit?owner=a%26b'" in ways["curl"]
    assert "os.environ['KEYTURN_API_KEY']" in ways["Python"]
