"""Which engine's reading of a page the result shows, when there are several.

1. The one that a person took.
2. Else the first in the job's order that is done and has text; the first that is done where none
   has any.
3. But of three readings or more the first is passed over when it agrees with none of the others
   while two of them agree: then the first of those two. Two readings that differ say nothing
   about which is right, and engines that share a model are often wrong together, so nothing less
   than that outvotes the order that was asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from shared.compare import measure
from shared.followups import Choice
from shared.records import PageResult

# Our own choice, and wide apart: readings of the same words that differ in letters and layout stay
# above 0.8; a loop, invented text or another page stays far under 0.5.
_AGREE = 0.8
_DIFFER = 0.5


@dataclass(frozen=True, slots=True)
class Chosen:
    """A reading, and why it: `person`, `order`, `text` or `majority`."""

    result: PageResult
    by: str


class Chooser:
    """Chooses readings page by page; remembers, because merging goes over the pages twice."""

    def __init__(self, choices: Mapping[int, Choice]) -> None:
        self._choices = choices
        self._known: dict[int, tuple[str, str, str]] = {}

    def choose(self, page: int, readings: Sequence[PageResult]) -> Chosen | None:
        """One of the readings, given in the job's order; None when there are none."""
        taken = self._choices.get(page)
        if taken is not None:
            for result in readings:
                if (result.job, result.asked) == (taken.job, taken.engine):
                    return Chosen(result, "person")
        if not readings:
            return None
        known = self._known.get(page)
        if known is not None:
            for result in readings:
                if (result.job, result.asked) == known[:2]:
                    return Chosen(result, known[2])
        chosen = _by_rule(readings)
        self._known[page] = (chosen.result.job, chosen.result.asked, chosen.by)
        return chosen


def _by_rule(readings: Sequence[PageResult]) -> Chosen:
    with_text = [result for result in readings if result.text.strip() or result.blocks]
    first = with_text[0] if with_text else readings[0]
    if len(with_text) >= 3:
        others = with_text[1:]
        if all(measure(first.text, other.text).agreement < _DIFFER for other in others):
            for a, b in combinations(others, 2):
                if measure(a.text, b.text).agreement >= _AGREE:
                    return Chosen(a, "majority")
    return Chosen(first, "order" if first is readings[0] else "text")


def taken_first(
    job_id: str,
    results: Callable[[], Iterator[PageResult]],
    choices: Mapping[int, Choice],
    fetch: Callable[[int], PageResult | None],
) -> Callable[[], Iterator[PageResult]]:
    """The results with those of other jobs, from which pages were taken, in their places."""
    foreign = sorted(page for page, choice in choices.items() if choice.job != job_id)
    if not foreign:
        return results

    def merged() -> Iterator[PageResult]:
        waiting = list(foreign)
        for result in results():
            while waiting and waiting[0] <= result.page:
                yield from _fetched(fetch, waiting.pop(0))
            yield result
        for page in waiting:
            yield from _fetched(fetch, page)

    return merged


def _fetched(fetch: Callable[[int], PageResult | None], page: int) -> Iterator[PageResult]:
    result = fetch(page)
    if result is not None:
        yield result
