"""Templates are compiled when they are first used; that all of them can be is found here."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from tests.house.sources import SRC

ZONES = sorted(SRC.glob("web/*/templates"))


@pytest.mark.parametrize("folder", [pytest.param(each, id=each.parent.name) for each in ZONES])
def test_each_template_is_one(folder: Path) -> None:
    """None would fail the first person who opens its page."""
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
    environment.filters |= {"utc": str, "iso": str, "code": str}  # the zones' own

    assert [] != [environment.get_template(name) for name in environment.list_templates()]


def test_the_zones_with_pages() -> None:
    """A test over no folders would always pass."""
    assert ["connect", "console"] == [each.parent.name for each in ZONES]
