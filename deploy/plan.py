"""Which processes a system has, how each is started, and in which order they stop."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from pathlib import Path

from shared.errors import Misconfigured
from shared.settings import Settings, parse_engine

ROOT = Path(__file__).resolve().parent.parent


class Phase(IntEnum):
    """The order of the drain: each phase has ended before the next is asked to.

    First nothing new comes in, then what is in hand is finished and given to the collector, which
    commits it, and only then the broker that carried it goes.
    """

    WEB = 0
    WORKERS = 1
    COLLECT = 2
    BROKER = 3


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process: its name in the log, its command line, what its environment has beside ours."""

    name: str
    command: tuple[str, ...]
    phase: Phase = Phase.WORKERS
    environment: Mapping[str, str] = field(default_factory=dict)
    role: str = ""
    engine: str = ""

    @property
    def service(self) -> str:
        """What it does on the bus."""
        return f"recognize.{self.engine}" if self.engine else self.role


def processes_of(settings: Settings, *, web: bool = True) -> list[ProcessSpec]:
    """The processes of one system, in the order in which they are started."""
    environment = settings_environment(settings)
    pythons = engine_pythons(settings)

    def spec(name: str, phase: Phase, *role: str, python: str = sys.executable) -> ProcessSpec:
        extra = {} if python == sys.executable else {"PYTHONPATH": str(ROOT)}
        # -P: a folder named `web` or `store` in the working directory must not hide ours
        command = (python, "-P", "-m", "deploy", *role)
        engine = role[1] if role[0] == "engine" else ""
        return ProcessSpec(name, command, phase, {**environment, **extra}, role[0], engine)

    specs = [spec("broker", Phase.BROKER, "broker"), spec("collect", Phase.COLLECT, "collect")]
    if web:
        specs.append(spec("web", Phase.WEB, "web"))
    count = settings.split_processes
    specs += [spec(n, Phase.WORKERS, "split") for n in _names("split", count)]
    taken = {item.name for item in specs}
    for text in settings.engines:
        engine = parse_engine(text)
        role = ["engine", engine.name]
        if engine.gpu is not None:
            role += ["--gpu", str(engine.gpu)]
        python = pythons.get(engine.name, sys.executable)
        for name in _names(engine.name, engine.processes, taken):
            specs.append(spec(name, Phase.WORKERS, *role, python=python))
            taken.add(name)
    return specs


def settings_environment(settings: Settings) -> dict[str, str]:
    """The settings as environment variables, so that a child has exactly those of its parent."""
    variables = {"QUIRE_CONFIG": ""}  # a file edited later must not reach a restarted child
    for item in fields(Settings):
        value = getattr(settings, item.name)
        if item.name == "data":
            value = value.absolute()
        text = ",".join(value) if isinstance(value, tuple) else str(value)
        variables["QUIRE_" + item.name.upper()] = text
    return variables


def engine_pythons(settings: Settings) -> dict[str, str]:
    """Interpreter by engine. Misconfigured when one is not `name=/path` or cannot be run."""
    pythons: dict[str, str] = {}
    for entry in settings.engine_pythons:
        name, equals, path = entry.partition("=")
        if not equals or not name or not os.access(path, os.X_OK) or not Path(path).is_file():
            raise Misconfigured(
                f"{entry!r} in QUIRE_ENGINE_PYTHONS is not name=/path/to/python of an interpreter "
                "that can be run.",
                param="engine_pythons",
            )
        pythons[name] = path
    return pythons


def _names(name: str, count: int, taken: set[str] | None = None) -> list[str]:
    """`count` names that are not taken: split, split-2, split-3."""
    names: list[str] = []
    number = 1
    while len(names) < count:
        candidate = name if number == 1 else f"{name}-{number}"
        if candidate not in (taken or ()):
            names.append(candidate)
        number += 1
    return names
