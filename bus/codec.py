"""Messages to frames and back.

Frame 0: version, kind and xxh3-64 of the payload frames (10 bytes). Frame 1: the fields as a
msgpack array. The rest is payload, sent and received without copying. Sizes are capped before
anything is decoded; a frame that is not ours is a ProtocolError, never an exception of a library.
"""

import struct
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, cast

import msgpack
import xxhash

from shared import messages
from shared.errors import ProtocolError
from shared.messages import VERSION, Message

MAX_HEADER_BYTES = 4 * 1024 * 1024  # a heartbeat that lists 10,000 pages stays under 1 MiB
MAX_PAYLOAD_FRAMES = 1024  # a page with more figures than that is not a page
_PREFIX = struct.Struct(">BBQ")

Payload = Sequence[Any]  # bytes, memoryview or zmq.Frame
Check = Callable[[Any], Any]


def encode(message: Message, payload: Payload = ()) -> list[Any]:
    """Frames of the message, payload frames appended as they are."""
    cls = type(message)
    header = [getattr(message, name) for name in _NAMES[cls]]
    prefix = _PREFIX.pack(VERSION, cls.KIND, payload_hash(payload) if payload else 0)
    return [prefix, msgpack.packb(header, use_bin_type=True), *payload]


def encode_relayed(message: Message, prefix_hash: int, payload: Payload) -> list[Any]:
    """As `encode`, with the hash that the first sender computed: the broker never reads payload."""
    header = [getattr(message, name) for name in _NAMES[type(message)]]
    prefix = _PREFIX.pack(VERSION, message.KIND, prefix_hash)
    return [prefix, msgpack.packb(header, use_bin_type=True), *payload]


def payload_hash(payload: Payload) -> int:
    """xxh3-64 over all payload frames."""
    state = xxhash.xxh3_64()
    for frame in payload:
        state.update(cast("Any", getattr(frame, "buffer", frame)))
    return state.intdigest()


def decode(prefix: Any, header: Any) -> tuple[Message, int]:
    """(message, payload hash) from the first two frames. ProtocolError when they are not ours."""
    if len(prefix) != _PREFIX.size:
        raise ProtocolError("The first frame is not a quire prefix.", code="bad_prefix")
    version, kind, digest = _PREFIX.unpack(prefix)
    if version != VERSION:
        raise ProtocolError(f"Protocol version {version} is unknown.", code="bad_version")
    cls = _KINDS.get(kind)
    if cls is None:
        raise ProtocolError(f"Message kind {kind} is unknown.", code="bad_kind")
    if len(header) > MAX_HEADER_BYTES:
        raise ProtocolError("A header is over the size limit.", code="too_large")
    try:
        values = msgpack.unpackb(header, raw=False, use_list=False, strict_map_key=True)
    except (ValueError, msgpack.UnpackException, UnicodeDecodeError) as error:
        raise ProtocolError(f"A header is not msgpack: {error}", code="bad_header") from error
    return _build(cls, values), digest


def check_payload(digest: int, payload: Payload) -> None:
    """ProtocolError when the payload is not what its sender hashed."""
    if len(payload) > MAX_PAYLOAD_FRAMES:
        raise ProtocolError("A message has too many frames.", code="too_large")
    if payload and payload_hash(payload) != digest:
        raise ProtocolError("A payload does not match its hash.", code="bad_hash")


def _build(cls: type[Any], values: Any) -> Message:
    checks = _CHECKS[cls]
    if not isinstance(values, tuple) or not len(values) <= len(checks):
        raise ProtocolError(f"{cls.__name__} has a wrong number of fields.", code="bad_header")
    try:
        return cast("Message", cls(*[check(v) for check, v in zip(checks, values, strict=False)]))
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"{cls.__name__}: {error}", code="bad_header") from error


def _exactly(kind: type) -> Check:
    def check(value: Any) -> Any:
        if type(value) is not kind:
            raise TypeError(f"{kind.__name__} expected, not {type(value).__name__}")
        return value

    return check


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"number expected, not {type(value).__name__}")
    return float(value)


def _check_for(kind: Any) -> Check:
    """A function that returns the value when it fits the annotation, else raises TypeError."""
    origin = typing.get_origin(kind)
    if kind is Any:
        return lambda value: value
    if kind is float:
        return _number
    if origin is tuple:
        return _tuple_check(typing.get_args(kind))
    if origin in {Mapping, dict, types.MappingProxyType} or origin is typing.get_origin(
        Mapping[str, Any]
    ):
        return _exactly(dict)
    if isinstance(kind, type):
        return _exactly(kind)
    raise TypeError(f"no check for {kind}")


def _tuple_check(args: tuple[Any, ...]) -> Check:
    is_tuple = _exactly(tuple)
    if len(args) == 2 and args[1] is Ellipsis:
        item = _check_for(args[0])
        return lambda value: tuple([item(v) for v in is_tuple(value)])
    items = [_check_for(arg) for arg in args]

    def check(value: Any) -> Any:
        if len(is_tuple(value)) != len(items):
            raise TypeError(f"{len(items)} items expected")
        return tuple(one(v) for one, v in zip(items, value, strict=True))

    return check


_KINDS: dict[int, type[Any]] = {
    cls.KIND: cls
    for cls in vars(messages).values()
    if isinstance(cls, type) and is_dataclass(cls) and hasattr(cls, "KIND")
}
_NAMES = {cls: tuple(item.name for item in fields(cls)) for cls in _KINDS.values()}
_CHECKS = {
    cls: tuple(_check_for(typing.get_type_hints(cls)[name]) for name in _NAMES[cls])
    for cls in _KINDS.values()
}
