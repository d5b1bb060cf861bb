"""The job that moves every data key to the current wrapping key, while everything else goes on.

1. Wait until every process follows the rotation: what they wrap from then on is the current key's.
2. Place by place, in the order of its rows, some at a time; after each step the cursor says where to go on.
3. Go round again until a round found nothing to do: a process that was late may have wrapped a few under the old key.

Rule 1: what can't be opened is passed over and counted, so that one damaged row keeps no other from being moved. It
keeps its old key from being retired, which is as it should be.
Rule 2: a key service that can't be asked ends this try, and the next goes on where it stood.

Source: the threat model, S3; the product, "Keys are re-wrapped".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keyturn.engine.jobs.job_kind import Progress
from keyturn.ports.clock import Clock
from keyturn.ports.jobs import Job
from keyturn.ports.key_custody import KeyCustody

KIND: Final = "key.rotate"
FOLLOWED_AFTER_S: Final = 2.0
AT_ONCE: Final = 100
MOST_ROUNDS: Final = 10


@dataclass(frozen=True, slots=True)
class RewrapDataKeys:
    """A kind of job."""

    custody: KeyCustody
    clock: Clock
    name: str = KIND
    delays_s: tuple[float, ...] = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 3600.0, 3600.0)

    async def run(self, job: Job, progress: Progress) -> None:
        """Do it, from the cursor on."""
        await self.clock.sleep(FOLLOWED_AFTER_S)
        await self.custody.follow()
        await progress.step(total=job.done + await self.custody.outdated())
        cursor: Mapping[str, Any] = job.cursor
        first, failed = int(cursor.get("round", 0)), 0
        for number in range(first, MOST_ROUNDS):
            begun_at = cursor if number == first else {}
            moved, failed = await self._round(number, begun_at, progress)
            if not moved and not begun_at:
                break
        left = await self.custody.outdated()
        await progress.step(failures=({"not_rewrapped": failed} if failed else None), report={"data_keys_left": left})

    async def _round(self, number: int, cursor: Mapping[str, Any], progress: Progress) -> tuple[int, int]:
        """One walk through all places; returns how many were moved, and how many can't be."""
        places = list(self.custody.places)
        begun_at = cursor.get("place")
        start = places.index(begun_at) if begun_at in places else 0
        moved = failed = 0
        for place in places[start:]:
            after = tuple(cursor.get("after", ())) if place == begun_at else ()
            while True:
                step = await self.custody.rewrap(place, after=after, limit=AT_ONCE)
                moved += step.done
                failed += sum(step.failures.values())
                after = step.following or ()
                here = {"round": number, "place": place, "after": list(after)}
                if step.done or step.following:
                    await progress.step(cursor=here, done=step.done)
                if step.following is None:
                    break
        return moved, failed
