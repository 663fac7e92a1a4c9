"""Two readings of one page: how far they agree, and where they differ. Pure and bounded."""

from shared.compare.agreement import Agreement, PageAgreement, measure
from shared.compare.differences import Difference, word_differences

__all__ = ["Agreement", "Difference", "PageAgreement", "measure", "word_differences"]
