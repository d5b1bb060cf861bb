"""What version 1 of the format has and this release doesn't do yet: a sentence for each.

Rule 1: such a key is an error of its own code, never passed over: a connector that needs it would not work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

# Where in the format → key or value → what an author reads.
LATER: Final[Mapping[str, Mapping[str, str]]] = {
    "connector": {
        "session": "limits on sessions per account are not supported yet",
    },
}
