"""Grids of printed rules: found in pixels, their cells merged, lines cut at them, tables made."""

import numpy as np
import pytest

from engines.regions import Line
from engines.ruled_tables import divide_at_rules, ruled_tables
from engines.rules import find_grids

HEIGHT = 24.0  # of a line's box, in pixels
XS, YS = (60, 260, 460, 660), (50, 110, 170, 230)


def paper():
    return np.full((300, 720, 3), 235, np.uint8)


def across(page, y, x0=XS[0], x1=XS[-1]):
    page[y : y + 2, x0 : x1 + 2] = 40


def down(page, x, y0=YS[0], y1=YS[-1]):
    page[y0 : y1 + 2, x : x + 2] = 40


def whole_grid():
    page = paper()
    for y in YS:
        across(page, y)
    for x in XS:
        down(page, x)
    return page


def line(x0, y0, text, x1=None):
    return Line((x0, y0, x1 or x0 + 90, y0 + HEIGHT), text, 10)


def in_each_cell():
    return [line(x + 20, y + 18, f"{x}-{y}") for y in YS[:-1] for x in XS[:-1]]


def test_a_whole_grid_has_its_rows_and_columns():
    (grid,) = find_grids(whole_grid(), HEIGHT)
    assert [(cell.row, cell.column) for cell in grid.cells] == [
        (row, column) for row in range(3) for column in range(3)
    ]
    assert grid.box == pytest.approx((XS[0], YS[0], XS[-1], YS[-1]), abs=2)


def test_a_missing_border_merges_cells():
    page = whole_grid()
    page[YS[0] + 8 : YS[1] - 8, XS[1] - 2 : XS[1] + 4] = 235  # first row: columns 1 and 2
    page[YS[2] - 2 : YS[2] + 4, XS[2] + 8 : XS[3] - 8] = 235  # last column: rows 2 and 3
    lines = [line(200, YS[0] + 18, "over both", x1=320), *in_each_cell()[2:]]
    ((table, _),) = ruled_tables(find_grids(page, HEIGHT), lines, 1.0)
    assert '<tr><td colspan="2">over both</td><td>460-50</td></tr>' in table.table
    assert '<td rowspan="2">460-110 460-170</td>' in table.table


def test_outer_borders_may_be_missing():
    page = paper()
    for y in YS:
        across(page, y)
    for x in XS[1:-1]:
        down(page, x)
    (grid,) = find_grids(page, HEIGHT)
    assert len(grid.cells) == 9
    assert grid.box == pytest.approx((XS[0], YS[0], XS[-1], YS[-1]), abs=3)


@pytest.mark.parametrize("degrees", [-0.3, 0.3])
def test_a_slight_slope_is_no_hindrance(degrees):
    page = paper()
    slope = np.tan(np.radians(degrees))
    for y in YS:
        for x in range(XS[0], XS[-1] + 2):
            top = round(y + slope * x)
            page[top : top + 2, x] = 40
    for x in XS:
        for y in range(YS[0], YS[-1] + 4):
            left = round(x - slope * y)
            page[y, left : left + 2] = 40
    (grid,) = find_grids(page, HEIGHT)
    assert len(grid.cells) == 9


def test_what_is_no_grid_of_rectangles_is_none():
    frame = paper()
    for y in (YS[0], YS[-1]):
        across(frame, y)
    for x in (XS[0], XS[-1]):
        down(frame, x)
    assert find_grids(frame, HEIGHT) == []
    step = whole_grid()
    step[YS[0] + 8 : YS[1] - 8, XS[1] - 2 : XS[1] + 4] = 235
    step[YS[1] - 2 : YS[1] + 4, XS[0] + 8 : XS[1] - 8] = 235  # three cells, in the form of an L
    assert find_grids(step, HEIGHT) == []
    assert find_grids(paper(), HEIGHT) == []
    assert find_grids(whole_grid(), 0.0) == []


def test_a_grid_without_text_is_no_table():
    grids = find_grids(whole_grid(), HEIGHT)
    assert ruled_tables(grids, [line(XS[0] + 20, YS[0] + 18, "alone")], 1.0) == []
    one_row = [line(x + 20, YS[0] + 18, "a") for x in XS[:-1]] * 2
    assert ruled_tables(grids, one_row, 1.0) == []


def test_prose_between_rules_is_no_table():
    lines = [
        line(x + 20, y + 2 + 9 * n, "as in a newspaper")
        for y in YS[:-1]
        for x in XS[:-1]
        for n in range(6)
    ]
    assert ruled_tables(find_grids(whole_grid(), HEIGHT), lines, 1.0) == []


def test_strokes_that_divide_no_cells_are_no_columns():
    page = whole_grid()
    for x in (300, 340, 380):  # the stems of tall letters that touch a rule
        page[YS[0] + 38 : YS[1] + 24, x : x + 3] = 40
    (grid,) = find_grids(page, HEIGHT)
    assert max(cell.column + cell.columns for cell in grid.cells) == 3
    assert len(grid.cells) == 9


def test_headings_on_dark_ground_are_one_row_of_cells():
    page = whole_grid()
    page[YS[0] : YS[1], XS[0] : XS[-1]] = 40
    for x in XS[1:-1]:
        page[YS[0] : YS[1], x - 2 : x + 4] = 250
    ((table, _),) = ruled_tables(find_grids(page, HEIGHT), in_each_cell(), 1.0)
    assert "<tr><td>60-50</td><td>260-50</td><td>460-50</td></tr>" in table.table
    assert table.table.count("<tr>") == 3


def test_graph_paper_is_no_table():
    page = paper()
    for y in range(10, 290, 4):
        across(page, y, 20, 700)
    for x in range(20, 700, 4):
        down(page, x, 10, 286)
    assert find_grids(page, 5.0) == []


def test_lines_are_named_and_scaled():
    lines = [line(10, 5, "above"), *in_each_cell(), line(10, 270, "below")]
    half = [Line(tuple(v / 2 for v in each.box), each.text, each.size) for each in lines]
    ((table, members),) = ruled_tables(find_grids(whole_grid(), HEIGHT), half, 0.5)
    assert members == list(range(1, 10))
    assert table.box == pytest.approx([v / 2 for v in (60, 50, 660, 230)], abs=1.5)
    assert table.table.count("<tr>") == 3


def test_lines_of_a_cell_are_joined_and_markup_is_text():
    lines = [*in_each_cell(), line(XS[0] + 20, YS[0] + 36, "<b>more")]
    lines[0] = line(XS[0] + 20, YS[0] + 5, "exam-")
    lines[9] = line(XS[0] + 20, YS[0] + 32, "ple <b>")
    ((table, _),) = ruled_tables(find_grids(whole_grid(), HEIGHT), lines, 1.0)
    assert "<td>example &lt;b&gt;</td>" in table.table


def test_a_line_over_a_border_is_cut_there():
    grids = find_grids(whole_grid(), HEIGHT)
    through = [[100, 65], [400, 65], [400, 89], [100, 89]]
    beside = [[280, 125], [440, 125], [440, 149], [280, 149]]
    outside = [[100, 250], [400, 250], [400, 274], [100, 274]]
    boxes = np.array([through, beside, outside], np.float32)
    cut = divide_at_rules(boxes, grids)
    assert len(cut) == 4
    assert cut[0][1][0] == pytest.approx(XS[1], abs=2)
    assert cut[1][0][0] == pytest.approx(XS[1], abs=2)
    np.testing.assert_array_equal(cut[2:], boxes[1:])


def test_a_border_at_the_end_of_a_line_cuts_nothing():
    grids = find_grids(whole_grid(), HEIGHT)
    box = np.array(
        [[[XS[0] - 4, 65], [XS[1] + 4, 65], [XS[1] + 4, 89], [XS[0] - 4, 89]]], np.float32
    )
    np.testing.assert_array_equal(divide_at_rules(box, grids), box)
