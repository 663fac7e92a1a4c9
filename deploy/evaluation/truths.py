"""Documents with their truth beside them: FILE.md or FILE.txt, FILE.p3.md for one page."""

import re
from dataclasses import dataclass
from pathlib import Path

from shared.errors import Refused
from shared.media import HEAD_BYTES, sniff_media_type

_PAGE_TRUTH = re.compile(r"\.p(\d{1,5})\.(?:md|txt)$")


@dataclass(frozen=True, slots=True)
class Truth:
    """What a document (`page` None) or one of its pages says."""

    document: Path
    page: int | None
    path: Path

    @property
    def name(self) -> str:
        """For people."""
        return f"{self.document.name} p{self.page}" if self.page else self.document.name

    def read(self) -> str:
        """The text."""
        return self.path.read_text(encoding="utf-8-sig", errors="replace")


def find_truths(folder: Path) -> list[Truth]:
    """All truths below a folder, by document. Refused (`no_truth`) when there is none.

    A truth may also lie in a folder `truth` beside the document.
    """
    if not folder.is_dir():
        raise Refused(f"{folder} is no folder.", code="no_truth")
    found: list[Truth] = []
    for document in sorted(path for path in folder.rglob("*") if _is_document(path)):
        for place in (document.parent, document.parent / "truth"):
            found += _truths_of(document, place)
    if not found:
        raise Refused(
            f"No document in {folder} has its text beside it: paper.pdf needs paper.pdf.md or "
            "paper.pdf.txt, or paper.pdf.p1.md for a page.",
            code="no_truth",
        )
    return found


def _is_document(path: Path) -> bool:
    if not path.is_file() or path.suffix in {".md", ".txt"}:
        return False
    with path.open("rb") as file:
        return sniff_media_type(file.read(HEAD_BYTES)) is not None


def _truths_of(document: Path, place: Path) -> list[Truth]:
    if not place.is_dir():
        return []
    found = []
    for path in sorted(place.iterdir()):
        rest = path.name.removeprefix(document.name)
        if rest == path.name:
            continue
        page = _PAGE_TRUTH.fullmatch(rest)
        if rest in {".md", ".txt"}:
            found.append(Truth(document, None, path))
        elif page is not None:
            found.append(Truth(document, int(page[1]), path))
    return found
