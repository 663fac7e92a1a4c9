"""Merging: what a job's pages say together, and the files that say it."""

from stages.merge.artifacts import write_artifacts
from stages.merge.choosing import taken_first
from stages.merge.merging import Survey, merge, survey
from stages.merge.pages import MergedPage

__all__ = ["MergedPage", "Survey", "merge", "survey", "taken_first", "write_artifacts"]
