"""Rows in a database and files by hash: the truth about jobs, pages and results."""

from store.blobs import BlobStore, BlobWriter
from store.changes import JobChange, SweepReport
from store.store import Store

__all__ = ["BlobStore", "BlobWriter", "JobChange", "Store", "SweepReport"]
