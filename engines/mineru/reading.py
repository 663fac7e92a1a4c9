"""A page that is ready for MinerU, and which of them it may read as one document."""

from dataclasses import dataclass

from engines.mineru.capabilities import VLM_TIERS
from shared.ocr_backend import PageInput

OCR, TEXT = "ocr", "txt"  # MinerU's words for how a page is read


@dataclass(frozen=True, slots=True)
class Reading:
    """A page as a one-page PDF, and what MinerU is told about it.

    `mode` is OCR or TEXT, decided for this page alone. `warnings` go with its answer.
    """

    page: PageInput
    pdf: bytes
    tier: str
    mode: str
    warnings: tuple[str, ...] = ()

    @property
    def image_analysis(self) -> bool:
        """Whether pictures are described."""
        return bool(self.page.options.get("image_analysis", True))

    @property
    def company(self) -> tuple[str, bool] | None:
        """Pages where this is equal may be read as one document; None: read it alone.

        MinerU's own small models read each line of pixels for itself, many in one batch. A text
        layer is read by what all its pages have in common, and a VLM is asked for each block.
        """
        if self.mode != OCR or self.tier in VLM_TIERS:
            return None
        return self.tier, self.image_analysis
