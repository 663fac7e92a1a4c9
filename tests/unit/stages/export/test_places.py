"""Where lines stand: on turned and skewed pages, and inside blocks that have no lines."""

import math

import pytest

from stages.export.page_lines import weight, wrapped
from stages.reader.text_places import place_line
from stages.reader.visual_order import visual_order


@pytest.mark.parametrize("turn", [0.0, 90.0, 180.0, 270.0])
@pytest.mark.parametrize("skew", [0.0, 4.0, -7.5])
def test_a_line_is_found_again_from_the_bounds_of_its_turned_box(turn, skew):
    length, height, middle = 300.0, 12.0, (400.0, 500.0)
    angle = math.radians(turn + skew)
    along, down = (math.cos(angle), -math.sin(angle)), (math.sin(angle), math.cos(angle))
    corners = [
        (
            middle[0] + a * length / 2 * along[0] + d * height / 2 * down[0],
            middle[1] + a * length / 2 * along[1] + d * height / 2 * down[1],
        )
        for a in (-1, 1)
        for d in (-1, 1)
    ]
    xs, ys = [c[0] for c in corners], [c[1] for c in corners]
    place = place_line((min(xs), min(ys), max(xs), max(ys)), turn + skew, 0.0)
    assert (place.length, place.height) == pytest.approx((length, height), abs=0.01)
    foot = corners[1]  # the start of the line, below its letters
    assert (place.x, place.y) == pytest.approx(foot, abs=0.01)


def test_a_box_that_no_line_has_gives_a_thin_line_inside_it():
    place = place_line((0, 0, 10, 10), 10.0, 0.2)
    assert 0 < place.height <= 10
    assert place.length > 0


@pytest.mark.parametrize(
    ("logical", "visual"),
    [
        ("plain text", "plain text"),
        ("אבג", "גבא"),
        ("אבג (12) דה", "הד (12) גבא"),
        ("אבג abc דה", "הד abc גבא"),
        ("see אבג now", "see גבא now"),
    ],
)
def test_right_to_left_text_is_written_as_it_stands(logical, visual):
    assert visual_order(logical) == visual


def test_text_is_wrapped_into_lines_of_like_length():
    lines = wrapped("the quick brown fox jumps over the lazy dog and runs away", 3)
    assert " ".join(lines) == "the quick brown fox jumps over the lazy dog and runs away"
    assert len(lines) == 3
    assert max(map(weight, lines)) < 2 * min(map(weight, lines))
    assert wrapped("中文没有空格也要换行", 2) == ["中文没有空", "格也要换行"]
    assert wrapped("word", 5) == ["word"]
