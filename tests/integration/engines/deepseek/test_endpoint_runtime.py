"""The endpoint runtime against a real HTTP server: answers, retries, outages, limits."""

from contextlib import closing
from itertools import repeat
from typing import Any

import numpy as np
import pytest

from engines.deepseek import endpoint_runtime
from engines.deepseek.endpoint_runtime import EndpointRuntime
from engines.deepseek.runtime import BROKEN, LENGTH, STOP, Generation, Request
from shared.errors import OutsideFailed, PageFailed
from tests.fakes.openai_server import OpenAIServer, dripping, page_of, said, serving, slowly
from tests.fakes.request_feeds import RequestBatch

PIXELS = np.random.default_rng(1).integers(0, 256, (40, 30, 3), np.uint8)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_runtime, "_FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(endpoint_runtime, "_LOOK_SECONDS", 0.05)


def _request(key: str = "p", **changes: object) -> Request:
    prompt = "<image>\n<|grounding|>Convert the document to markdown."
    return Request(key, PIXELS.tobytes(), 30, 40, prompt, max_tokens=99, **changes)


def _run(runtime: EndpointRuntime, *requests: Request) -> list[object]:
    return list(runtime.run(RequestBatch(requests), lambda: None))


@pytest.mark.parametrize("word", ["abort", "content_filter", None, "tool_calls"])
def test_an_answer_that_the_server_broke_off_is_no_good_page(word: str | None) -> None:
    with serving(OpenAIServer(lambda _: said("half a sen", word))) as server:
        runtime = EndpointRuntime(server.url, pages=2)
        runtime.load()
        (found,) = _run(runtime, _request())
        runtime.close()
    assert isinstance(found, Generation)
    assert (found.text, found.finish_reason) == ("half a sen", BROKEN)


def test_a_page_is_sent_whole_and_its_answer_comes_back() -> None:
    with serving(OpenAIServer(lambda _: said("<|ref|>text<|/ref|> hello", "length"))) as server:
        runtime = EndpointRuntime(server.url, pages=2)
        runtime.load()
        (found,) = _run(runtime, _request(temperature=0.2, ngram=12, ngram_window=64))
        runtime.close()
    assert isinstance(found, Generation)
    assert (found.text, found.finish_reason) == ("<|ref|>text<|/ref|> hello", LENGTH)
    (body,) = server.bodies
    assert np.array_equal(np.array(page_of(body)), PIXELS)
    texts = [part["text"] for part in body["messages"][0]["content"] if part["type"] == "text"]
    assert texts == ["<|grounding|>Convert the document to markdown."]
    assert body["model"] == server.model
    assert (body["max_tokens"], body["temperature"]) == (99, 0.2)
    assert body["skip_special_tokens"] is False
    assert body["vllm_xargs"]["ngram_size"] == 12
    assert runtime.details()["model"] == server.model


def test_as_many_pages_as_allowed_are_there_at_once() -> None:
    with serving(OpenAIServer(slowly("x", 0.2))) as server:
        runtime = EndpointRuntime(server.url, pages=3)
        found = _run(runtime, *(_request(str(n)) for n in range(7)))
        runtime.close()
    assert sorted(outcome.key for outcome in found) == [str(n) for n in range(7)]
    assert server.most_at_once == 3


def test_what_may_pass_is_tried_again() -> None:
    answers = iter([(503, {}), (429, {}), said("at last")])
    with serving(OpenAIServer(lambda _: next(answers))) as server:
        runtime = EndpointRuntime(server.url)
        (found,) = _run(runtime, _request())
        runtime.close()
    assert (found.text, found.finish_reason) == ("at last", STOP)
    assert len(server.bodies) == 3
    assert runtime.trouble() == ""


def test_a_server_that_stays_busy_fails_from_outside() -> None:
    with serving(OpenAIServer(lambda _: (503, {}))) as server:
        runtime = EndpointRuntime(server.url)
        ((key, error),) = _run(runtime, _request())
        runtime.close()
    assert key == "p"
    assert isinstance(error, OutsideFailed)
    assert "503" in str(error)


def test_a_server_that_goes_down_says_so_and_recovers() -> None:
    with serving(OpenAIServer(lambda _: said("one"))) as server:
        runtime = EndpointRuntime(server.url)
        runtime.load()
        assert _run(runtime, _request())[0].text == "one"
    ((_, error),) = _run(runtime, _request())
    assert isinstance(error, OutsideFailed)
    assert "is down" in runtime.trouble()
    assert "QUIRE_DEEPSEEK_URL" in runtime.trouble()
    with serving(OpenAIServer(lambda _: said("two"), port=server.port)):
        runtime._watcher.join(10)  # it is noticed before a page is sent
        assert runtime.trouble() == ""
        assert _run(runtime, _request())[0].text == "two"
    runtime.close()


@pytest.mark.parametrize(
    "answer", [slowly("late", 0.6), lambda _: (200, dripping(0.02))], ids=["late", "endless"]
)
def test_a_server_that_does_not_come_to_an_end_is_given_up(answer: Any) -> None:
    with serving(OpenAIServer(answer)) as server:
        runtime = EndpointRuntime(server.url, seconds=0.2)
        ((_, error),) = _run(runtime, _request())
        runtime.close()
    assert isinstance(error, OutsideFailed)
    assert "did not answer in time" in str(error)


def test_an_answer_without_measure_is_not_kept() -> None:
    with serving(OpenAIServer(lambda _: (200, repeat(bytes(1 << 20))))) as server:
        runtime = EndpointRuntime(server.url)
        ((_, error),) = _run(runtime, _request())
        runtime.close()
    assert isinstance(error, PageFailed)
    assert "too long" in str(error)


@pytest.mark.parametrize(
    "answer",
    [(400, {"error": "too large"}), (200, {"choices": []}), (200, b"<html>"), (200, [])],
)
def test_an_answer_that_is_none_is_charged_to_the_page(answer: tuple[int, object]) -> None:
    with serving(OpenAIServer(lambda _: answer)) as server:
        runtime = EndpointRuntime(server.url)
        ((_, error),) = _run(runtime, _request())
        runtime.close()
    assert isinstance(error, PageFailed)
    assert len(server.bodies) == 1


def _load(url: str, **changes: str) -> None:
    with closing(EndpointRuntime(url, **changes)) as runtime:
        runtime.load()


def test_missing_server_key_or_model_are_said_at_once() -> None:
    with serving(OpenAIServer(lambda _: said("x"), key="secret")) as server:
        with pytest.raises(OutsideFailed, match="refuses the key"):
            _load(server.url, key="wrong")
        with pytest.raises(OutsideFailed, match="has no model other"):
            _load(server.url, key="secret", model="other")
        _load(server.url, key="secret")
    with pytest.raises(OutsideFailed, match="is down"):
        _load(server.url, key="secret")
