"""Which engine reads a page first, and why: for `auto`, and for a page whose engine went away.

Decisions only. Text layers are for the CPU engine, which reads them as they are; pixels are for
the best engine that takes pages now.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from shared.merge_steps import OPTION as MERGE_SKIP
from shared.ocr_backend import Capabilities
from shared.records import Job, PageTask
from shared.routing import (
    AUTO,
    CPU_ENGINE,
    ENGINE,
    MOVES_ALWAYS,
    MOVES_TO_READY,
    OUTAGE,
    STAYS,
    Route,
)
from shared.settings import Settings, parse_engine

BEST = ("deepseek", "mineru")  # then engines that somebody added, then the CPU engine


def rank(engines: Iterable[str]) -> list[str]:
    """Engines, the best for a page without a text layer first."""
    order = {name: place for place, name in enumerate(BEST)}
    last = len(BEST)
    return sorted(
        dict.fromkeys(engines),
        key=lambda name: last + 1 if name == CPU_ENGINE else order.get(name, last),
    )


def moves_of(job: Job, asked: str, settings: Settings) -> str:
    """Whether a page of this job may go to an engine that was not asked for."""
    if settings.fallback == "never" or len(job.engines) > 1:
        return STAYS  # several names are asked for to be compared
    return MOVES_TO_READY if asked == AUTO or settings.fallback == "always" else STAYS


@dataclass(frozen=True, slots=True)
class Plan:
    """Where one page may go, before anybody has looked at it.

    `scan` reads pixels, `text` a sound text layer ("" where nobody but `scan` is here); `fixed`
    is a route that does not depend on what is on the page.
    """

    scan: str
    text: str = ""
    fixed: Route | None = None

    @property
    def takes_text(self) -> bool:
        """Whether a page with a sound text layer goes elsewhere than one without."""
        return bool(self.text) and self.text != self.scan


def plan(
    task: PageTask, moves: str, ready: Sequence[str], settings: Settings, left: Sequence[str] = ()
) -> Plan | None:
    """The plan for a page; None when no engine is left for it.

    `ready` take pages now; `left` is the engine that the page has just left because it takes none
    of its kind, and then others that would send it back.
    """
    others = [name for name in rank(ready) if name not in left]
    if task.route is not None:
        return _plan_step(task, task.route, others, left)
    if task.asked != AUTO:
        if left and others:
            choice = f"{left[0]} was asked for but takes no such pages now; {others[0]} does."
            return Plan(others[0], fixed=Route(others[0], choice, OUTAGE, moves=moves))
        route = Route(task.asked, f"{task.asked} was asked for.", moves=moves)
        return Plan(task.asked, fixed=route)
    configured = rank(parse_engine(text).name for text in settings.engines)
    rest = [name for name in configured if name not in left]
    candidates = others or rest or configured or [CPU_ENGINE]
    cpu_here = CPU_ENGINE in ready or CPU_ENGINE in configured
    return Plan(candidates[0], CPU_ENGINE if cpu_here and CPU_ENGINE not in left else "")


def _plan_step(
    task: PageTask, route: Route, others: Sequence[str], left: Sequence[str]
) -> Plan | None:
    """A step of the ladder; where its engine went away, the next engine that has not been tried."""
    if route.engine not in left:
        return Plan(route.engine, fixed=route)
    tried = {attempt.engine for attempt in task.history}
    fresh = [name for name in others if name not in tried]
    if not fresh:
        return None
    choice = f"{left[0]} takes no such pages now; {fresh[0]} does."
    step = Route(fresh[0], choice, ENGINE, turn=route.turn, moves=MOVES_ALWAYS)
    return Plan(fresh[0], fixed=step)


def choose(
    plan: Plan, text: str, ink: float, moves: str, settings: Settings, left: Sequence[str]
) -> Route:
    """The route of a page that has been looked at: its kind of text layer and its ink."""
    if plan.fixed is not None:
        return plan.fixed
    rung = OUTAGE if left else ""
    why = f"{left[0]} takes no such pages now" if left else ""
    if text == "sound" and plan.text:
        because = "The page has a sound text layer"
        engine = plan.text
    elif 0 <= ink < settings.gate_blank_ink and plan.text:
        because = "The page is blank"
        engine = plan.text
    else:
        without = "The page has no sound text layer" if text != "sound" else "It has a text layer"
        because = f"{without}, and {plan.scan} is the best engine that takes pages"
        engine = plan.scan
    sentence = ". ".join(part for part in (why, because) if part)
    return Route(engine, f"{sentence}.", rung, moves=moves)


def engine_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a job that are for engines: all but those of merging."""
    return {name: value for name, value in options.items() if name != MERGE_SKIP}


def known_options(options: Mapping[str, Any], takes: Capabilities) -> dict[str, Any]:
    """Those that the engine knows: under `auto` they may be meant for another."""
    known = {option.name for option in takes.options}
    return {name: value for name, value in options.items() if name in known}
