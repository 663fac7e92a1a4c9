"""The process that writes Word documents: `python -m stages.export.word_child MEMORY_MIB PARENT`.

A document of python-docx is whole in memory, some 100 KB a page, and its making takes the
processor for seconds: in a process of its own it holds up nobody, and its memory goes back. It
opens no files: pictures come through the pipe, and what it writes leaves through one.
"""

import json
import os
import sys
from typing import Any

from stages.reader import sandbox
from stages.reader.frames import MAX_QUESTION_BYTES, read_frame, write_frame
from stages.reader.part_sink import PartSink


def main() -> None:
    """Lock in, say hello, take commands until the document is asked for."""
    sandbox.lock_in(int(sys.argv[1]), int(sys.argv[2]))
    sandbox.leave_network()
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    from stages.export.word_document import WordDocument  # noqa: PLC0415 - no threads before this

    document = WordDocument()
    sandbox.hide_files(None)
    write_frame(answers, {"ready": True})
    while (frame := read_frame(sys.stdin.buffer, MAX_QUESTION_BYTES)) is not None:
        question, body = frame
        sandbox.limit_processor(float(question["seconds"]))
        try:
            if question["op"] == "save":
                sink = PartSink(answers)
                document.save(sink, str(question["title"]))
                sink.flush()
                answer: dict[str, Any] = {}
            elif question["op"] == "image":
                answer = {"kept": document.keep_image(str(question["sha256"]), body)}
            else:
                for line in body.splitlines():
                    document.run(json.loads(line))
                document.forget_images()
                answer = {}
            write_frame(answers, answer)
        except BrokenPipeError:
            break
        except (ValueError, KeyError, OSError, MemoryError) as error:
            write_frame(answers, {"error": "export_failed", "message": str(error)[:500]})


if __name__ == "__main__":
    main()
