"""Write the pages of connectors, settings and states from the product's own tables.

python -m scripts.write_pages            write them
python -m scripts.write_pages --check    say which are not as they should be (exit code 1)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from scripts.reference_sources import connector_schema
from scripts.write_page_connector import connector_page
from scripts.write_page_metrics import metrics_page
from scripts.write_page_settings import settings_page
from scripts.write_page_standards import standards_page
from scripts.write_page_states import states_page

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"


def schema_file() -> str:
    """The JSON Schema as `keyturn connector schema` writes it."""
    return json.dumps(connector_schema(), indent=2, ensure_ascii=False) + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "reference/connector.md": connector_page,
    "reference/connector.schema.json": schema_file,
    "reference/metrics.md": metrics_page,
    "reference/settings.md": settings_page,
    "explanation/states.md": states_page,
    "security/standards.md": standards_page,
}


def main(arguments: list[str]) -> int:
    """Write or check all pages."""
    if arguments not in ([], ["--check"]):
        print(__doc__, file=sys.stderr)
        return 2
    stale = [name for name, make in PAGES.items() if _read(DOCS / name) != make()]
    if not arguments:
        for name in stale:
            (DOCS / name).parent.mkdir(parents=True, exist_ok=True)
            (DOCS / name).write_text(PAGES[name](), encoding="utf-8")
    for name in stale:
        print(f"docs/{name} {'is not as it should be' if arguments else 'written'}")
    return 1 if arguments and stale else 0


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
