"""What is tried when an answer was refused: one step after the other, each at most once.

Other sampling, another prompt, another engine, the page's own text. Every engine that takes over
begins with its plain options and may climb its own first steps; the text layer is the last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.routing import (
    CPU_ENGINE,
    ENGINE,
    FIRST,
    PROMPT,
    SAMPLING,
    TEXT_LAYER,
    Attempt,
    Route,
)

# Drawing again helps against loops and cuts; a page with nothing on it is not worth any step.
_HELPS = {
    "loop": (SAMPLING, PROMPT),
    "cut": (SAMPLING, PROMPT),
    "empty": (PROMPT,),
    "blank": (),
    "failed": (),
}
OCR = "ocr"  # of PageOutput.source: letters read from pixels, none invented
TEXT_LAYER_OPTIONS = {"ocr": "never"}


@dataclass(frozen=True, slots=True)
class Step:
    """The next attempt: engine, rung, and the options that the rung sets."""

    engine: str
    rung: str
    options: Mapping[str, Any] = field(default_factory=dict)


def next_step(
    route: Route,
    finding: str,
    tried: Sequence[Attempt],
    *,
    retry_options: Sequence[tuple[str, Mapping[str, Any]]],
    chosen: Mapping[str, Any],
    ranked: Sequence[str],
) -> Step | None:
    """The step after an attempt on `route` that came to nothing; None when nothing is left.

    `finding` is a finding of the gate, or "failed" when the engine refused the page. `tried` are
    all attempts up to now, `retry_options` those of the route's engine, `chosen` the options that
    a person set (a rung does not overrule them), `ranked` the engines that may take over, best
    first; none when the page stays with its engine.
    """
    if finding == "blank" or route.rung == TEXT_LAYER:
        return None
    done = {(attempt.engine, attempt.rung, _frozen(attempt.options)) for attempt in tried}
    for rung, options in retry_options:
        fits = rung in _HELPS.get(finding, ()) and not set(options) & set(chosen)
        if fits and (route.engine, rung, _frozen(options)) not in done:
            return Step(route.engine, rung, dict(options))
    used = {attempt.engine for attempt in tried} | {route.engine}
    for engine in ranked:
        if engine not in used:
            return Step(engine, ENGINE)
    reader = CPU_ENGINE in (*ranked, route.engine) and not set(TEXT_LAYER_OPTIONS) & set(chosen)
    if route.text and reader and not _read_text_layer(tried, route):
        return Step(CPU_ENGINE, TEXT_LAYER, TEXT_LAYER_OPTIONS)
    return None


def _read_text_layer(tried: Sequence[Attempt], route: Route) -> bool:
    """Whether the text layer was taken already: as a rung, or because it is sound."""
    if any(attempt.rung == TEXT_LAYER for attempt in tried):
        return True
    by_cpu = {attempt.engine for attempt in tried if attempt.rung == FIRST} | {route.engine}
    return route.text == "sound" and CPU_ENGINE in by_cpu


def _frozen(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, repr(value)) for name, value in options.items()))


def may_be_taken(finding: str, source: str) -> bool:
    """Whether a refused answer is kept whole, because `last_resort` may come back to it."""
    return finding in {"cut", "empty", "blank"} or (finding == "loop" and source == OCR)


def last_resort(attempts: Sequence[Attempt]) -> tuple[Attempt, str] | None:
    """The least bad of the refused answers and the warning that goes with it; None: no answer.

    What was cut is true as far as it goes. What an engine that reads letter by letter repeats
    stands on the page. Nothing is an honest answer for a page without words. What a model repeats
    or says of a blank page is invented, and never taken.
    """
    refused = [a for a in attempts if a.outcome == "refused" and a.answer is not None]
    blank = [a for a in refused if a.finding == "blank"]
    if blank:
        return blank[-1], f"The page is blank; the text that {blank[-1].engine} gave is left out."
    cut = [a for a in refused if a.finding == "cut"]
    if cut:
        longest = max(cut, key=lambda a: len(a.text or ""))
        return longest, f"The text is not whole: {longest.engine} was cut before its end."
    repeated = [a for a in refused if a.finding == "loop"]
    if repeated:
        return repeated[-1], f"The text repeats itself: {repeated[-1].reason}"
    empty = [a for a in refused if a.finding == "empty"]
    if empty:
        return empty[-1], "No text was found on this page, although it is not blank."
    return None
