"""The broker's decisions know no clock, no socket, no thread and no chance: all is passed in."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# of the standard library; whatever else the core wants to import is first argued for here
ALLOWED = {"collections", "collections.abc", "dataclasses", "heapq", "typing", "zlib"}
# values below the core may read the environment, as settings do, but no clock and no chance either
FORBIDDEN_BELOW = {
    *("asyncio", "datetime", "multiprocessing", "random", "secrets", "select", "selectors"),
    *("socket", "subprocess", "threading", "time", "uuid", "zmq", "_thread", "numpy"),
}
OURS = {"bus", "shared"}  # what the core may be made of
FORBIDDEN_NAMES = {"getrandom", "urandom", "times", "clock_gettime"}  # of modules that are allowed


def imports_of(tree: ast.Module) -> set[str]:
    """The modules that a file names in its imports, also those inside of functions."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(node.module or "")
            if node.module in OURS:  # `from shared import messages`
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reached_from(start: str) -> dict[str, ast.Module]:
    """All of our modules that this one is made of."""
    found: dict[str, ast.Module] = {}
    todo = [start]
    while todo:
        name = todo.pop()
        path = ROOT / (name.replace(".", "/") + ".py")
        if name in found or not path.exists():
            continue
        found[name] = ast.parse(path.read_text())
        todo += [other for other in imports_of(found[name]) if other.split(".")[0] in OURS]
    return found


def wrong_in(modules: dict[str, ast.Module]) -> list[str]:
    """What of these reaches for the world."""
    wrong = []
    for name, tree in modules.items():
        others = {m for m in imports_of(tree) if m.split(".")[0] not in OURS}
        if name.startswith("bus."):
            wrong += [f"{name} imports {other}" for other in sorted(others - ALLOWED)]
        roots = {other.split(".")[0] for other in others}
        wrong += [f"{name} imports {root}" for root in sorted(roots & FORBIDDEN_BELOW)]
        names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        names |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        wrong += [f"{name} uses {used}" for used in sorted(names & FORBIDDEN_NAMES)]
    return wrong


def test_the_core_reads_no_clock_and_no_socket_and_throws_no_dice():
    modules = reached_from("bus.core")
    assert {"bus.tries", "bus.endings", "bus.queues", "bus.feeding"} <= modules.keys()
    assert not {"bus.broker", "bus.worker", "bus.codec", "bus.holdings"} & modules.keys()
    assert wrong_in(modules) == []


def test_the_rule_sees_what_it_forbids():
    for line in (
        "import time",
        "from datetime import datetime",
        "def f():\n    import random",
        "import zmq.asyncio",
        "import os\nos.urandom(8)",
    ):
        assert wrong_in({"bus.core": ast.parse(line)}), line
        assert wrong_in({"shared.settings": ast.parse(line)}), line
