"""A page's answer as frames for the bus: one JSON frame, the raw output, then the images."""

import json
import struct
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from shared.blocks import Block, PageOutput
from shared.errors import ProtocolError

_SIZE = struct.Struct("!I")
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_PLAIN = tuple(
    item.name for item in fields(PageOutput) if item.name not in {"blocks", "raw", "images"}
)


def to_frames(output: PageOutput) -> list[bytes]:
    """[JSON header, raw, image...], images in the order of the header's `images`."""
    header: dict[str, Any] = {name: getattr(output, name) for name in _PLAIN}
    header["blocks"] = [block.to_json() for block in output.blocks]
    header["images"] = list(output.images)
    text = _ENCODER.encode(header)
    return [text.encode("utf-8", "surrogatepass"), output.raw, *output.images.values()]


def from_frames(frames: Sequence[bytes]) -> PageOutput:
    """Read what `to_frames` wrote. ProtocolError when it is not that."""
    try:
        header = json.loads(bytes(frames[0]).decode("utf-8", "surrogatepass"))
        blocks = tuple(Block.from_json(block) for block in header.pop("blocks"))
        names = header.pop("images")
        images = {str(n): bytes(f) for n, f in zip(names, frames[2:], strict=True)}
        header["warnings"] = tuple(header["warnings"])
        return PageOutput(
            blocks=blocks,
            raw=bytes(frames[1]),
            images=images,
            **{name: header[name] for name in _PLAIN},
        )
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise ProtocolError(f"A page's answer cannot be read: {error}") from error


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
