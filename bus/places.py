"""Where processes run, and whether it is the page or the place that ends them.

A place is a host and a slot in it: the process that the supervisor starts again under the same
name, or, started by hand, one of the same engine on the same GPU. When several different pages end
the process of one place, and none is finished there in between, it is the place: what it charged
is taken back, and it gets no pages for a while. Then it gets one on trial; the first page that it
finishes clears it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

BAD_AFTER = 3  # different causes in a row; two may be two bad pages of one document
FIRST_HOLD_SECONDS = 10.0
MAX_HOLD_SECONDS = 60.0

Slot = tuple[str, str]  # host, name under which its supervisor starts it


@dataclass(slots=True)
class _Record:
    """Crashes since the last finished page. `causes`: pages that one of them was running."""

    causes: list[set[str]] = field(default_factory=list)
    charged: Counter[str] = field(default_factory=Counter)
    holds: int = 0
    held_until: float = 0.0


class Places:
    """The crashes of each place since it last finished a page."""

    def __init__(self) -> None:
        self._records: dict[Slot, _Record] = {}

    def crashed(
        self, slot: Slot, running: Iterable[str], charged: str | None, now: float
    ) -> Mapping[str, int]:
        """Its process ended while these ran. The charges to take back: page to number.

        Pages that ran together count as one cause, and a crash with some of them again, while
        they are being halved, as the same one.
        """
        record = self._records.setdefault(slot, _Record())
        if record.holds:  # on trial, and it failed again
            self._hold(record, now)
            return {}
        keys = set(running)
        same = next((cause for cause in record.causes if cause & keys), None)
        if same is None:
            record.causes.append(keys)
        else:
            same &= keys
        if charged is not None:
            record.charged[charged] += 1
        if len(record.causes) < BAD_AFTER:
            return {}
        self._hold(record, now)
        return record.charged

    def finished(self, slot: Slot) -> None:
        """It has done a page: nothing stands against it."""
        self._records.pop(slot, None)

    def credit(self, slot: Slot, credit: int, now: float) -> int:
        """How many pages it may have out, of those that it takes."""
        record = self._records.get(slot)
        if record is None or not record.holds:
            return credit
        return min(credit, 1) if now >= record.held_until else 0

    def is_held(self, slot: Slot) -> bool:
        """Whether it is held for bad: it gets nothing, or one page on trial."""
        record = self._records.get(slot)
        return record is not None and record.holds > 0

    def sentence(self, slot: Slot, now: float) -> str:
        """What people are told; empty when nothing stands against it."""
        record = self._records.get(slot)
        if record is None or not record.holds:
            return ""
        wait = max(0.0, record.held_until - now)
        return (
            f"{len(record.causes)} different pages in a row have ended this process, so it is the "
            f"process and not the pages: look at its log. It gets one page to try in {wait:.0f} s."
        )

    def _hold(self, record: _Record, now: float) -> None:
        seconds = min(FIRST_HOLD_SECONDS * 2**record.holds, MAX_HOLD_SECONDS)
        record.holds = min(record.holds + 1, 16)
        record.held_until = now + seconds
