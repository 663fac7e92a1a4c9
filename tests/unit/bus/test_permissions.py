"""What the key of a role may say."""

import pytest

from bus.keys import Grant
from bus.permissions import MAY_SEND, require_permission
from shared.errors import ProtocolError
from shared.messages import Cancel, Committed, Exited, Hello, PageReady, Publish, Result, Submit

ENGINE = Grant("gpu-box", "engine", b"", "deepseek")
FORBIDDEN = [
    Committed(("j:1:e",)),
    Exited("h", 1),
    PageReady("j:1:e", "j", "recognize.e"),
    Publish("j", "job", 1),
    Cancel("j"),
    Submit((("j", "batch"),)),
]


def hello(role, service, engine=""):
    return Hello("w", role, service, "h", 1, 1, engine=engine)


@pytest.mark.parametrize("message", FORBIDDEN, ids=lambda m: type(m).__name__)
def test_an_engine_key_only_reads_pages(message):
    with pytest.raises(ProtocolError) as raised:
        require_permission(ENGINE, message)
    assert raised.value.code == "forbidden"


def test_an_engine_key_may_do_an_engines_work():
    require_permission(ENGINE, hello("engine", "recognize.deepseek", "deepseek"))
    require_permission(ENGINE, Result("j:1:e", 1, "done"))
    free = Grant("engine", "engine", b"")
    require_permission(free, hello("engine", "recognize.mineru", "mineru"))


@pytest.mark.parametrize(
    "claimed",
    [
        hello("collect", "collect"),
        hello("supervisor", ""),
        hello("engine", "collect", "deepseek"),
        hello("engine", "recognize.mineru", "mineru"),
        hello("engine", "recognize.mineru", "deepseek"),
        hello("engine", "recognize.", ""),
        hello("engine", "split"),
    ],
)
def test_an_engine_key_cannot_join_as_anything_else(claimed):
    with pytest.raises(ProtocolError, match="may not join"):
        require_permission(ENGINE, claimed)


@pytest.mark.parametrize("role", sorted(set(MAY_SEND) - {"engine", "web"}))
def test_other_roles_join_as_themselves(role):
    grant = Grant(role, role, b"")
    require_permission(grant, hello(role, "" if role == "supervisor" else role))
    with pytest.raises(ProtocolError):
        require_permission(grant, hello(role, "recognize.x", "x"))
    with pytest.raises(ProtocolError):
        require_permission(grant, hello("engine", "recognize.x", "x"))
