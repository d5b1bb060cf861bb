"""The environment is read in one place, so that every setting is known, typed and documented."""

from __future__ import annotations

from tests.house.sources import SRC, attribute_names, imported_names, modules, shown

READERS = {"environ", "environb", "getenv"}


def test_only_bootstrap_reads_the_environment() -> None:
    """Everyone else is handed the value."""
    found = sorted(
        f"{shown(path)}:{line} {name}"
        for path in modules()
        if not path.is_relative_to(SRC / "bootstrap")
        for name, line in [*attribute_names(path), *imported_names(path)]
        if name.removeprefix("os.") in READERS or name.startswith("pydantic_settings")
    )

    assert [] == found
