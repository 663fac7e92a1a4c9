"""A file that is written to the parent in frames while it is made, so that it is never whole."""

from typing import BinaryIO

from stages.reader.frames import write_frame

PART_BYTES = 1024 * 1024


class PartSink:
    """What MuPDF and zipfile need of a file that they only write. It cannot seek."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._kept = bytearray()
        self._sent = 0

    def write(self, data: bytes) -> int:
        """Take bytes; full parts go out."""
        self._kept += data
        if len(self._kept) >= PART_BYTES:
            self.flush()
        return len(data)

    def tell(self) -> int:
        """Bytes written."""
        return self._sent + len(self._kept)

    def flush(self) -> None:
        """Send what is kept."""
        if self._kept:
            write_frame(self._answers, {"part": len(self._kept)}, bytes(self._kept))
            self._sent += len(self._kept)
            self._kept.clear()
