"""What MinerU reads when it is imported: its variables, and a private folder for its files.

MinerU keeps locks beside its weights, a configuration in the home directory and pages in the
system's temporary folder. Here all three are in a folder of this process under the data directory,
with links to the weights, which may so be read-only and shared.
"""

import contextlib
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import psutil

from shared.settings import Settings

_PREFIX = "mineru-"
# Says that a folder of weights is whole. Its downloads write it, and a copy by hand has none.
_COMPLETE = ".mineru_complete"


def weights_folder(settings: Settings) -> Path:
    """Where MinerU's own download puts the weights, unless the settings name a folder.

    To be asked before `Scratch.open`, which gives MinerU another home.
    """
    home = os.environ.get("MINERU_HOME") or "~/.mineru"
    return Path(settings.mineru_models or Path(home) / "models").expanduser().absolute()


class Scratch:
    """The private folder. Removed by `close`; what dead processes left is removed by `open`."""

    def __init__(self, folder: Path, weights: Path) -> None:
        self.folder = folder
        self.weights = weights
        self.models = folder / "models"

    @classmethod
    def open(cls, settings: Settings, weights: Path) -> "Scratch":
        """Make the folder and point this process to it. OSError when it cannot be made."""
        parent = settings.data.absolute() / "scratch"
        parent.mkdir(parents=True, exist_ok=True)
        for old in parent.glob(f"{_PREFIX}*"):
            pid = old.name.removeprefix(_PREFIX)
            if not pid.isdigit() or int(pid) == os.getpid() or not psutil.pid_exists(int(pid)):
                shutil.rmtree(old, ignore_errors=True)
        scratch = cls(parent / f"{_PREFIX}{os.getpid()}", weights)
        for name in ("home", "models", "pages"):
            (scratch.folder / name).mkdir(parents=True, mode=0o700)
        _set_variables(settings, scratch)
        return scratch

    def link_weights(self) -> None:
        """Links to each model's folder, made anew when something came or went."""
        for repository in sorted(self.weights.iterdir()) if self.weights.is_dir() else ():
            if not repository.is_dir() or repository.name.startswith("."):
                continue
            own = self.models / repository.name
            own.mkdir(exist_ok=True)
            (own / _COMPLETE).touch()
            for entry in repository.iterdir():
                link = own / entry.name
                if entry.name != _COMPLETE and not link.is_symlink():
                    link.symlink_to(entry)

    def close(self) -> None:
        """Remove it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _set_variables(settings: Settings, scratch: Scratch) -> None:
    pages = str(scratch.folder / "pages")
    tempfile.tempdir = pages
    os.environ |= {
        "TMPDIR": pages,  # its render workers
        "MINERU_HOME": str(scratch.folder / "home"),
        "MINERU_MODEL_BASE_DIR": str(scratch.models),
        "MINERU_MODEL_SOURCE": "local",  # decided once: nobody asks a hub, with retries, per page
        "MINERU_MODEL_SMALL_BACKEND": settings.mineru_small_models,
        "MINERU_LOG_LEVEL": "error",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
    }
    # MinerU's own number is four on every machine; more than there are cores only wait in turns.
    threads = settings.engine_threads or min(4, os.cpu_count() or 1)
    os.environ["MINERU_INTRA_OP_NUM_THREADS"] = str(threads)
    # It closes bitmaps that pypdfium2 would have closed later, and pypdfium2 says so for each.
    logging.getLogger("pypdfium2").setLevel(logging.ERROR)
    with contextlib.suppress(KeyError):
        del os.environ["MINERU_CONFIG"]  # a user's file may name other weights
    _hide_progress_bars()


def _hide_progress_bars() -> None:
    """MinerU draws several for each page, whatever tqdm's own variables say."""
    from tqdm.std import tqdm  # noqa: PLC0415 - comes with MinerU

    drawn = tqdm.__init__

    def hidden(self: Any, *given: Any, **named: Any) -> None:
        drawn(self, *given, **(named | {"disable": True}))

    tqdm.__init__ = hidden
