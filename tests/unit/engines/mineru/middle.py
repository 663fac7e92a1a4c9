"""Pieces of MinerU's middle JSON."""

import json

BOX = (0.1, 0.2, 0.8, 0.4)


def document(*nodes, tier="flash"):
    """The raw output of a page with these blocks."""
    blocks = [{"index": n, **node} for n, node in enumerate(nodes)]
    page = {"page_idx": 0, "blocks": blocks}
    value = {
        "schema": "docvortex.middle",
        "schema_version": "2.0",
        "extensions": {"mineru": {"tier": tier, "parse_mode": "txt"}},
        "pages": [page],
    }
    return json.dumps(value).encode()


def spans(text, *styles):
    """One span of text."""
    return [{"type": "text", "content": text, "styles": list(styles)}]


def text_block(kind="text", text="words"):
    """A block of text."""
    return {"type": kind, "bbox": BOX, "content": spans(text)}


def ref(text):
    """An entry of a list of references."""
    return text_block("ref_text", text)


def caption(kind, text):
    """A caption or footnote of a visual block."""
    return text_block(kind, text)


def visual(kind, content, *before, image=None):
    """A picture, table, chart or code, after its captions."""
    body = {"type": f"{kind}_body", "bbox": BOX, "content": content}
    if image:
        body["image_path"] = image
    return {"type": kind, "bbox": BOX, "content": [*before, body]}
