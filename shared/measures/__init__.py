"""How good a reading is, measured against the truth. Pure; used by `quire eval`."""

from shared.measures.comparable import Comparable
from shared.measures.scores import Scores, score

__all__ = ["Comparable", "Scores", "score"]
