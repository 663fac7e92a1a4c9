"""Looking at a VLM server."""

import httpx
import pytest

from engines.mineru.vlm_server import VlmServer
from shared.settings import Settings


def server(answer, **settings):
    settings = Settings(mineru_vlm_url="http://vlm:8000/v1", **settings)
    return VlmServer(settings, httpx.MockTransport(answer))


def models(*names):
    return lambda _request: httpx.Response(200, json={"data": [{"id": name} for name in names]})


def raises(error):
    def answer(request):
        raise error("no", request=request)

    return answer


@pytest.mark.parametrize(
    ("answer", "settings", "words"),
    [
        (raises(httpx.ConnectError), {}, "cannot be reached"),
        (raises(httpx.ReadTimeout), {}, "does not answer within"),
        (lambda _: httpx.Response(401), {}, "QUIRE_MINERU_VLM_KEY"),
        (lambda _: httpx.Response(503), {}, "status 503"),
        (lambda _: httpx.Response(200, text="<html>"), {}, "OpenAI"),
        (lambda _: httpx.Response(200, json={"data": 7}), {}, "OpenAI"),
        (models("a", "b"), {}, "name one in QUIRE_MINERU_VLM_MODEL"),
        (models("a"), {"mineru_vlm_model": "b"}, "no model 'b'"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(answer, settings, words):
    problem = server(answer, **settings).look()
    assert words in problem
    assert "http://vlm:8000" in problem


def test_a_server_that_is_well_has_no_problem():
    assert server(models("a")).look() == ""
    assert server(models("a", "b"), mineru_vlm_model="b").look() == ""


def test_its_key_is_sent():
    seen = []

    def answer(request):
        seen.append(request.headers.get("authorization"))
        return models("a")(request)

    server(answer, mineru_vlm_key="secret").look()
    assert seen == ["Bearer secret"]


def test_a_report_counts_until_the_server_was_seen_again():
    watched = server(models("a"))
    watched.start()
    watched.report("A page failed.")
    assert watched.problem == "A page failed."
    watched.close()
