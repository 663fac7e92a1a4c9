"""What `quire eval` found as one HTML file: nothing is loaded from anywhere, no script runs."""

import html
from collections.abc import Iterable, Sequence

from deploy.evaluation.measuring import Row
from deploy.evaluation.report import columns, shown, summaries, worst_first
from shared.compare import Difference

_MOST_TEXTS = 200  # with their differences; the table has all
_CONTEXT = 60  # characters of agreement that are shown on each side of a difference
_STYLE = """
:root { color-scheme: light dark; --line: #8885; --left: #c4302b; --right: #1a7f37; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .7rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .5rem 0;
  padding: .4rem .8rem; }
summary { cursor: pointer; } p { overflow-wrap: anywhere; }
del { color: var(--left); } ins { color: var(--right); text-decoration-style: dotted; }
.gap { opacity: .55; }
"""


def html_page(title: str, rows: Sequence[Row]) -> str:
    """The table of engines, then all texts, the worst first, with what differs."""
    worst = worst_first(rows)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n"
        f"{_table(columns(), (summary.cells() for summary in summaries(rows)))}"
        "<p>NED and CER: edit distance over the longer text and over the truth. Order: share of "
        "the text out of its place. TEDS: likeness of tables, where more is better.</p>\n"
        f"<h2>Texts, the worst first</h2>\n{''.join(map(_text, worst[:_MOST_TEXTS]))}"
        f"{_rest(worst[_MOST_TEXTS:])}</body>\n</html>\n"
    )


def _table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    head = "".join(f'<th scope="col">{html.escape(cell)}</th>' for cell in heads)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in line)}</tr>\n" for line in lines
    )
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n"


def _text(row: Row) -> str:
    figures = (
        f"NED {row.scores.ned:.4f}, CER {row.scores.cer:.4f}, order {shown(row.scores.order, 3)}, "
        f"TEDS {shown(row.scores.teds, 3)}, {row.seconds:.2f} s"
    )
    failed = f", {row.failed} of {row.pages} pages failed" if row.failed else ""
    return (
        f"<details><summary><b>{html.escape(row.truth.name)}</b> {html.escape(row.engine)}: "
        f'{figures}{failed}</summary>\n<p dir="auto">{_differences(row.differences)}</p>'
        "</details>\n"
    )


def _differences(pieces: Sequence[Difference]) -> str:
    parts: list[str] = []
    last = len(pieces) - 1
    for index, piece in enumerate(pieces):
        if piece.kind == "same":
            parts.append(_shortened(piece.left, is_first=index == 0, is_last=index == last))
            continue
        if piece.left:
            parts.append(f"<del>{html.escape(piece.left)}</del>")
        if piece.right:
            parts.append(f"<ins>{html.escape(piece.right)}</ins>")
    return "".join(parts) or "The text is the same."


def _shortened(text: str, *, is_first: bool, is_last: bool) -> str:
    head = "" if is_first else text[:_CONTEXT]
    tail = "" if is_last else text[-_CONTEXT:]
    if len(text) <= 2 * _CONTEXT or len(head) + len(tail) >= len(text):
        return html.escape(text)
    return f'{html.escape(head)}<span class="gap"> … </span>{html.escape(tail)}'


def _rest(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    lines = [(row.truth.name, row.engine, f"{row.scores.ned:.4f}") for row in rows]
    return f"<h2>The others</h2>\n{_table(('text', 'engine', 'NED'), lines)}"
