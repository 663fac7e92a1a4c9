"""Rules of the tree that a program can check."""

import importlib.metadata
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PYPROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
MAX_LINES = 400
LONG = {"LICENSE", "tests/train/model/model.safetensors"}
VENDORED = "web/static/vendor/"  # other people's files, kept as they came


def tracked():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in done.stdout.decode().split("\0") if name]


def ours():
    return [path for path in tracked() if path.suffix == ".py" and path.is_file()]


def test_imports_follow_the_layers():
    program = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_nobody_else_owns_our_package_names():
    owners = importlib.metadata.packages_distributions()
    for name in PACKAGES:
        assert set(owners.get(name, [])) <= {"quire"}, name


def test_no_file_is_named_after_a_library_or_a_module_of_python():
    imports = importlib.metadata.packages_distributions()
    names = (set(imports) | set(sys.stdlib_module_names)) - set(PACKAGES)
    clashes = [
        str(path.relative_to(ROOT))
        for path in ours()
        if path.stem in names and not path.stem.startswith("__")
    ]
    assert clashes == []


def test_every_file_is_text_of_a_readable_length():
    wrong = []
    for path in tracked():
        name = str(path.relative_to(ROOT))
        if not path.is_file() or name in LONG or name.startswith(VENDORED):
            continue
        try:
            lines = path.read_text(encoding="utf-8").count("\n")
        except UnicodeDecodeError:
            wrong.append(f"{name}: not text")
            continue
        if lines > MAX_LINES:
            wrong.append(f"{name}: {lines} lines")
    assert wrong == []
