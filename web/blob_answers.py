"""Sends stored files: in pieces, with what browsers need to keep them."""

from sanic import HTTPResponse, empty

from shared.errors import NotFound
from web.front import Req, front_of

_CHUNK_BYTES = 256 * 1024
_FOR_EVER = "private, max-age=31536000, immutable"  # the address holds the hash of the bytes


async def send_blob(
    request: Req,
    sha256: str,
    media_type: str,
    *,
    headers: dict[str, str] | None = None,
    immutable: bool = False,
) -> HTTPResponse | None:
    """Answer with a blob. NotFound (`blob_not_found`) when the file is gone."""
    front = front_of(request)
    kept = _FOR_EVER if immutable else "private, no-cache"
    etag = f'"{sha256}"'
    all_headers = {"ETag": etag, "Cache-Control": kept, **(headers or {})}
    if etag in request.headers.get("if-none-match", ""):
        return empty(status=304, headers=all_headers)
    try:
        file = await front.threads.run(front.store.blobs.path(sha256).open, "rb")
    except FileNotFoundError as error:
        raise NotFound(
            f"The file {sha256} is not in the data directory any more.", code="blob_not_found"
        ) from error
    with file:
        size = file.seek(0, 2)
        file.seek(0)
        all_headers["Content-Length"] = str(size)
        response = await request.respond(content_type=media_type, headers=all_headers)
        if response is None:
            return None
        while chunk := await front.threads.run(file.read, _CHUNK_BYTES):
            await response.send(chunk)
        await response.eof()
    return None
