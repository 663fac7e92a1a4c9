"""Text of a block made safe to stand in Markdown: it becomes neither a block nor HTML.

Block content is inline Markdown. Only what would turn a line into a heading, list, quote, code
block, table or definition is escaped, and raw HTML, images and links that are not web links.
What is code to us must be code to every CommonMark reader, or HTML hides in it: code spans are
matched exactly as CommonMark matches them, and nothing else may hold a bare backtick.
"""

import html
import re
from bisect import bisect_left

from shared.render.inline import MAX_MARKDOWN_CHARS, PLAIN_TAGS, cut

_TAG = rf"</?(?:{'|'.join(PLAIN_TAGS)})\s*/?>"
_LINE_START = re.compile(
    r"(?P<mark>\#{1,6}(?=\s|$)|[-+*](?=\s|$)|>|~{3,}|=+(?=\s*$)|[-*_](?=\s*(?:[-*_]\s*)*$)"
    rf"|\[(?=[^\]\n]{{1,999}}\]:)|\||(?={_TAG}\s*$|(?!{_TAG}|<https?://)<[A-Za-z/!?]))"
    r"|(?P<number>\d{1,9})(?P<stop>[.)])(?=\s|$)"
    r"|(?P<fence>`{3,})",
    re.IGNORECASE,
)
_DELIMITER_ROW = re.compile(r":?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_DANGER = r"<(?=[A-Za-z/!?])|!(?=\[)|\](?=\()"
_ANY_DANGER = re.compile(_DANGER)
_RUN = re.compile(r"`+")
_BLANK_LINE = re.compile(r"(\n[ \t]*\n)")
_TOKEN = re.compile(
    r"(?P<escaped>\\.)"
    r"|(?P<run>`+)"
    r"|(?P<math>\$(?![\s$])(?:[^$\\`\n]|\\[^`\n]){0,500}?(?<!\s)\$(?!\d))"
    rf"|(?P<tag>{_TAG})"
    r"|(?P<auto><https?://[^\s<>]{1,2000}>)"
    rf"|(?P<danger>{_DANGER})",
    re.IGNORECASE,
)
_DESTINATION = re.compile(r"\(\s*<?([^>)\n]{0,200})")
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
        return f"{match['number']}\\{line[match.end('number') :]}"
    if match["fence"]:
        return "\\`" * len(match["fence"]) + line[match.end() :]
    return "\\" + line  # also HTML at its start, which not even a code span would hide


def safe_inline(text: str, *, strict: bool = False) -> str:
    """Inline Markdown without raw HTML, images, and links that are not to the web.

    `strict` escapes inside of code spans too: for text that will be joined to other text, where
    nobody knows yet which backticks pair.
    """
    text = cut(text)
    if _ANY_DANGER.search(text) is None:
        return text
    if len(text) > MAX_MARKDOWN_CHARS:
        return _ANY_DANGER.sub(r"\\\g<0>", text.replace("\\", "\\\\"))
    parts = _BLANK_LINE.split(text)  # code spans end with their paragraph
    parts[::2] = [_safe_paragraph(part, strict=strict) for part in parts[::2]]
    return "".join(parts)


def _safe_paragraph(text: str, *, strict: bool) -> str:
    runs: dict[int, list[int]] = {}
    for run in _RUN.finditer(text):
        runs.setdefault(len(run[0]), []).append(run.start())
    done: list[str] = []
    at = 0
    while (match := _TOKEN.search(text, at)) is not None:
        done.append(text[at : match.start()])
        at = match.end()
        if match["run"]:
            closing = [] if strict else runs.get(len(match["run"]), [])
            index = bisect_left(closing, at)
            if index < len(closing):
                at = closing[index] + len(match["run"])
            done.append(text[match.start() : at])
        else:
            done.append(_escape(match, text))
    return "".join((*done, text[at:]))


def _escape(match: re.Match[str], text: str) -> str:
    found = match[0]
    if match["math"]:
        return safe_latex(found)
    if not match["danger"]:
        return found
    if found == "]":
        destination = _DESTINATION.match(text, match.end())
        address = html.unescape(destination[1]) if destination else ":"
        return found if _SAFE_DESTINATION.match(address) else "\\]"
    return "\\" + found


def safe_latex(latex: str) -> str:
    """The formula with a space where it would be HTML, a link or an image: the same to LaTeX."""
    return _ANY_DANGER.sub(r"\g<0> ", latex)


def paragraph(text: str) -> str:
    """A block's text as Markdown paragraphs and nothing else."""
    lines = [escape_line(line).rstrip(" ") + _hard(line) for line in text.strip().split("\n")]
    return safe_inline("\n".join(lines))


def joined_paragraph(text: str, *, is_first: bool) -> str:
    """As `paragraph`, for one part of a paragraph that other text is joined to."""
    lines = [
        escape_line(line) if index or is_first else line.lstrip()
        for index, line in enumerate(line for line in text.strip().split("\n") if line.strip())
    ]
    safe = safe_inline("\n".join(lines), strict=True)
    slashes = len(safe) - len(safe.rstrip("\\"))
    return safe + "\\" * (slashes % 2)  # a last backslash must not undo an escape behind it


def _hard(line: str) -> str:
    return "  " if line.endswith("  ") and line.strip() else ""


def one_line(text: str) -> str:
    """The text on one line."""
    return " ".join(text.split())
