"""Loops of many kinds are found; pages that repeat themselves by nature are not."""

import random
import time
from pathlib import Path

import pytest

from shared.blocks import Block, BlockType, PageOutput
from stages.gate.judging import Thresholds, judge
from stages.gate.loops import distinct_share, periodic_share, squeeze, tail_repeat

WORDS = (
    "the", "of", "and", "to", "in", "is", "for", "with", "quire", "page", "bus", "letter", "paper",
    "binding", "fold", "stitch", "ink",
)  # fmt: skip
PROSE = " ".join(random.Random(1).choices(WORDS, k=400))
HAN = "".join(random.Random(2).choices([chr(n) for n in range(0x4E00, 0x5000)], k=600))
PERIOD = "Copyright 2024 by the authors. All rights reserved. "


def output(text, source="model", **more):
    block = Block(BlockType.TEXT, 0, (0, 0, 1, 1), text)
    return PageOutput((block,) if text else (), b"", source=source, **more)


def kind(text, ink=0.02, **more):
    found = judge(output(text, **more), ink, Thresholds())
    return found.kind if found else None


@pytest.mark.parametrize(
    "text",
    [
        "la " * 200,
        "的" * 400,
        "一步一步" * 100,
        PERIOD * 10,
        PROSE + PERIOD * 8,
        HAN + "我们的世界" * 80,
        PROSE + " 0" * 400,
        PROSE + "\\quad " * 100,
        PERIOD * 12 + PROSE[:200],
        PROSE[:300] + "| 1 | 2 |\n" * 60,
        "".join(f"{PROSE[:900]}\n\n" for _ in range(7)),
        "สวัสดีครับทุกคน" * 40,
        "👍🏽👍🏽 ok " * 60,
        "<table>" + "<tr><td>total</td><td>12.50</td></tr>" * 80 + "</table>",
        PROSE[:60] + ("a" * 23 + "b") * 40,
    ],
)
def test_loops_are_refused(text):
    assert kind(text) == "loop"


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        HAN,
        "la " * 40,  # too short to be sure
        PROSE + " ." * 300,
        PROSE + "_" * 500,
        PROSE + " - - - -" * 90,
        PROSE + "\n" * 900,
        "Name ______________ Date ______________\n" * 5 + PROSE,
        "\n".join(f"Chapter {n} {'.' * 60} {n * 7}" for n in range(1, 30)),
        "\n".join(f"{n}\t{n * n}\t{n**3 % 97}.00\t0.00" for n in range(60)),
        f"{PROSE[:900]}\n\n{PROSE[:900]}\n\nCopy B\n",  # a form in two copies
        " ".join(PROSE[:600] + f" Part {n} " + PROSE[600 + n : 900] for n in range(4)),  # filler
        "".join(f"<tr><td>{n}</td><td></td><td></td></tr>" for n in range(50)) + PROSE,
    ],
)
def test_good_pages_are_not(text):
    assert kind(text) is None


def test_how_a_model_stopped_counts():
    assert kind(PROSE, finish_reason="stop") is None
    assert kind(PROSE, finish_reason="length") == "cut"
    assert kind(PERIOD * 10, finish_reason="length") == "loop"
    assert kind(PROSE, finish_reason="loop") == "loop"
    assert kind("", finish_reason="loop", ink=0.0) == "loop"
    assert kind("", finish_reason="length", ink=0.0) == "cut"
    assert kind(PROSE, finish_reason="broken") == "cut"
    assert kind(PERIOD * 10, finish_reason="broken") == "loop"


def test_ink_and_text_must_agree():
    assert kind("The Art of War", ink=0.0) == "blank"
    assert kind("The Art of War", ink=0.00001) is None
    assert kind("The Art of War", ink=-1.0) is None
    assert kind("- . _", ink=0.0) is None  # a speck of dust, and no word
    assert kind("", ink=0.02) == "empty"
    assert kind(" \n ", ink=0.02) == "empty"
    assert kind("", ink=0.0) is None
    assert kind("", ink=0.0001) is None
    assert kind("", ink=-1.0) is None


def test_a_picture_explains_ink_unless_a_model_says_so():
    figure = (Block(BlockType.FIGURE, 0, (0, 0, 1, 1), ""),)
    for source, wanted in (("ocr", None), ("model", "empty")):
        found = judge(PageOutput(figure, b"", source=source), 0.1, Thresholds())
        assert (found.kind if found else None) == wanted


def test_a_text_layer_is_what_it_is():
    assert kind("la " * 200, source="text_layer") is None
    assert kind("white on white", source="text_layer", ink=0.0) is None


def test_thresholds_are_settings():
    assert judge(output("la " * 40), -1.0, Thresholds(tail_characters=100)) is not None
    few = Thresholds(repeats=11, distinct_share=0.05, characters=600)
    assert judge(output(PERIOD * 10), -1.0, few) is None
    assert judge(output("word"), 0.001, Thresholds(blank_ink=0.01)) is not None


def test_figures():
    assert distinct_share("") == distinct_share("short") == 1.0
    assert distinct_share("ab" * 500) < 0.01
    assert distinct_share(PROSE) > 0.9
    assert periodic_share("", 6) == 0.0
    assert periodic_share("abc" * 100, 6) > 0.95
    assert periodic_share(PROSE * 5, 6) == 0.0
    assert periodic_share(PROSE * 6, 6) > 0.95
    assert 0.4 < periodic_share(PROSE + "abcde" * (len(PROSE) // 5), 6) < 0.6
    assert tail_repeat(PROSE) == (0, 0.0)
    length, times = tail_repeat(PROSE + "xyz " * 100)
    assert (length, round(times)) == (400, 100)
    assert squeeze("a  b\n\nc .......... 3 ____ - - - - - - x") == "a b c ... 3 ___ - - - x"


@pytest.mark.parametrize(
    "unit", ["a", "ab ", PROSE, "<", "." * 13 + " ", "a" * 11 + "b", "_ ", "\u0301"]
)
def test_megabytes_take_no_longer_than_their_length(unit):
    text = unit * (2_000_000 // len(unit))
    at = time.process_time()
    judge(output(text), 0.02, Thresholds())
    assert time.process_time() - at < 15  # about one second here; quadratic would take hours
    at = time.process_time()
    periodic_share(text[:1_000_000] + PROSE, 10**9)  # no run is long enough: nothing is skipped
    assert time.process_time() - at < 15


def test_no_truth_text_of_the_corpus_is_taken_for_a_loop(corpus: Path):
    paths = sorted((corpus / "dev" / "truth").rglob("*.md"))
    assert len(paths) >= 39
    for path in paths:
        text = path.read_text(encoding="utf-8", errors="replace")
        assert kind(text) is None, path.name
        for start in range(0, len(text), 3000):  # a page of it
            assert kind(text[start : start + 3000]) is None, (path.name, start)
