"""Each step of merging acts on its own, and is left out by its name."""

import pytest

from shared.merge_steps import NAMES
from stages.merge import merge, survey
from tests.fakes.merge_jobs import block, job, pages

TOP, LOW = (0.1, 0.02, 0.9, 0.04), (0.1, 0.8, 0.9, 0.9)
HEAD = "<table><tr><th>A</th><th>B</th></tr>"


def table(order, row, box):
    return block("table", order, f"{HEAD}<tr>{row}</tr></table>", bbox=box)


# For each step pages on which it acts, and what is seen of it: (page, block) -> a value.
ACTS = {
    "clean": ([[block("text", 0, "cafe\u0301\x07")]], lambda b: b[0][0].content, "café"),
    "code": ([[block("text", 0, "```python\nx = 1\n```")]], lambda b: b[0][0].type, "code"),
    "lists": ([[block("text", 0, "- one\n- two")]], lambda b: b[0][0].type, "list"),
    "lines": (
        [[block("text", 0, "The quick brown fox jumps over the exam-\nple of a lazy dog there.")]],
        lambda b: "example" in b[0][0].content,
        True,
    ),
    "furniture": (
        [[block("text", 0, "A running head", bbox=TOP), block("text", 1, f"T{n}")] for n in "abcd"],
        lambda b: b[2][0].type,
        "header",
    ),
    "headings": (
        [[block("heading", 0, "1 One", level=3), block("heading", 1, "1.1 Two", level=3)]],
        lambda b: [one.level for one in b[0]],
        [1, 2],
    ),
    "references": (
        [[block("heading", 0, "References", level=1), block("text", 1, "[1] A. Author. 1999.")]],
        lambda b: b[0][1].type,
        "reference",
    ),
    "captions": (
        [
            [
                block("figure", 0, "", bbox=(0.1, 0.2, 0.9, 0.4)),
                block("caption", 1, "Figure 1: it", bbox=(0.1, 0.41, 0.9, 0.43)),
            ]
        ],
        lambda b: b[0][1].caption_of,
        0,
    ),
    "continuation": (
        [
            [table(0, "<td>1</td><td>2</td>", LOW)],
            [table(0, "<td>3</td><td>4</td>", (0.1, 0.1, 0.9, 0.3))],
        ],
        lambda b: b[1][0].continues_prev,
        True,
    ),
}


def merged(of, skip):
    results, tasks = pages(*of)
    found = survey(job(), results, tasks, skip=skip)
    return [page.blocks for page in merge(job(), results, tasks, found)]


def test_every_step_is_tried():
    assert tuple(ACTS) == NAMES


@pytest.mark.parametrize("step", NAMES)
def test_a_step_acts_alone_and_not_when_it_is_left_out(step):
    of, seen, expected = ACTS[step]
    assert seen(merged(of, frozenset(NAMES) - {step})) == expected
    assert seen(merged(of, frozenset())) == expected
    assert seen(merged(of, frozenset({step}))) != expected
