"""What the console is told of the instance that it stands in: settings, calls, the log's switch.

Rule: a setting that may hold a secret comes without its value; what isn't here, no page can show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyturn.web.kit.brand import Brand
from keyturn.web.kit.log_level import LogLevelSwitch

_PLAIN: Final = Brand()


@dataclass(frozen=True, slots=True)
class ShownSetting:
    """A setting. `value`: as text; of one that may hold a secret None, and `is_set` says whether there is one.

    `source`: `default`, `environment`, `file` or `start` (by the command that started the server).
    """

    name: str
    source: str
    value: str | None
    is_set: bool


@dataclass(frozen=True, slots=True)
class ShownCall:
    """A call of the API. `scope`: what a key needs; empty where none is needed."""

    method: str
    path: str
    title: str
    scope: str
    subject: str


@dataclass(frozen=True, slots=True)
class Instance:
    """All of it. `log_level`: None where the process has no log of its own. `brand`: as the connect page has it.

    `link_options`: what `keyturn person link` needs in any shell of the machine to mean this instance.
    """

    settings: tuple[ShownSetting, ...] = ()
    calls: tuple[ShownCall, ...] = ()
    log_level: LogLevelSwitch | None = None
    brand: Brand = _PLAIN
    link_options: str = ""
