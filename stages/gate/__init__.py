"""Whether an answer may stand, and what is tried when it may not. Pure code: no bus, no store."""

from stages.gate.judging import Finding, Thresholds, judge
from stages.gate.ladder import Step, next_step

__all__ = ["Finding", "Step", "Thresholds", "judge", "next_step"]
