"""Opens documents in a child process that may hang, crash or run out of memory on its own.

`document.py` and `pool.py` are what others use; `process.py` is the parent's end of the pipe.
`child.py` is the other process: it locks itself in (`sandbox.py`) and answers from
`pdf_pages.py` or `image_pages.py`. Only the child imports PyMuPDF and Pillow.
"""

from stages.reader.document import DocumentReader
from stages.reader.pool import ReaderPool
from stages.reader.terms import OpenedDocument, PagePayload, PageWant, ReaderLimits

__all__ = [
    "DocumentReader",
    "OpenedDocument",
    "PagePayload",
    "PageWant",
    "ReaderLimits",
    "ReaderPool",
]
