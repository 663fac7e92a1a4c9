"""A page's answer as frames for the bus: one JSON frame, the raw output, then the images.

Reading them is a border: engines come from anywhere, and one odd field that went on to the store
would fail there, with all the pages that are written beside it.
"""

import hashlib
import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from shared.blocks import Block, PageOutput
from shared.errors import ProtocolError

_SIZE = struct.Struct("!I")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_PLAIN = tuple(
    item.name for item in fields(PageOutput) if item.name not in {"blocks", "raw", "images"}
)
_WORDS = ("raw_media_type", "source", "model", "finish_reason")
_NUMBERS = ("width", "height", "skew_degrees")
_TURNS = (0, 90, 180, 270)
_MAX_LABEL = 100  # characters
_MAX_ORDER = 2**31 - 1  # far above any page, and within every integer that a file format has


def to_frames(output: PageOutput) -> list[bytes]:
    """[JSON header, raw, image...], images in the order of the header's `images`."""
    header: dict[str, Any] = {name: getattr(output, name) for name in _PLAIN}
    header["blocks"] = [block.to_json() for block in output.blocks]
    header["images"] = list(output.images)
    text = _ENCODER.encode(header)
    return [text.encode("utf-8", "surrogatepass"), output.raw, *output.images.values()]


def from_frames(frames: Sequence[bytes]) -> PageOutput:
    """Read what `to_frames` wrote. ProtocolError when it is not that, field by field."""
    try:
        header = json.loads(bytes(frames[0]).decode("utf-8", "surrogatepass"))
        blocks = tuple(_block(block) for block in header.pop("blocks"))
        names = header.pop("images")
        images = {n: _image(n, bytes(f)) for n, f in zip(names, frames[2:], strict=True)}
        plain = {name: header[name] for name in _PLAIN}
        _check_plain(plain)
        plain["warnings"] = tuple(plain["warnings"])
        return PageOutput(blocks=blocks, raw=bytes(frames[1]), images=images, **plain)
    except _UNREADABLE as error:
        raise ProtocolError(f"A page's answer cannot be read: {error}") from error


_UNREADABLE = (
    KeyError,
    IndexError,
    TypeError,
    ValueError,
    AttributeError,
    OverflowError,  # a number that no float or integer of a column holds
    RecursionError,  # nested beyond what the JSON reader follows
)


def _block(data: dict[str, Any]) -> Block:
    block = Block.from_json(data)
    if abs(block.order) > _MAX_ORDER:
        raise ValueError("a block's order is out of range")
    if len(block.label) > _MAX_LABEL:
        raise ValueError("a block's label is too long")
    _check("level", block.level, _is_whole, optional=True)
    _check("caption_of", block.caption_of, _is_whole, optional=True)
    _check("confidence", block.confidence, _is_number, optional=True)
    _check("image", block.image, _is_word, optional=True)
    return block


def _image(name: object, data: bytes) -> bytes:
    """The bytes, when they are those that the name promises."""
    if name != hashlib.sha256(data).hexdigest():
        raise ValueError("an image is not named by the sha256 of its bytes")
    return data


def _check_plain(plain: Mapping[str, Any]) -> None:
    for name in _WORDS:
        _check(name, plain[name], _is_word)
    for name in _NUMBERS:
        _check(name, plain[name], _is_number)
    if plain["turned_degrees"] not in _TURNS:
        raise ValueError("turned_degrees is not 0, 90, 180 or 270")
    if not isinstance(plain["warnings"], list):
        raise TypeError("warnings is no list")
    for warning in plain["warnings"]:
        _check("warnings", warning, _is_word)
    for milliseconds in plain["timings"].values():
        _check("timings", milliseconds, _is_number)


def _check(
    name: str, value: object, is_right: Callable[[object], bool], *, optional: bool = False
) -> None:
    if not (is_right(value) or (optional and value is None)):
        raise TypeError(f"{name} is {str(value)[:40]!r}")


def _is_word(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    """NaN and infinities too: they become nothing where they are stored."""
    return isinstance(value, float) or _is_whole(value)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= _MAX_ORDER


def pack(frames: Sequence[bytes]) -> bytes:
    """Frames as one piece of bytes, for a column: each behind its length."""
    return b"".join(part for frame in frames for part in (_SIZE.pack(len(frame)), bytes(frame)))


def unpack(data: bytes) -> list[bytes]:
    """Read what `pack` wrote. ProtocolError when it is not that."""
    frames, at = [], 0
    while at < len(data):
        start = at + _SIZE.size
        if start > len(data):
            raise ProtocolError("A kept answer ends in the middle of a length.")
        end = start + _SIZE.unpack_from(data, at)[0]
        if end > len(data):
            raise ProtocolError("A kept answer ends in the middle of a frame.")
        frames.append(data[start:end])
        at = end
    return frames
