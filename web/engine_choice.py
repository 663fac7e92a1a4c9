"""Which engines a job may name, and which options they take."""

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn

from engines.registry import known_engines
from shared.errors import Refused
from shared.health import BusTable
from shared.merge_steps import OPTION, parse_skip
from shared.settings import Settings, parse_engine

AUTO = "auto"
_MAX_TEXT = 2000  # characters of one option's value
_MAX_OPTIONS = 40
_SET_UP_FIRST = frozenset({"mineru", "deepseek"})  # these need an interpreter of their own


class EngineCatalogue:
    """The engines of the settings and those that have joined the bus, with their options.

    What a process says of itself is remembered, so that options are checked also while its engine
    restarts. Options of an engine that was never seen are taken as they are: the engine decides.
    """

    def __init__(self, settings: Settings) -> None:
        names = [parse_engine(text).name for text in settings.engines]
        self._capabilities: dict[str, Mapping[str, Any]] = {name: {} for name in names}
        self._known = known_engines(settings)
        self._started = ",".join(names)

    @property
    def names(self) -> tuple[str, ...]:
        """Every engine that a job may name, those of the settings first."""
        return tuple(self._capabilities)

    @property
    def not_started(self) -> tuple[str, ...]:
        """Engines that this installation knows and nobody has started."""
        return tuple(name for name in self._known if name not in self._capabilities)

    def how_to_start(self, name: str) -> str:
        """What a person does to have this engine here."""
        both = f"{self._started},{name}" if self._started else name
        first = (
            f" Set it up first: `bash deploy/engine.sh {name}`." if name in _SET_UP_FIRST else ""
        )
        return (
            f"{name} is not started.{first} Start it with `quire engine {name}`, or with the "
            f"server by `QUIRE_ENGINES={both}`."
        )

    def learn(self, table: BusTable) -> None:
        """Take names and capabilities from the processes on the bus."""
        for worker in table.workers:
            if worker.role == "engine" and worker.engine and worker.state != "lost":
                known = worker.capabilities or self._capabilities.get(worker.engine, {})
                self._capabilities[worker.engine] = known

    def capabilities(self, engine: str) -> Mapping[str, Any]:
        """What an engine said that it takes; empty when it never came."""
        return self._capabilities.get(engine, {})

    def options(self, engine: str) -> dict[str, Mapping[str, Any]] | None:
        """The options of an engine by name; None when it never said."""
        listed = self.capabilities(engine).get("options")
        return None if listed is None else {str(option["name"]): option for option in listed}

    def check_engine(self, text: str) -> str:
        """The engines asked for, in one spelling.

        Refused (`unknown_engine`; `engine_not_started` with what to do).
        """
        names = [name.strip() for name in text.split(",") if name.strip()] or [AUTO]
        for name in names:
            if name != AUTO and name not in self._capabilities:
                self._refuse_engine(name)
        if len(set(names)) != len(names) or (AUTO in names and len(names) > 1):
            raise Refused(
                f"{text[:80]!r}: name each engine once, and 'auto' alone.",
                code="unknown_engine",
                param="engine",
            )
        return ",".join(names)

    def _refuse_engine(self, name: str) -> NoReturn:
        here = ", ".join((AUTO, *self.names))
        if name in self._known:
            raise Refused(
                f"{self.how_to_start(name)} Engines that are here: {here}.",
                code="engine_not_started",
                param="engine",
            )
        others = f" Not started: {', '.join(self.not_started)}." if self.not_started else ""
        raise Refused(
            f"There is no engine {name[:40]!r} here. Engines: {here}.{others}",
            code="unknown_engine",
            param="engine",
        )

    def check_options(self, engine: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """The options for one of these engines. Refused (`unknown_option`, `bad_option`)."""
        if len(options) > _MAX_OPTIONS:
            raise Refused("Too many options.", code="bad_option", param="options")
        options = dict(options)
        merging = {}
        if OPTION in options:  # what any job may leave out, whatever its engine
            names = options.pop(OPTION)
            if not isinstance(names, str):
                raise _bad(OPTION, "names of steps with commas are expected")
            merging = {OPTION: ",".join(sorted(parse_skip(names)))}
        chosen = self.names if engine == AUTO else tuple(engine.split(","))
        specs = [self.options(name) for name in chosen]
        return {name: _checked(name, value, specs) for name, value in options.items()} | merging


def parse_options(text: str) -> dict[str, Any]:
    """Options as a JSON object. Refused (`bad_option`)."""
    try:
        options = json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise Refused(
            f"The options are not valid JSON: {error}.", code="bad_option", param="options"
        ) from error
    if not isinstance(options, dict):
        raise Refused("The options must be a JSON object.", code="bad_option", param="options")
    return options


def _checked(name: str, value: Any, specs: Iterable[dict[str, Mapping[str, Any]] | None]) -> Any:
    specs = list(specs)
    found = [spec[name] for spec in specs if spec is not None and name in spec]
    if not found and None not in specs:
        known = sorted({option for spec in specs if spec is not None for option in spec})
        raise Refused(
            f"There is no option {name[:40]!r}. "
            + (f"Options: {', '.join(known)}." if known else "The engine has none."),
            code="unknown_option",
            param="options",
        )
    if not isinstance(value, (bool, int, float, str)) or (
        isinstance(value, str) and len(value) > _MAX_TEXT
    ):
        raise _bad(name, "a text, a number or true or false is expected")
    for spec in found:
        _check_type(name, value, spec)
    return value


def _check_type(name: str, value: Any, spec: Mapping[str, Any]) -> None:
    kind = spec.get("type")
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == "bool" and not isinstance(value, bool):
        raise _bad(name, "true or false is expected")
    if kind == "int" and not (number and isinstance(value, int)):
        raise _bad(name, "a whole number is expected")
    if kind == "float" and not (number and math.isfinite(value)):
        raise _bad(name, "a number is expected")
    if kind == "str" and not isinstance(value, str):
        raise _bad(name, "a text is expected")
    if kind == "choice" and value not in (choices := tuple(spec.get("choices", ()))):
        raise _bad(name, f"one of {', '.join(map(str, choices))} is expected")


def _bad(name: str, what: str) -> Refused:
    return Refused(f"The option {name[:40]!r}: {what}.", code="bad_option", param="options")
