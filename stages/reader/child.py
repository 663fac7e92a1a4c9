"""The process that opens documents: `python -m stages.reader.child MEMORY_MIB PARENT_PID`.

Questions come on standard input, answers go to what was standard output when it started.
It reads one document in its life. Whatever goes wrong inside is answered as a code and a
sentence where that is still possible; where it is not, the parent sees the process end.
"""

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from stages.reader import sandbox
from stages.reader.frames import MAX_QUESTION_BYTES, read_frame, write_frame
from stages.reader.part_sink import PartSink
from stages.reader.terms import PagePayload, PageWant

if TYPE_CHECKING:
    from stages.reader.sources import Source


def main() -> None:
    """Lock in, import, say hello, answer until the parent closes the pipe."""
    sandbox.lock_in(int(sys.argv[1]), int(sys.argv[2]))
    sandbox.leave_network()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print: never into the answers
    # Here, not at the top: threads may start only after leave_network.
    from stages.reader.sources import describe, open_source  # noqa: PLC0415

    write_frame(answers, {"ready": True})
    source: Source | None = None
    while (frame := read_frame(sys.stdin.buffer, MAX_QUESTION_BYTES)) is not None:
        question, body = frame
        sandbox.limit_processor(float(question["seconds"]))
        try:
            if source is None:
                path = Path(question["path"])
                sandbox.hide_files(path)
                source = open_source(path, question["max_pages"], question["max_pixels"])
                opened = source.opened
                answer = {"pages": opened.pages, "media_type": opened.media_type}
                write_frame(answers, {**answer, "kind": opened.kind})
            else:
                _answer(answers, source, question, body)
        except BrokenPipeError:
            break
        except Exception as error:  # noqa: BLE001 - anything may come out of a hostile document
            code, message = describe(error)
            spent = code == "out_of_memory"  # what is left of the heap is not worth trusting
            write_frame(
                answers,
                {
                    "error": code,
                    "message": message[:500],
                    "spent": spent,
                    "rss_mib": sandbox.rss_mib(),
                },
            )


def _answer(answers: BinaryIO, source: "Source", question: dict[str, Any], body: bytes) -> None:
    if question["op"] == "text":
        added = source.searchable.add_text(question["number"], json.loads(body))
        write_frame(answers, {"added": added})
    elif question["op"] == "save":
        source.searchable.save(PartSink(answers))
        write_frame(answers, {"rss_mib": sandbox.rss_mib()})
    else:
        want = PageWant(
            accepts=tuple(question["accepts"]),
            dpi=question["dpi"],
            max_pixels=question["max_pixels"],
            preview_pixels=question["preview_pixels"],
            sound_as_pdf=question["sound_as_pdf"],
        )
        _send_page(answers, source.page(question["number"], want))


def _send_page(answers: BinaryIO, payload: PagePayload) -> None:
    header: dict[str, Any] = {
        "media_type": payload.media_type,
        "data_bytes": len(payload.data),
        "width": payload.width,
        "height": payload.height,
        "dpi": payload.dpi,
        "preview_type": payload.preview_type,
        "text": payload.text,
        "ink": payload.ink,
        "rss_mib": sandbox.rss_mib(),
    }
    write_frame(answers, header, payload.data, payload.preview)


if __name__ == "__main__":
    main()
