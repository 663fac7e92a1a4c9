"""What deploy/engine.sh refuses."""

import subprocess

import pytest

from deploy.plan import ROOT


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
    script = ROOT / "deploy" / "engine.sh"
    done = subprocess.run(
        ["bash", script, *given], capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == code
    assert word in done.stderr
    assert not any((ROOT / f".venv-{name}").exists() for name in given)
