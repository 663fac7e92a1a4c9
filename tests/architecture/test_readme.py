"""README.md says what the program does."""

from dataclasses import fields
from pathlib import Path

from deploy.cli import COMMANDS, build_parser
from deploy.reference import commands_table, settings_table, with_tables
from shared.settings import Settings

README = Path(__file__).resolve().parents[2] / "README.md"


def test_the_tables_of_commands_and_settings_are_current():
    text = README.read_text(encoding="utf-8")
    hint = "run .venv/bin/python -m deploy.reference"
    assert commands_table() in text, hint
    assert settings_table() in text, hint
    assert with_tables(text) == text, hint


def test_every_setting_and_command_is_named():
    text = README.read_text(encoding="utf-8")
    for item in fields(Settings):
        assert f"`QUIRE_{item.name.upper()}`" in text
    for name in COMMANDS:
        assert f"`quire {name}" in text


def test_every_documented_command_exists():
    help_text = build_parser().format_help()
    for name in COMMANDS:
        assert f"  {name} " in help_text


def test_writing_the_tables_again_changes_nothing_else():
    text = "# quire\n\nA.\n\n## Settings\n\nstale words\n\n## After\n\nB.\n"
    once = with_tables(text)
    assert with_tables(once) == once
    assert "## After\n\nB.\n" in once
    assert "stale words" not in once
