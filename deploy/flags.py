"""A flag for every setting, made from the settings themselves."""

import argparse
from collections.abc import Collection
from dataclasses import fields
from pathlib import Path
from typing import Any

from shared.settings import Settings, load_settings

_PREFIX = "setting_"  # keeps them apart from a command's own arguments


def add_setting_flags(parser: argparse.ArgumentParser, *, without: Collection[str] = ()) -> None:
    """Give a command the flags of all settings but some."""
    group = parser.add_argument_group("settings (also QUIRE_<NAME> or quire.toml)")
    for item in fields(Settings):
        if item.name in without:
            continue
        group.add_argument(
            "--" + item.name.replace("_", "-"),
            dest=_PREFIX + item.name,
            metavar=metavar_of(item.type),
            help=f"{item.metadata['help']} [{shown_default(item.default)}]".replace("%", "%%"),
        )


def settings_from(arguments: argparse.Namespace) -> Settings:
    """The settings, with the flags of a command on top. Misconfigured when one is not valid."""
    values = {
        name.removeprefix(_PREFIX): value
        for name, value in vars(arguments).items()
        if name.startswith(_PREFIX)
    }
    return load_settings(values)


def metavar_of(kind: Any) -> str:
    """What a value of this type looks like."""
    return {int: "N", float: "X", Path: "DIR", str: "TEXT"}.get(kind, "A,B,...")


def shown_default(value: Any) -> str:
    """A default as a person writes it."""
    if isinstance(value, tuple):
        return ",".join(value) or "none"
    return str(value) or "none"
