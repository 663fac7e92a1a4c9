"""Page selections as people write them: "1-3,8", "5-", "-2"."""

import re

from shared.errors import Refused

_PART = re.compile(r"\s*(\d{1,6})?\s*(-)?\s*(\d{1,6})?\s*", re.ASCII)
_MAX_PARTS = 1000  # longer selections are no sentence of a person


def parse_pages(text: str) -> tuple[tuple[int, int | None], ...]:
    """Ranges (first, last) numbered from 1, `last` None for "to the end"; () for all pages.

    Refused (`bad_page_range`) when the text is no such list, or a range is empty.
    """
    if not text.strip():
        return ()
    parts = text.split(",")
    if len(parts) > _MAX_PARTS:
        raise _refused(text[:40] + "...")
    ranges: list[tuple[int, int | None]] = []
    for part in parts:
        match = _PART.fullmatch(part)
        if match is None or not (match[1] or match[3]):
            raise _refused(text)
        if match[2] is None and match[3] is not None:
            raise _refused(text)
        first = int(match[1]) if match[1] else 1
        last = int(match[3]) if match[3] else (None if match[2] else first)
        if first < 1 or (last is not None and last < first):
            raise _refused(text)
        ranges.append((first, last))
    return tuple(ranges)


def select_pages(text: str, count: int) -> list[int]:
    """The selected page numbers of a document with `count` pages, ascending, each once.

    Refused (`bad_page_range`) when the selection names no page that the document has.
    """
    ranges = parse_pages(text)
    if not ranges:
        return list(range(1, count + 1))
    pages: set[int] = set()
    for first, last in ranges:
        pages.update(range(first, min(last or count, count) + 1))
    if not pages:
        plural = "s" if count != 1 else ""
        raise Refused(
            f"The document has {count} page{plural}; the selection {text!r} names none of them.",
            code="bad_page_range",
            param="pages",
        )
    return sorted(pages)


def _refused(text: str) -> Refused:
    return Refused(
        f"{text!r} is not a page selection. Write pages and ranges numbered from 1, like 1-3,8.",
        code="bad_page_range",
        param="pages",
    )
