"""The tables of commands and settings in README.md: `python -m deploy.reference` writes them."""

import re
from dataclasses import fields
from pathlib import Path

from deploy.cli import COMMANDS
from deploy.flags import shown_default
from deploy.plan import ROOT
from shared.settings import Settings


def commands_table() -> str:
    """Every command and what it does, in Markdown."""
    rows = [f"| `{usage}` | {text} |" for usage, text in COMMANDS.values()]
    return "\n".join(["| command | |", "|---|---|", *rows])


def settings_table() -> str:
    """Every setting with default and meaning, in Markdown."""
    rows = [
        f"| `QUIRE_{item.name.upper()}` | {_default(item.default)} | {item.metadata['help']} |"
        for item in fields(Settings)
    ]
    lead = (
        "Each is an environment variable, a key in `quire.toml` (`port = 8080`) and a flag "
        "(`--port 8080`); the later wins.\n"
    )
    return "\n".join([lead, "| setting | default | |", "|---|---|---|", *rows])


def with_tables(readme: str) -> str:
    """The README with the sections Commands and Settings as they should be."""
    for heading, table in (("Commands", commands_table()), ("Settings", settings_table())):
        section = f"## {heading}\n\n{table}\n"
        found = re.compile(rf"^## {heading}\n.*?(?=^## |\Z)", re.DOTALL | re.MULTILINE)
        if found.search(readme):
            before, after = found.split(readme, maxsplit=1)
            readme = f"{before}{section}\n{after}"
        else:
            readme = f"{readme.rstrip()}\n\n{section}"
    return readme.rstrip() + "\n"


def _default(value: object) -> str:
    shown = shown_default(value)
    return "" if shown == "none" else f"`{shown}`"


def main() -> None:
    """Write the tables into README.md."""
    path = Path(ROOT, "README.md")
    path.write_text(with_tables(path.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
