"""What deploy/engine.sh refuses, and that it names all that it knows."""

import re
import subprocess
import tomllib

import pytest

from deploy.plan import ROOT
from engines.registry import KNOWN


def run(given):
    script = ROOT / "deploy" / "engine.sh"
    return subprocess.run(
        ["bash", script, *given], capture_output=True, text=True, check=False, timeout=30
    )


@pytest.mark.parametrize(
    ("given", "code", "word"),
    [
        ([], 2, "usage"),
        (["../x"], 2, "usage"),
        (["no-such-engine"], 1, "no extra 'no-such-engine'"),
        (["ruff"], 1, "no extra"),
    ],
)
def test_only_an_extra_gets_an_interpreter(given, code, word):
    done = run(given)
    assert done.returncode == code
    assert word in done.stderr
    assert not any((ROOT / f".venv-{name}").exists() for name in given)


def test_its_usage_names_every_extra_of_an_engine():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {name for name in project["optional-dependencies"] if name.split("-")[0] in KNOWN}
    named = re.search(r"engine\.sh (\S+)$", run([]).stderr.strip())
    assert named is not None
    assert set(named[1].split("|")) == extras
