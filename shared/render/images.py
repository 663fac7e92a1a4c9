"""How a crop's file is called in exports."""

_SIGNATURES = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpg"), (b"GIF8", "gif"))


def image_extension(head: bytes) -> str:
    """png, jpg, gif or webp by the first 12 bytes of the image; "bin" for anything else."""
    for signature, extension in _SIGNATURES:
        if head.startswith(signature):
            return extension
    return "webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else "bin"
