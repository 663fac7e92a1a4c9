"""OpenAI's protocol: a page as a request's body, and what an answer says."""

import base64
import io
from collections.abc import Mapping
from typing import Any

import httpx
from PIL import Image

from engines.deepseek.prompt import IMAGE
from engines.deepseek.runtime import Request
from shared.errors import PageFailed

_TABLE_CELLS = (128821, 128822)  # <td> and </td> in the tokenizers of all three


def body_of(request: Request, model: str) -> dict[str, Any]:
    """The body of a chat completion for one page."""
    before, _, after = request.prompt.partition(IMAGE)
    content: list[dict[str, Any]] = [{"type": "text", "text": before}] if before else []
    content.append({"type": "image_url", "image_url": {"url": _data_url(request)}})
    if after.strip():
        content.append({"type": "text", "text": after.strip()})
    body = {
        "model": model,
        "messages": [{"role": "user", "content": content}],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
        "skip_special_tokens": False,  # the tags of parts are special tokens
    }
    if request.ngram:  # vLLM's recipe for these models; others leave it unread
        body["vllm_xargs"] = {
            "ngram_size": request.ngram,
            "window_size": request.ngram_window,
            "whitelist_token_ids": list(request.ngram_free or _TABLE_CELLS),
        }
    return body


def model_names(answer: httpx.Response) -> list[str]:
    """The models that a server lists; [] where it lists none."""
    try:
        return [str(model["id"]) for model in answer.json()["data"]]
    except (ValueError, KeyError, TypeError):
        return []


def choice_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The text's part of an answer. PageFailed when there is none."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise PageFailed("The server's answer has no text.", code="bad_answer")
    choice: Mapping[str, Any] = choices[0]
    return choice


def _data_url(request: Request) -> str:
    """The page as PNG: nothing is lost, and text compresses well."""
    size = (request.width, request.height)
    file = io.BytesIO()
    Image.frombytes("RGB", size, bytes(request.pixels)).save(file, "PNG", compress_level=1)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")
