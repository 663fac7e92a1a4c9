"""The steps of merging in their order, by name: what a job or setting may leave out.

A job leaves steps out with the option `merge_skip`, a service with QUIRE_MERGE_SKIP. What stands
in results is made safe by rendering, whatever is left out here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from shared.errors import Refused

OPTION = "merge_skip"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of merging."""

    name: str
    help: str


STEPS = (
    Step("clean", "NFC, no control characters, no fences round prose, LaTeX braces balanced."),
    Step("code", "Text that is a fenced block becomes code."),
    Step("lists", "Text whose lines all have list marks becomes a list."),
    Step("lines", "Line breaks of the page's width go, words that they cut are made whole."),
    Step("furniture", "Lines repeated at one height of many pages become heads and feet."),
    Step("headings", "One title, and heading levels that agree over the document."),
    Step("references", "Entries below a heading such as References become references."),
    Step("captions", "Captions find their figure or table."),
    Step("continuation", "Paragraphs and tables that go on on the next page are marked so."),
)
NAMES = tuple(step.name for step in STEPS)


def parse_skip(names: str | Iterable[str]) -> frozenset[str]:
    """The steps to leave out, from names or a text with commas. Refused (`bad_option`)."""
    listed = names.split(",") if isinstance(names, str) else names
    found = frozenset(name.strip() for name in listed if name.strip())
    unknown = sorted(found - set(NAMES))
    if unknown:
        raise Refused(
            f"{unknown[0][:40]!r} is no step of merging: {', '.join(NAMES)}.",
            code="bad_option",
            param=OPTION,
        )
    return found


def skipped_by(options: Mapping[str, Any], settings: Iterable[str]) -> frozenset[str]:
    """The steps that a job's options or the settings leave out; unknown names are ignored."""
    given = options.get(OPTION, "")
    names = given.split(",") if isinstance(given, str) else ()
    return frozenset({name.strip() for name in (*names, *settings)} & set(NAMES))
