"""Is a page's text going round in circles? Asked of its tokens, while it is written."""

from collections.abc import Sequence

import numpy as np

CHECK_EACH = 32  # tokens: a loop is seen this late at most
LONGEST_PERIOD = 160  # tokens; a repeated table row or paragraph is shorter
_TAIL = 640  # tokens that are looked at: four times the longest period
_LEAST_REPEATS = 6  # rows of an empty form may well come five times
_LEAST_TOKENS = 256  # and a run of dots or rules be this long
_PROBE = 12  # tokens that must come again before a period is tried


def loop_period(tokens: Sequence[int]) -> int:
    """The period, in tokens, that the end of a text repeats; 0 when it does not loop.

    A loop is at least `_LEAST_REPEATS` repeats of one period, or as many as fit in the tail for
    long periods, over at least `_LEAST_TOKENS` tokens. Up to 1 in 50 tokens may differ, so that
    counters inside a loop ("row 17", "row 18") do not hide it.
    """
    if len(tokens) < _LEAST_TOKENS:
        return 0
    tail = np.asarray(tokens[-_TAIL:], dtype=np.int64)
    size = len(tail)
    for period in _candidates(tail):
        span = max(_LEAST_TOKENS, min(_LEAST_REPEATS * period, size))
        if span > size or span < 3 * period:
            continue
        same = tail[-(span - period) :] == tail[-span : size - period]
        if int(same.sum()) * 50 >= len(same) * 49:
            return period
    return 0


def _candidates(tail: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> list[int]:
    """Distances, rising, at which most of the last few tokens were seen before."""
    probe = tail[-_PROBE:]
    longest = min(LONGEST_PERIOD, len(tail) - _PROBE)
    windows = np.lib.stride_tricks.sliding_window_view(tail, _PROBE)[::-1]
    matches = (windows[1 : longest + 1] == probe).sum(axis=1) >= _PROBE - 1
    return [int(distance) + 1 for distance in np.flatnonzero(matches)]
