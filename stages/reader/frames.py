"""Frames on the pipes: header length, body length, a JSON header, the body.

The child is not trusted: the parent checks both lengths before it reads what they announce.
"""

import json
import struct
from typing import Any, BinaryIO

from shared.errors import ProtocolError

PREFIX = struct.Struct("!IQ")  # bytes of the header, bytes of the body
MAX_HEADER_BYTES = 64 * 1024  # paths and sentences
MAX_QUESTION_BYTES = 192 * 1024 * 1024  # the largest picture that goes into a document


def pack_prefix(header: dict[str, Any], body_bytes: int) -> bytes:
    """Everything of a frame before its body."""
    text = json.dumps(header).encode()
    return PREFIX.pack(len(text), body_bytes) + text


def unpack_sizes(prefix: bytes | bytearray, max_body_bytes: int) -> tuple[int, int]:
    """(header bytes, body bytes). ProtocolError when either is over its limit."""
    header_bytes, body_bytes = PREFIX.unpack(prefix)
    if header_bytes > MAX_HEADER_BYTES or body_bytes > max_body_bytes:
        raise ProtocolError(f"A frame of {header_bytes} + {body_bytes} bytes is over the limit.")
    return header_bytes, body_bytes


def unpack_header(text: bytes | bytearray) -> dict[str, Any]:
    """The header. ProtocolError when it is not a JSON object."""
    try:
        header = json.loads(text)
    except ValueError as error:
        raise ProtocolError("The header is not JSON.") from error
    if not isinstance(header, dict):
        raise ProtocolError("The header is not an object.")
    return header


def write_frame(stream: BinaryIO, header: dict[str, Any], *parts: bytes) -> None:
    """Write a frame whose body is the parts, one after the other."""
    stream.write(pack_prefix(header, sum(map(len, parts))))
    stream.writelines(parts)
    stream.flush()


def read_frame(stream: BinaryIO, max_body_bytes: int) -> tuple[dict[str, Any], bytes] | None:
    """Read a frame: its header and body; None at the end of the stream."""
    prefix = stream.read(PREFIX.size)
    if len(prefix) < PREFIX.size:
        return None
    header_bytes, body_bytes = unpack_sizes(prefix, max_body_bytes)
    return unpack_header(stream.read(header_bytes)), stream.read(body_bytes)
