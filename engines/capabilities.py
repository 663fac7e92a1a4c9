"""What the CPU engine takes: known without loading anything."""

from shared.ocr_backend import PDF, RGB, Capabilities, EngineOption

CAPABILITIES = Capabilities(
    accepts=(PDF, RGB),
    dpi=200,
    max_pixels=16_000_000,
    options=(
        EngineOption(
            "ocr",
            "choice",
            "auto",
            "Read the pixels of PDF pages: auto (where the text layer is not sound), always, or "
            "never. Images are always read.",
            ("auto", "always", "never"),
        ),
        EngineOption("tables", "bool", True, "Find tables; otherwise their text runs on."),
    ),
)
