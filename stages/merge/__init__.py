"""Merging: what a job's pages say together, and the files that say it."""

from stages.merge.artifacts import write_artifacts
from stages.merge.merging import merge
from stages.merge.pages import MergedPage

__all__ = ["MergedPage", "merge", "write_artifacts"]
