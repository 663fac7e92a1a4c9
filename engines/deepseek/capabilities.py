"""What the engine takes and what a job may ask of it: known without loading anything."""

from collections.abc import Mapping
from typing import Any

from engines.deepseek.runtime import NGRAM, NGRAM_WINDOW
from shared.ocr_backend import RGB, Capabilities, EngineOption

MARKDOWN, FREE, CUSTOM = "markdown", "free", "custom"
PROMPTS = {
    MARKDOWN: "<image>\n<|grounding|>Convert the document to markdown.",
    FREE: "<image>\nFree OCR.",
}
MAX_TOKENS = 8192  # the longest answer that the models were trained to give
_VIEWS = ("auto", "512", "640", "768", "1024", "1280")
_TURNS = ("0", "90", "180", "270")

CAPABILITIES = Capabilities(
    accepts=(RGB,),
    dpi=200,  # an A4 page fills six tiles of DeepSeek-OCR-2
    max_pixels=16_000_000,
    batch=4,
    prefetch=4,
    concurrent=True,
    lasting=True,  # its memory is laid out once; a large GPU reads 2,000 pages in 100 s
    options=(
        EngineOption(
            "prompt",
            "choice",
            MARKDOWN,
            "markdown: with the place of each part. free: the text alone. custom: see "
            "custom_prompt.",
            (MARKDOWN, FREE, CUSTOM),
        ),
        EngineOption(
            "custom_prompt", "str", "", "The prompt for `custom`; <image> stands for the page."
        ),
        EngineOption(
            "view",
            "choice",
            "auto",
            "Side in pixels of the square that shows the whole page; auto: what the model was made "
            "for.",
            _VIEWS,
        ),
        EngineOption(
            "tiles", "bool", True, "Also show a large page in tiles at full size: small print."
        ),
        EngineOption("max_tokens", "int", MAX_TOKENS, "The longest answer, in tokens."),
        EngineOption("ngram", "int", NGRAM, "No run of so many tokens twice; 0: no ban."),
        EngineOption("ngram_window", "int", NGRAM_WINDOW, "Within so many tokens."),
        EngineOption("temperature", "float", 0.0, "0 takes the likeliest token; above, it draws."),
        EngineOption(
            "turned",
            "choice",
            "0",
            "How far the content lies turned clockwise on the page; it is turned upright to be "
            "read.",
            _TURNS,
        ),
    ),
    retry_options=(
        ("sampling", {"temperature": 0.2, "ngram": 12, "ngram_window": 256}),
        ("prompt", {"prompt": FREE}),
    ),
)


def prompt_of(options: Mapping[str, Any]) -> str:
    """The prompt that the options ask for, with `<image>` in it."""
    kind = str(options.get("prompt", MARKDOWN))
    if kind != CUSTOM:
        return PROMPTS.get(kind, PROMPTS[MARKDOWN])
    text = str(options.get("custom_prompt", "")).strip() or PROMPTS[FREE]
    return text if "<image>" in text else f"<image>\n{text}"
