"""Receives a multipart upload: to disk while it streams, in memory of constant size."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from shared.errors import Refused, TooLarge
from shared.media import HEAD_BYTES, sniff_media_type
from shared.settings import MIB, Settings
from store.blobs import BlobStore, BlobWriter
from web.admission import check_disk
from web.faults import UnsupportedType
from web.file_names import clean_name
from web.threads import StoreThreads

_WRITE_BYTES = MIB  # one call into a thread for so much
_DISK_LOOK_BYTES = 64 * MIB  # between two looks at the free space
_FIELD_BYTES = 64 * 1024
_FIELD_NAMES = frozenset({"engine", "pages", "priority", "options", "reuse"})
_FILE_NAMES = frozenset({"file", "files"})
_OTHER_SEGMENTS = 16  # fields and empty file inputs beside the files
_HEADER_BYTES = 16 * 1024  # a name is cut, not refused


@dataclass(slots=True)
class StagedFile:
    """One file of a request, not committed yet."""

    name: str
    writer: BlobWriter
    size_bytes: int = 0
    media_type: str = ""
    head: bytearray = field(default_factory=bytearray)
    waiting: bytearray = field(default_factory=bytearray)


class Upload:
    """The files and fields of one request. `abort` forgets all that is not committed."""

    def __init__(
        self,
        settings: Settings,
        blobs: BlobStore,
        threads: StoreThreads,
        check_field: Callable[[str, str], None],
    ) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[StagedFile] = []
        self._settings = settings
        self._blobs = blobs
        self._threads = threads
        self._check_field = check_field
        self._since_disk_look = 0

    async def receive(self, content_type: str, body: AsyncIterator[bytes]) -> None:
        """Read the whole body. Refused, TooLarge, UnsupportedType, Busy name the file at fault."""
        parser = PushMultipartParser(
            boundary_of(content_type),
            max_header_size=_HEADER_BYTES,
            max_segment_count=self._settings.max_files + _OTHER_SEGMENTS,
            strict=True,
        )
        try:
            await self._parse(parser, body)
        except MultipartError as error:
            raise Refused(
                f"The upload is not valid multipart/form-data: {error}.", code="bad_multipart"
            ) from error
        if not self.files:
            raise Refused("The request has no file.", code="no_file", param="file")

    async def _parse(self, parser: PushMultipartParser, body: AsyncIterator[bytes]) -> None:
        file: StagedFile | None = None
        field_name, field_data = "", bytearray()
        async for chunk in body:
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    file = self._begin_file(event)
                    field_name, field_data = ("" if file else _field_name(event)), bytearray()
                elif event is None:
                    if file is not None:
                        await self._end_file(file)
                    elif field_name in _FIELD_NAMES:
                        self._end_field(field_name, field_data)
                elif file is not None:
                    await self._write(file, event)
                else:
                    field_data += event
                    if len(field_data) > _FIELD_BYTES:
                        raise TooLarge(
                            f"The field {field_name!r} is over {_FIELD_BYTES} bytes.",
                            code="field_too_large",
                            param=field_name,
                        )
        parser.close()

    def _begin_file(self, segment: MultipartSegment) -> StagedFile | None:
        if segment.name not in _FILE_NAMES:
            return None
        if len(self.files) >= self._settings.max_files:
            raise TooLarge(
                f"One request takes at most {self._settings.max_files} files.",
                code="too_many_files",
                param="file",
            )
        # Not in a thread: a cancel while that ran would lose the open file.
        file = StagedFile(clean_name(segment.filename or ""), self._blobs.writer())
        if not segment.filename:
            file.name = ""  # an empty file input of a form looks like this
        self.files.append(file)
        return file

    async def _write(self, file: StagedFile, data: bytearray) -> None:
        file.size_bytes += len(data)
        if file.size_bytes > self._settings.max_file_bytes:
            limit = self._settings.max_file_bytes / MIB
            raise TooLarge(
                f"{file.name!r} is over the limit of {limit:g} MiB.",
                code="file_too_large",
                param="file",
            )
        if not file.media_type:
            file.head += data
            if len(file.head) >= HEAD_BYTES:
                self._judge(file)
        file.waiting += data
        if len(file.waiting) >= _WRITE_BYTES:
            await self._flush(file)

    async def _flush(self, file: StagedFile) -> None:
        waiting, file.waiting = bytes(file.waiting), bytearray()
        await self._threads.run(file.writer.write, waiting)
        self._since_disk_look += len(waiting)
        if self._since_disk_look >= _DISK_LOOK_BYTES:
            self._since_disk_look = 0
            await self._threads.run(check_disk, self._settings)

    def _judge(self, file: StagedFile) -> None:
        media_type = sniff_media_type(bytes(file.head))
        if media_type is None:
            raise UnsupportedType(
                f"{file.name!r} is none of the types that can be read: PDF, PNG, JPEG, TIFF, WebP, "
                "BMP, GIF, XPS, EPUB, CBZ, SVG.",
                code="unknown_type",
                param="file",
            )
        file.media_type = media_type
        file.head.clear()

    async def _end_file(self, file: StagedFile) -> None:
        if not file.name and not file.size_bytes:
            self.files.remove(file)
            await self._threads.run(file.writer.abort)
            return
        file.name = file.name or clean_name("")
        if not file.size_bytes:
            raise Refused(f"{file.name!r} is empty.", code="empty_file", param="file")
        if not file.media_type:
            self._judge(file)
        await self._flush(file)

    def _end_field(self, name: str, data: bytearray) -> None:
        if name in self.fields:
            raise Refused(f"The field {name!r} is there twice.", code="bad_field", param=name)
        try:
            text = data.decode("utf-8").strip()
        except UnicodeDecodeError as error:
            raise Refused(f"The field {name!r} is not UTF-8.", code="bad_field", param=name) from (
                error
            )
        self._check_field(name, text)
        self.fields[name] = text

    async def abort(self) -> None:
        """Forget every file that was not committed."""
        for file in self.files:
            await self._threads.run(file.writer.abort)


def boundary_of(content_type: str) -> str:
    """The boundary of a multipart/form-data header. UnsupportedType when it is no such header."""
    kind, options = parse_options_header(content_type)
    boundary = str(options.get("boundary", ""))
    if kind != "multipart/form-data" or not 0 < len(boundary) <= 200:
        raise UnsupportedType(
            "Send the document as multipart/form-data in the field 'file'.", code="not_multipart"
        )
    return boundary


def _field_name(segment: MultipartSegment) -> str:
    name = segment.name or ""
    if name not in _FIELD_NAMES:
        known = ", ".join(sorted(_FIELD_NAMES))
        raise Refused(
            f"{name[:40]!r} is no field of this request; it takes file, {known}.",
            code="unknown_field",
            param=name[:40],
        )
    return name
