"""Requests of libzmq and our answers, as RFC 27 writes them."""

import pytest
from zmq.utils import z85

from bus.zap import answer

RAW = bytes(range(32))
REQUEST = [b"1.0", b"7", b"bus", b"192.0.2.7", b"", b"CURVE", RAW]


def test_an_allowed_key_becomes_the_user_id():
    asked = []
    reply = answer(REQUEST, lambda *question: asked.append(question) or True)
    assert reply == [b"1.0", b"7", b"200", b"OK", z85.encode(RAW), b""]
    assert asked == [("bus", z85.encode(RAW), "192.0.2.7")]


def test_any_other_key_is_refused():
    assert answer(REQUEST, lambda *_: False)[2] == b"400"


@pytest.mark.parametrize(
    "credentials", [[b"NULL"], [b"PLAIN", b"a", b"b"], [b"CURVE"], [b"CURVE", b"short"]]
)
def test_other_mechanisms_are_refused_unasked(credentials):
    reply = answer([*REQUEST[:5], *credentials], lambda *_: pytest.fail("asked"))
    assert reply[2] == b"400"
    assert reply[4] == b""


@pytest.mark.parametrize("request_", [[], [b"1.0"], [b"2.0", *REQUEST[1:]]])
def test_what_is_no_request_gets_no_answer(request_):
    assert answer(request_, lambda *_: True) is None
