"""Markdown as comparable text and tables: what two good readings may differ in is taken out.

Marks, links, images, tags, quotes of other shapes, hyphens at line ends, leaders and spaces beside
Chinese go; display formulas are dropped from both sides, inline ones reduced to plain letters;
tables stand row by row in the text and are compared by themselves too. Lines of the truth that
begin with "%%IGNORE " name running heads: lines of a reading close to them are left out.
"""

import html
import re
import unicodedata
from dataclasses import dataclass

from rapidfuzz import fuzz

from shared.measures.table_trees import Rows, html_rows, pipe_rows, rows_text

_HTML_TABLE = re.compile(r"<table\b.*?</table\s*>", re.DOTALL | re.IGNORECASE)
_PIPE_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*")
_IGNORED = re.compile(r"^%%IGNORE (.*)$", re.MULTILINE)
_CLOSE = 85  # of 100: a line that is a running head up to its page number
_SOLID = (
    r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uac00-\ud7af\u3000-\u303f\uff00-\uffef"
)
_BESIDE_SOLID = re.compile(rf"(?<=[{_SOLID}])\s+|\s+(?=[{_SOLID}])")
_UNIFIED = str.maketrans(
    {
        **dict.fromkeys("“”„«»‟″", '"'),
        **dict.fromkeys("‘’‚´′`", "'"),
        **dict.fromkeys("–—―‐‑−", "-"),
        **dict.fromkeys("•●▪■", " "),
        **dict.fromkeys("\u00ad\u200b\ufeff", None),
        "。": ".",
        "、": ",",
        "…": "...",
    }
)
_COMMANDS = {
    **{f"\\{name}": sign for name, sign in zip(
        ("alpha", "beta", "gamma", "delta", "epsilon", "lambda", "mu", "pi", "sigma", "omega"),
        "αβγδελμπσω",
        strict=True,
    )},
    "\\times": "×", "\\cdot": "·", "\\pm": "±", "\\leq": "≤", "\\geq": "≥", "\\neq": "≠",
    "\\approx": "≈", "\\infty": "∞", "\\to": "→", "\\rightarrow": "→", "\\sim": "~",
    "\\degree": "°", "\\circ": "°", "\\sum": "∑", "\\int": "∫", "\\in": "∈", "\\percent": "%",
}  # fmt: skip
_LOOKS = re.compile(
    r"\\(?:math(?:rm|bf|it|sf|cal|bb)|text(?:bf)?|operatorname|boldsymbol|bm|rm|bf|left|right"
    r"|displaystyle)\b\*?"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*\{([^{}]*)\}\s*\{([^{}]*)\}")
_INLINE_FORMULA = re.compile(
    r"(?<![\\\d])\$(?!\s*\d[\d,.]*\b(?!\s*[\\^_]))([^$\n]{1,300}?)(?<!\\)\$"
)
# (what, by what) in order: blocks first, then inline marks
_MARKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\A---\n.*?\n---\n", re.DOTALL), ""),
    (re.compile(r"^\s*(?:```|~~~).*$", re.MULTILINE), ""),
    (re.compile(r"<!--.*?-->", re.DOTALL), " "),
    (re.compile(r"\$\$.*?\$\$|\\\[.*?\\\]", re.DOTALL), "\n"),
    (re.compile(r"\\begin\{(equation|align|gather)\*?\}.*?\\end\{\1\*?\}", re.DOTALL), "\n"),
)
_INLINE_MARKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), " "),
    (re.compile(r"\[([^\]]*)\]\([^)\s]*(?:\s+\"[^\"]*\")?\)"), r"\1"),
    (re.compile(r"<(https?://[^>\s]+)>"), r"\1"),
    (re.compile(r"</?(?:p|div|br|li|h\d|tr|ul|ol)\b[^>]*>", re.IGNORECASE), "\n"),
    (re.compile(r"</?[a-zA-Z][^<>]{0,200}>"), ""),
)
_LINE_MARKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^\s{0,3}#{1,6}\s+", re.MULTILINE), ""),
    (re.compile(r"^\s*(?:>\s?)+", re.MULTILINE), ""),
    (re.compile(r"^\s*[-*+•·●▪■◦‣o○]\s+", re.MULTILINE), ""),
    (re.compile(r"^\s*(?:[-*_]\s*){3,}$", re.MULTILINE), ""),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"\1"),
    (re.compile(r"`([^`\n]*)`"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+\-.!|>~$&%])"), r"\1"),
)


@dataclass(frozen=True, slots=True)
class Comparable:
    """A reading or the truth: `lined` keeps its lines, `text` is one line, `tables` are rows."""

    lined: str
    text: str
    tables: tuple[Rows, ...]

    @classmethod
    def of(cls, markdown: str, ignored: tuple[str, ...] = ()) -> "Comparable":
        """From Markdown, plain text, or HTML tables in either."""
        body, tables = _split_tables(_IGNORED.sub("", markdown))
        lined = _without_lines(_plain(body), ignored)
        return cls(lined, normal(lined), tuple(tables))


def ignored_lines(truth: str) -> tuple[str, ...]:
    """The running heads that a truth names."""
    return tuple(normal(line).lower() for line in _IGNORED.findall(truth))


def normal(text: str) -> str:
    """NFKC, one kind of quotes and dashes, words at line ends whole, one space between words."""
    text = unicodedata.normalize("NFKC", text).translate(_UNIFIED)
    text = re.sub(r"(?<=[^\W\d_])-[ \t]*\n\s*(?=[a-zà-öø-ÿß])", "", text)
    text = re.sub(r"[\x00-\x08\x0b-\x1f]", " ", text)
    text = re.sub(r"([.\-_=~])\1{3,}", r"\1\1\1", text)
    return _BESIDE_SOLID.sub("", " ".join(text.split()))


def _plain(text: str) -> str:
    for pattern, by in _MARKS:
        text = pattern.sub(by, text)
    text = _INLINE_FORMULA.sub(lambda match: _letters(match[1]), text)
    text = re.sub(r"\\\((.*?)\\\)", lambda match: _letters(match[1]), text)
    for pattern, by in _INLINE_MARKS:
        text = pattern.sub(by, text)
    text = html.unescape(text)
    for pattern, by in _LINE_MARKS:
        text = pattern.sub(by, text)
    return text


def _letters(latex: str) -> str:
    latex = _FRACTION.sub(r"\1/\2", _LOOKS.sub("", latex))
    latex = re.sub(r"\\[A-Za-z]+", lambda match: _COMMANDS.get(match[0], ""), latex)
    return re.sub(r"[\\{}^_~]", "", latex)


def _without_lines(text: str, ignored: tuple[str, ...]) -> str:
    if not ignored:
        return text
    kept = []
    for line in text.split("\n"):
        plain = normal(line).lower()
        if not plain or all(fuzz.ratio(plain, head) < _CLOSE for head in ignored):
            kept.append(line)
    return "\n".join(kept)


def _split_tables(markdown: str) -> tuple[str, list[Rows]]:
    """The text with tables flattened, and the tables."""
    tables: list[Rows] = []

    def flatten(match: re.Match[str]) -> str:
        found = html_rows(match[0])
        tables.extend(found)
        return "\n\n" + "\n".join(map(rows_text, found)) + "\n\n"

    lines = _HTML_TABLE.sub(flatten, markdown).split("\n")
    kept: list[str] = []
    at = 0
    while at < len(lines):
        rule = lines[at + 1] if at + 1 < len(lines) else ""
        if "|" not in lines[at] or "|" not in rule or not _PIPE_RULE.fullmatch(rule):
            kept.append(lines[at])
            at += 1
            continue
        end = at
        while end < len(lines) and "|" in lines[end]:
            end += 1
        rows = pipe_rows([lines[at], *lines[at + 2 : end]])
        tables.append(rows)
        kept.append(f"\n{rows_text(rows)}\n")
        at = end
    return "\n".join(kept), tables
