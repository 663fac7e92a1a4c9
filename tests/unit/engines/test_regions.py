"""The order of a text layer's regions, and tables that the layout model did not divide."""

import pytest

from engines.grids import key_values, split_rows
from engines.ocr_regions import regions_of
from engines.raw_page import escape_markdown
from engines.reading_order import Item, order_items
from engines.region_order import in_reading_order, returns
from engines.regions import Line, Region
from engines.tables import table_of

LEFT, RIGHT = (70, 310), (320, 560)


def prose(columns, top, bottom, kind="text"):
    x0, x1 = columns
    lines = tuple(
        Line((x0, y, x1, y + 10), f"a line of prose, wide enough, at {y}", 10)
        for y in range(top, bottom - 9, 12)
    )
    return Region(kind, (x0, top, x1, bottom), lines)


def test_a_column_that_was_left_is_read_to_its_end():
    first, third = prose(LEFT, 40, 370), prose(LEFT, 385, 700)
    second, fourth = prose(RIGHT, 40, 380), prose(RIGHT, 387, 700)
    number = Region("page-footer", (300, 740, 320, 750), (Line((300, 740, 320, 750), "7", 10),))
    ordered = in_reading_order([first, second, third, fourth, number])
    assert ordered == [first, third, second, fourth, number]


def test_rows_of_cards_stay_as_the_model_has_them():
    cards = [prose(LEFT, 40, 260), prose(RIGHT, 40, 260)]
    cards += [prose(LEFT, 300, 500), prose(RIGHT, 300, 500)]
    assert in_reading_order(cards) == cards


def test_a_heading_over_both_columns_ends_them():
    boxes = [(70, 40, 310, 370), (320, 40, 560, 380), (70, 381, 560, 389), (70, 390, 310, 500)]
    assert not returns(boxes)
    assert returns([boxes[0], boxes[1], boxes[3]])


def test_a_row_of_stacked_figures_is_divided():
    row = "<tr><td>6</td><td>OTSL<br>HTML</td><td>0.9<br>0.8</td><td>1.5<br>2.5</td></tr>"
    assert split_rows(f"<table>{row}</table>").replace("\n", "") == (
        '<table><tr><td rowspan="2">6</td><td>OTSL</td><td>0.9</td><td>1.5</td></tr>'
        "<tr><td>HTML</td><td>0.8</td><td>2.5</td></tr></table>"
    )


@pytest.mark.parametrize(
    "row",
    [
        "<tr><td>a<br>b</td><td>c<br>d</td><td>e<br>f</td></tr>",  # words that go on
        "<tr><td>1<br>2</td><td>3<br>4<br>5</td><td>6<br>7</td></tr>",
        '<tr><td rowspan="2">1<br>2</td><td>3<br>4</td><td>5<br>6</td><td>5<br>6</td></tr>',
        "<tr><td>1<br>2</td><td>3</td></tr>",
        "<tr><td>9 Hill Road<br>Flat 2</td><td>Tel 555<br>Fax 5</td><td>in Hull 1<br>x</td></tr>",
    ],
)
def test_other_rows_are_left_whole(row):
    assert split_rows(f"<table>{row}</table>") == f"<table>{row}</table>"


def pair(y, key, value):
    left = [Item(0, y, 40, y + 10, key)] if key else []
    return [*left, Item(80, y, 160, y + 10, value)]


def test_keys_beside_values_are_a_table():
    lines = [pair(0, "Reign", "959"), pair(20, "Born", "943"), pair(40, "Spouses", "Ada")]
    lines += [pair(60, "", "Berta"), pair(80, "House", "Wessex")]
    table = key_values(lines)
    assert "<tr><td>Spouses</td><td>Ada Berta</td></tr>" in table
    assert table.count("<tr>") == 4
    assert key_values(lines[:4]) == ""
    assert key_values([[Item(0, y, 160, y + 10, "prose")] for y in range(0, 100, 12)]) == ""


def test_words_alone_in_a_row_go_on_with_the_cell_above():
    cells = [Item(x, 0, x + 60, 10, text) for x, text in ((0, "No"), (100, "1"), (200, "had been"))]
    words = [*cells, Item(200, 14, 260, 24, "captive")]
    assert "<td>had been captive</td></tr></table>" in table_of(words)
    figures = [*cells, Item(200, 14, 260, 24, "17")]
    assert table_of(figures).count("<tr>") == 2


def test_a_heading_under_a_column_belongs_to_what_follows_it():
    columns = [
        Item(x, y, x + 240, y + 10, f"a line of prose at {x} {y}")
        for x in (70, 330)
        for y in range(40, 160, 11)
    ]
    heading = Item(70, 172, 150, 182, "Features")
    below = [Item(70, y, 570, y + 10, f"full width {y}") for y in (185, 196)]
    texts = [i.text for g in order_items([*columns, heading, *below]) for i in g.items]
    assert texts.index("Features") > texts.index("a line of prose at 330 150")


def test_brackets_stay_plain_where_they_mean_nothing():
    assert escape_markdown("known [66] and [67][68]") == "known [66] and [67][68]"
    assert escape_markdown("[a](b) ![c](d)") == "[a\\](b) ![c\\](d)"
    assert escape_markdown("[1]: note") == "[1\\]: note"
    assert escape_markdown("[x] done") == "\\[x] done"


@pytest.mark.parametrize(("rows", "kind"), [(1, "page-footer"), (3, "text")])
def test_an_address_at_the_bottom_is_no_furniture(rows, kind):
    lines = [Line((70, y, 500, y + 10), f"a line of prose at {y}", 10) for y in (40, 52, 64, 76)]
    lines += [
        Line((70, 740 + 14 * n, 170, 750 + 14 * n), f"Some street {n}", 10) for n in range(rows)
    ]
    footer = Region("page-footer", (60, 735, 300, 795))
    found = regions_of(lines, [footer], 800, tables=True)
    assert {region.kind for region in found if region.box[1] > 700} == {kind}
