"""Whether an answer may stand, and what is tried when it may not. Pure code: no bus, no store."""

from stages.gate.judging import Finding, Thresholds, judge
from stages.gate.ladder import Step, last_resort, may_be_taken, next_step

__all__ = ["Finding", "Step", "Thresholds", "judge", "last_resort", "may_be_taken", "next_step"]
