"""Blocks as Markdown, HTML and text. Pure functions; all content is taken for hostile."""

from collections.abc import Iterable

from shared.blocks import Block
from shared.render.as_html import HtmlFlow
from shared.render.as_markdown import ImageUrl, MarkdownFlow, default_image_url
from shared.render.as_text import TextFlow
from shared.render.flow import Flow
from shared.render.images import image_extension
from shared.render.pipe_tables import table_to_markdown
from shared.render.tables import sanitize_html

__all__ = [
    "Flow",
    "HtmlFlow",
    "ImageUrl",
    "MarkdownFlow",
    "TextFlow",
    "default_image_url",
    "image_extension",
    "page_markdown",
    "page_text",
    "sanitize_html",
    "table_to_markdown",
    "to_html",
    "to_markdown",
    "to_text",
]


def to_markdown(
    blocks: Iterable[Block],
    *,
    furniture: bool = False,
    image_url: ImageUrl = default_image_url,
) -> str:
    """One page's blocks as Markdown. `image_url` turns a crop's sha256 into its address."""
    return _one_page(MarkdownFlow(image_url=image_url, furniture=furniture), blocks)


def to_html(
    blocks: Iterable[Block],
    *,
    furniture: bool = False,
    image_url: ImageUrl = default_image_url,
    page: int = 1,
) -> str:
    """One page's blocks as safe HTML elements; ids and `data-page` name the page."""
    return _one_page(HtmlFlow(image_url=image_url, furniture=furniture), blocks, page)


def to_text(blocks: Iterable[Block], *, furniture: bool = False) -> str:
    """One page's blocks as plain text."""
    return _one_page(TextFlow(furniture=furniture), blocks)


def page_markdown(blocks: Iterable[Block], *, image_url: ImageUrl = default_image_url) -> str:
    """What `PageResult.markdown` holds."""
    return to_markdown(blocks, image_url=image_url)


def page_text(blocks: Iterable[Block]) -> str:
    """What `PageResult.text` holds, furniture included: a search should find it too."""
    return to_text(blocks, furniture=True)


def _one_page(flow: Flow, blocks: Iterable[Block], page: int = 1) -> str:
    parts = [*flow.page(page, blocks), *flow.finish()]
    text = "".join(parts).strip("\n")
    return f"{text}\n" if text else ""
