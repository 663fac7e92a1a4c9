"""Text of a block made safe to stand in Markdown: it becomes neither a block nor HTML.

Block content is inline Markdown. Only what would turn a line into a heading, list, quote, code
block, table or definition is escaped, and raw HTML, images and links that are not web links.
"""

import html
import re

from shared.render.inline import MAX_MARKDOWN_CHARS, PLAIN_TAGS, cut

_LINE_START = re.compile(
    r"(?P<mark>\#{1,6}(?=\s|$)|[-+*](?=\s|$)|>|`{3,}|~{3,}|=+(?=\s*$)|[-*_](?=\s*(?:[-*_]\s*)+$)"
    r"|\[(?=[^\]\n]{1,999}\]:)|\|)"
    r"|(?P<number>\d{1,9})(?P<stop>[.)])(?=\s|$)"
)
_DELIMITER_ROW = re.compile(r":?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
# Left to right as CommonMark reads: what is escaped, code and formulas are passed over whole.
_TOKEN = re.compile(
    r"(?P<escaped>\\.)"
    r"|(?P<code>(?<!`)(?P<ticks>`+)(?!`)[^\n]{1,500}?(?<!`)(?P=ticks)(?!`))"
    r"|(?P<math>\$(?![\s$])(?:[^$\\\n]|\\.){0,500}?(?<!\s)\$(?!\d))"
    rf"|(?P<tag></?(?:{'|'.join(PLAIN_TAGS)})\s*/?>)"
    r"|(?P<auto><https?://[^\s<>]{1,2000}>)"
    r"|(?P<open><(?=[A-Za-z/!?]))"
    r"|(?P<image>!(?=\[))"
    r"|(?P<link>\](?=\())",
    re.IGNORECASE,
)
_DESTINATION = re.compile(r"\(\s*<?([^\s>)]{0,200})")
_SAFE_DESTINATION = re.compile(r"https?://|mailto:|#|[^:&%\\]*$", re.IGNORECASE)


def escape_line(line: str) -> str:
    """The line so that it stays a line of a paragraph."""
    line = line.lstrip()
    if _DELIMITER_ROW.match(line):
        return "\\" + line
    match = _LINE_START.match(line)
    if match is None:
        return line
    if match["number"]:
        return f"{match['number']}\\{line[len(match['number']) :]}"
    return "\\" + line


def safe_inline(text: str) -> str:
    """Inline Markdown without raw HTML, images, and links that are not to the web."""
    text = cut(text)
    if len(text) > MAX_MARKDOWN_CHARS:
        return re.sub(r"<(?=[A-Za-z/!?])|!(?=\[)|\](?=\()", r"\\\g<0>", text)
    if "<" not in text and "](" not in text and "![" not in text:
        return text
    return _TOKEN.sub(lambda match: _escape(match, text), text)


def _escape(match: re.Match[str], text: str) -> str:
    found = match[0]
    if match["open"] or match["image"]:
        return "\\" + found
    if match["link"]:
        destination = _DESTINATION.match(text, match.end())
        address = html.unescape(destination[1]) if destination else ""
        return found if _SAFE_DESTINATION.match(address) else "\\]"
    if match["math"]:
        return re.sub(r"<(?=[A-Za-z/!?])", "< ", found)  # the same to LaTeX, no tag to HTML
    return found


def paragraph(text: str) -> str:
    """A block's text as Markdown paragraphs and nothing else."""
    lines = safe_inline(text.strip()).split("\n")
    return "\n".join(escape_line(line).rstrip(" ") + _hard(line) for line in lines)


def _hard(line: str) -> str:
    return "  " if line.endswith("  ") and line.strip() else ""


def one_line(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())
