"""One document, read by a child process that is replaced whenever it fails."""

import time
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from shared.errors import OutsideFailed, PageFailed, Refused, TooLarge
from stages.reader.process import ChildGone, ChildProcess
from stages.reader.terms import OpenedDocument, PagePayload, PageWant, ReaderLimits

START_ATTEMPTS = 2  # a child that was killed from outside is no fault of the document


class DocumentReader:
    """Reads one document. The child starts with the first call. Not thread-safe.

    Use it from one thread that lives as long as the reader (see ChildProcess).
    """

    def __init__(self, path: Path, limits: ReaderLimits) -> None:
        self._path = path.absolute()
        self._limits = limits
        self._child: ChildProcess | None = None
        self._opened: OpenedDocument | None = None
        self._kills = 0
        self._given_up_until = 0.0
        self._pages_read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def child_pid(self) -> int | None:
        """Process id of the child; None while there is none."""
        return self._child.pid if self._child is not None else None

    def open(self) -> OpenedDocument:
        """Open it and count its pages; answers again without work when it is open.

        Refused, whose code is encrypted, not_a_document, no_pages, too_many_pages, too_large,
        open_timeout, out_of_memory or damaged. OutsideFailed: no child could be started.
        """
        for attempt in range(1, START_ATTEMPTS + 1):
            try:
                self._ready()
            except ChildGone as gone:
                self.close()
                if gone.reason != "crashed" or attempt == START_ATTEMPTS:
                    raise self._refusal(gone) from gone
                continue
            break
        assert self._opened is not None
        return self._opened

    def page(self, number: int, want: PageWant) -> PagePayload:
        """Page `number`, from 1, in a form that the engine takes, with its preview.

        PageFailed, whose code is page_timeout, page_crashed, out_of_memory, too_large, damaged,
        no_such_page or document_given_up. Refused and OutsideFailed as for `open`: a child that is
        started anew opens the document again, and what went once may be refused then.
        """
        self._check_given_up(number)
        try:
            self.open()
        except Refused:
            self._count_kill()  # else each of the pages behind this one waits as long
            raise
        assert self._child is not None
        request = {"op": "page", "number": number, "seconds": self._limits.page_seconds}
        try:
            header, body = self._child.ask({**request, **asdict(want)}, self._limits.page_seconds)
        except ChildGone as gone:
            self.close()
            self._count_kill()
            raise self._page_failure(number, gone) from gone
        self._kills = 0
        self._recycle(header)
        if "error" in header:
            raise PageFailed(f"Page {number}: {header['message']}", code=str(header["error"]))
        return _payload(header, body)

    def close(self) -> None:
        """End the child. The next call starts a new one and opens the document again."""
        child, self._child = self._child, None
        self._pages_read = 0
        if child is not None:
            child.kill()

    def _ready(self) -> None:
        if self._child is not None and self._child.is_alive():
            return
        self.close()
        limits = self._limits
        try:
            self._child = ChildProcess(limits.memory_mib, limits.max_answer_bytes)
        except (ChildGone, OSError) as error:
            raise OutsideFailed(
                f"The process that reads documents does not start ({error}).",
                code="reader_not_started",
            ) from error
        request = {"op": "open", "path": str(self._path), "seconds": limits.open_seconds}
        header, _ = self._child.ask(
            {**request, "max_pages": limits.max_pages, "max_pixels": limits.max_pixels},
            limits.open_seconds,
        )
        if "error" in header:
            self.close()
            kind = TooLarge if str(header["error"]).startswith("too_") else Refused
            raise kind(str(header["message"]), code=str(header["error"]), param="file")
        self._opened = OpenedDocument(
            int(header["pages"]), str(header["media_type"]), str(header["kind"])
        )

    def _refusal(self, gone: ChildGone) -> Refused:
        if gone.reason == "timeout":
            seconds = self._limits.open_seconds
            return Refused(
                f"The document did not open within {seconds:g} seconds. Save it anew with "
                "another program, or split it, and upload it again.",
                code="open_timeout",
                param="file",
            )
        return Refused(
            f"The document is damaged: it crashes the program that opens it ({gone.detail}). "
            "Save it anew with another program and upload it again.",
            code="damaged",
            param="file",
        )

    def _page_failure(self, number: int, gone: ChildGone) -> PageFailed:
        if gone.reason == "timeout":
            seconds = self._limits.page_seconds
            return PageFailed(
                f"Page {number} could not be read within {seconds:g} seconds.",
                code="page_timeout",
            )
        return PageFailed(
            f"Page {number} crashed the process that reads documents ({gone.detail}).",
            code="page_crashed",
        )

    def _count_kill(self) -> None:
        self._kills += 1
        if self._kills >= self._limits.page_kill_limit:
            self._given_up_until = time.monotonic() + self._limits.give_up_seconds

    def _check_given_up(self, number: int) -> None:
        if self._kills < self._limits.page_kill_limit:
            return
        if time.monotonic() < self._given_up_until:
            raise PageFailed(
                f"Page {number} was not tried: {self._kills} pages of this document in a row "
                "took too long or crashed the process that reads them.",
                code="document_given_up",
            )
        self._kills = 0

    def _recycle(self, header: dict[str, Any]) -> None:
        self._pages_read += 1
        limits = self._limits
        fat = int(header.get("rss_mib", 0)) > limits.recycle_rss_mib
        if fat or self._pages_read >= limits.recycle_pages or header.get("spent"):
            self.close()


def _payload(header: dict[str, Any], body: bytearray) -> PagePayload:
    view = memoryview(body)
    size = int(header["data_bytes"])
    return PagePayload(
        media_type=str(header["media_type"]),
        data=bytes(view[:size]),
        width=int(header["width"]),
        height=int(header["height"]),
        dpi=float(header["dpi"]),
        preview=bytes(view[size:]),
        preview_type=str(header["preview_type"]),
        text=str(header["text"]),
        ink=float(header["ink"]),
    )
