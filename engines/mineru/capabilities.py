"""What the MinerU engine takes: known without importing it."""

from shared.ocr_backend import PDF, RGB, Capabilities, EngineOption
from shared.settings import Settings

AUTO = "auto"
FLASH, BASIC, STANDARD, ADVANCED = "flash", "basic", "standard", "advanced"
TIERS = (FLASH, BASIC, STANDARD, ADVANCED)
VLM_TIERS = frozenset({STANDARD, ADVANCED})
PARSE_MODES = {"auto": "auto", "always": "ocr", "never": "txt"}  # our words for MinerU's

# Measured (tests/bench/MINERU.md): its own code holds the interpreter for most of a page, so two
# documents fill the waits for its render worker, and a third only takes memory.
_DOCUMENTS_AT_ONCE = 2
# A page of the VLM tiers waits for a server nearly all of its time, 20 to 50 blocks a page.
_DOCUMENTS_AT_ONCE_WITH_SERVER = 16
# Scans that are read as one document. More gain nothing on a CPU, and come back later.
SCANS_TOGETHER = 4


def documents_at_once(settings: Settings) -> int:
    """How many documents MinerU is given at the same time: a page each, or some scans."""
    if settings.mineru_pages:
        return settings.mineru_pages
    return _DOCUMENTS_AT_ONCE_WITH_SERVER if settings.mineru_vlm_url else _DOCUMENTS_AT_ONCE


def capabilities(settings: Settings) -> Capabilities:
    """One-page PDFs as they are; pixels where the document has no others."""
    return Capabilities(
        accepts=(PDF, RGB),
        dpi=200,  # MinerU renders at 200 itself
        max_pixels=40_000_000,
        batch=documents_at_once(settings),
        prefetch=2,
        concurrent=True,
        options=(
            EngineOption(
                "tier",
                "choice",
                AUTO,
                "flash: text layers, OCR for scans. basic: also formulas and tables. standard: "
                "layout, then a VLM for each block. advanced: all by the VLM. auto: the best that "
                "is installed.",
                (AUTO, *TIERS),
            ),
            EngineOption(
                "ocr",
                "choice",
                AUTO,
                "Read the pixels of PDF pages: auto (where the text layer is not sound), always, "
                "or never. Images are always read.",
                tuple(PARSE_MODES),
            ),
            EngineOption(
                "image_analysis", "bool", True, "Describe pictures and charts; tier advanced only."
            ),
        ),
    )
