"""The engine: pages in, blocks out, whatever runs the model; what is missing is said."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from engines.deepseek.backend import DeepSeekEngine
from engines.deepseek.output.raw_text import dump
from engines.deepseek.page_requests import Requests
from engines.deepseek.runtime import Request
from engines.registry import make_engine, parse_raw
from shared.blocks import BlockType, PageOutput
from shared.errors import Misconfigured, OutsideFailed, PageFailed
from shared.ocr_backend import PDF, RGB, PageBatch, PageInput
from shared.settings import Settings, load_settings
from tests.fakes.openai_server import OpenAIServer, page_of, said, serving

WIDTH, HEIGHT = 200, 100


def _settings(**flags: object) -> Settings:
    return load_settings(flags, environ={})


def _page(key: str = "p", **changes: object) -> PageInput:
    pixels = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    pixels[10:20, 150:190] = 0  # black, at the top right
    values = {"data": pixels.tobytes(), "width": WIDTH, "height": HEIGHT, "dpi": 72.0}
    return PageInput(key, RGB, **{**values, **changes})


def _answers(engine: DeepSeekEngine, *pages: PageInput) -> dict[str, object]:
    return dict(engine.recognize(PageBatch(pages), lambda: None))


def _served(answer: object) -> OpenAIServer:
    return OpenAIServer(lambda _: answer)


FIGURE = "<|ref|>image<|/ref|><|det|>[[749, 100, 949, 200]]<|/det|>\n"


def test_a_page_through_a_server_has_blocks_crops_and_raw_output() -> None:
    with serving(
        _served(said(FIGURE + "<|ref|>text<|/ref|><|det|>[[0,500,999,600]]<|/det|>hi"))
    ) as s:
        engine = DeepSeekEngine(_settings(deepseek_url=s.url), None)
        engine.load()
        assert engine.health().status == "healthy"
        answer = _answers(engine, _page())["p"]
        engine.close()
    assert isinstance(answer, PageOutput)
    figure, text = answer.blocks
    assert (text.type, text.content) == (BlockType.TEXT, "hi")
    crop = Image.open(io.BytesIO(answer.images[figure.image]))
    assert crop.size == (40, 10)
    assert np.array(crop).max() == 0
    assert (answer.width, answer.height, answer.finish_reason) == (WIDTH, HEIGHT, "stop")
    assert parse_raw("deepseek", answer.raw, {}, _settings()) == answer.blocks


def test_a_page_whose_content_lies_turned_is_read_upright() -> None:
    # the content lies turned clockwise by 90: what was at its top left stands at the top right
    with serving(_served(said("<|ref|>image<|/ref|><|det|>[[100, 50, 200, 250]]<|/det|>"))) as s:
        engine = DeepSeekEngine(_settings(deepseek_url=s.url), None)
        engine.load()
        answer = _answers(engine, _page(options={"turned": "90"}))["p"]
        engine.close()
    (body,) = s.bodies
    upright = np.array(page_of(body))
    assert upright.shape == (WIDTH, HEIGHT, 3)
    assert upright[10:50, 10:20].max() == 0  # the black part, at the top left
    (figure,) = answer.blocks
    assert figure.bbox == pytest.approx((0.75, 0.1, 0.95, 0.2), abs=0.002)
    crop = np.array(Image.open(io.BytesIO(answer.images[figure.image])))
    assert crop.max() == 0
    assert answer.turned_degrees == 90


def test_options_reach_the_model() -> None:
    with serving(_served(said("x"))) as s:
        engine = DeepSeekEngine(_settings(deepseek_url=s.url), None)
        engine.load()
        options = {
            "prompt": "custom",
            "custom_prompt": "Count the cats.",
            "max_tokens": 7,
            "ngram": 0,
        }
        _answers(engine, _page(options=options))
        engine.close()
    (body,) = s.bodies
    assert body["messages"][0]["content"][-1] == {"type": "text", "text": "Count the cats."}
    assert body["max_tokens"] == 7
    assert "vllm_xargs" not in body


def test_every_option_of_a_job_is_in_its_request() -> None:
    def request(**options: object) -> Request:
        (made,) = Requests(PageBatch([_page(options=options)]), lambda: (7, 8)).take(1)
        return made

    usual = request()
    assert usual.prompt == "<image>\n<|grounding|>Convert the document to markdown."
    assert (usual.view, usual.tiles, usual.max_tokens) == (0, True, 8192)
    assert (usual.temperature, usual.ngram_free) == (0.0, (7, 8))
    assert usual.ngram > 0
    asked = request(
        prompt="free", view="640", tiles=False, max_tokens=9, ngram=5, ngram_window=40,
        temperature=0.3, turned="270",
    )  # fmt: skip
    assert asked.prompt == "<image>\nFree OCR."
    assert (asked.view, asked.tiles, asked.max_tokens) == (640, False, 9)
    assert (asked.ngram, asked.ngram_window, asked.temperature) == (5, 40, 0.3)
    assert (asked.width, asked.height) == (HEIGHT, WIDTH)
    # what makes no sense does no harm
    odd = request(max_tokens=-1, ngram=-3, ngram_window=0, temperature=-2, custom_prompt="x")
    assert (odd.max_tokens, odd.ngram, odd.ngram_window, odd.temperature) == (1, 0, 1, 0.0)
    assert odd.prompt == usual.prompt
    assert request(max_tokens=10**9).max_tokens == 32_768
    assert request(prompt="custom", custom_prompt="a <image> b").prompt == "a <image> b"


def test_pages_that_are_none_do_not_stop_the_others() -> None:
    with serving(_served(said("fine"))) as s:
        engine = DeepSeekEngine(_settings(deepseek_url=s.url), None)
        engine.load()
        pages = [_page("short", data=b"123"), PageInput("pdf", PDF, b"%PDF-"), _page("good")]
        found = _answers(engine, *pages)
        engine.close()
    assert isinstance(found["short"], PageFailed)
    assert isinstance(found["pdf"], PageFailed)
    assert isinstance(found["good"], PageOutput)


def test_a_server_that_is_down_makes_health_say_so() -> None:
    with serving(_served(said("x"))) as s:
        engine = DeepSeekEngine(_settings(deepseek_url=s.url), None)
        engine.load()
    answer = _answers(engine, _page())["p"]
    assert isinstance(answer, OutsideFailed)
    health = engine.health()
    assert (health.status, health.model_loaded, health.backend) == (
        "degraded",
        False,
        "deepseek-ocr",
    )
    assert "is down" in health.message
    engine.close()


@pytest.mark.parametrize(
    ("family", "asked", "precision"),
    [
        ("deepseek-ocr", "auto", "float32"),
        ("deepseek-ocr-2", "fp32", "float32"),
        ("deepseek-ocr-2", "bf16", "bfloat16"),
        ("unlimited-ocr", "bf16", "bfloat16"),
    ],
)
def test_each_model_answers_in_this_process(
    models: dict[str, Path], family: str, asked: str, precision: str
) -> None:
    engine = DeepSeekEngine(
        _settings(deepseek_model=str(models[family]), deepseek_device="cpu", deepseek_dtype=asked),
        None,
    )
    assert engine.health().status == "unhealthy"
    engine.load()
    health = engine.health()
    assert (health.status, health.model_loaded, health.details["model"]) == (
        "healthy",
        True,
        family,
    )
    assert health.details["dtype"] == precision
    options = {"view": "512", "max_tokens": 6, "prompt": "free"}
    answer = _answers(engine, _page(options=options))["p"]
    engine.close()
    assert isinstance(answer, PageOutput)
    assert (answer.finish_reason, answer.model) == ("length", family)
    assert parse_raw("deepseek", answer.raw, {}, _settings()) == answer.blocks


def test_what_is_missing_is_said_with_what_to_do() -> None:
    engine = make_engine("deepseek", _settings(), None)
    with pytest.raises(OutsideFailed, match="QUIRE_DEEPSEEK_MODEL"):
        engine.load()
    health = engine.health()
    assert (health.status, health.model_loaded) == ("unhealthy", False)
    assert "QUIRE_DEEPSEEK_MODEL" in health.message
    with pytest.raises(Misconfigured, match="QUIRE_DEEPSEEK_URL"):
        make_engine("deepseek", _settings(deepseek_runtime="endpoint"), None).load()
    gpu = _settings(deepseek_device="gpu", deepseek_runtime="transformers", deepseek_model="/")
    if not torch.cuda.is_available():
        with pytest.raises(OutsideFailed, match="No GPU"):
            DeepSeekEngine(gpu, None).load()


def test_its_options_are_known_without_a_model() -> None:
    capabilities = make_engine("deepseek", _settings(), None).capabilities
    names = {option.name for option in capabilities.options}
    assert {"prompt", "view", "tiles", "max_tokens", "ngram", "turned"} <= names
    retries = capabilities.retry_options
    assert [rung for rung, _ in retries] == ["sampling", "prompt"]
    assert all(set(options) <= names for _, options in retries)


def test_raw_output_of_another_schema_is_refused() -> None:
    raw = dump("x", turned_degrees=0, images=[]).replace(b"quire-deepseek/1", b"quire-other/1")
    with pytest.raises(PageFailed):
        parse_raw("deepseek", raw, {}, _settings())
