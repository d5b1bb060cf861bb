"""The same list by other means: on the command line, by curl, in Python.

Rule: an API key stands in the environment, never in what is copied.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlencode

KEY: Final = "KEYTURN_API_KEY"
SWITCHES: Final = frozenset({"attention", "calls"})  # options without a value


def elsewhere(public_url: str, command: str, path: str, asked: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Each way with its name.

    Args:
        public_url: of this instance.
        command: its words, without options.
        path: of the call, with its slash.
        asked: the filter, by names that are options and parameters alike; empty values are left out.
    """
    given = urlencode({name: value for name, value in asked.items() if value})
    url = f"{public_url}{path}{'?' if given else ''}{given}"
    curl = f'curl -H "Authorization: Bearer ${KEY}" {shlex.quote(url)}'
    python = (
        "import json, os, urllib.request\n\n"
        f"request = urllib.request.Request({url!r})\n"
        f"request.add_header('Authorization', 'Bearer ' + os.environ['{KEY}'])\n"
        "print(json.load(urllib.request.urlopen(request)))"
    )
    return (("Command line", command + _options(asked)), ("curl", curl), ("Python", python))


def _options(asked: Mapping[str, str]) -> str:
    """Values as options of a command, each behind a space; empty ones are left out."""
    given = ((name, f" --{name.replace('_', '-')}", value) for name, value in asked.items() if value)
    return "".join(option if name in SWITCHES else f"{option} {shlex.quote(value)}" for name, option, value in given)
