"""What QuietHoursStore promises."""

from __future__ import annotations

from keyturn.core.renewal.quiet_hours import QuietHours, Window
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record

NIGHT = QuietHours("Europe/Berlin", (Window(120, 240), Window(1320, 360, frozenset({5, 6}))), strict=True)
OTHER = QuietHours("UTC", (Window(0, 1440, frozenset({6})),))


class QuietHoursContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_what_was_written_is_read(self, stores: AllStores) -> None:
        """A connector's and a project's own; the last that was written; what changed nothing is not recorded."""
        put = stores.quiet_hours.put
        changed = [
            await put("acme", hours, at=NOW, by="key:1", records=[record(f"write {n}")])
            for n, hours in enumerate([OTHER, OTHER, NIGHT])
        ]
        await put("acme", OTHER, at=NOW, by="key:1", project="other")
        found = await stores.quiet_hours.all()
        taken = [await put("acme", None, at=NOW, by="key:1", records=[record("taken")]) for _ in range(2)]
        logged, _ = await stores.audit.list()

        assert [True, False, True] == changed
        assert {("default", "acme"): NIGHT, ("other", "acme"): OTHER} == found
        assert [True, False] == taken
        assert {("other", "acme"): OTHER} == await stores.quiet_hours.all()
        assert ["taken", "write 2", "write 0"] == [each.action for _, each in logged]
