"""The visible list of merging's steps, and what may be left out of it."""

from pathlib import Path

import pytest

from shared.errors import Refused
from shared.merge_steps import NAMES, STEPS, parse_skip, skipped_by

ROOT = Path(__file__).resolve().parents[3]


def test_names_are_read_with_commas_and_unknown_ones_refused():
    assert parse_skip(" lines, lists ,") == {"lines", "lists"}
    with pytest.raises(Refused, match="no step of merging") as caught:
        parse_skip("lines,magic")
    assert caught.value.param == "merge_skip"


def test_a_job_and_the_settings_add_up_and_old_names_are_forgotten():
    assert skipped_by({"merge_skip": "lines,gone"}, ("code",)) == {"lines", "code"}
    assert skipped_by({}, ()) == frozenset()
    assert skipped_by({"merge_skip": 7}, ()) == frozenset()


def test_the_document_lists_the_steps_in_their_order():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    table = text.split("## Steps of merging")[1].split("\n## ")[0]
    listed = [line.split("`")[1] for line in table.splitlines() if line.startswith("| `")]
    assert listed == list(NAMES)
    for step in STEPS:
        assert step.help in table
