"""One image in, its lines of text out."""

from collections.abc import Callable
from dataclasses import dataclass

from engines.rapid.arrays import Floats, Pixels
from engines.rapid.detector import LONG_SIDE, detect_lines
from engines.rapid.line_image import LineImage
from engines.rapid.models import find_models
from engines.rapid.recognizer import Text, recognize_lines, warm_up
from engines.rapid.runtime import Runtime, open_runtime

_MIN_CONFIDENCE = 0.5  # below, it is a smudge rather than text


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line of text: its box (4 x 2 pixels, clockwise from its top left) and confidence 0..1."""

    box: Floats
    text: str
    confidence: float


class LineReader:
    """Detector and recogniser, loaded."""

    def __init__(self, runtime: Runtime, version: str) -> None:
        self.runtime = runtime
        self.version = version

    @classmethod
    def open(cls, *, runtime: str, precision: str, threads: int) -> "LineReader":
        """Load the models. OutsideFailed when models or runtime are missing."""
        files = find_models()
        opened = open_runtime(files, name=runtime, precision=precision, threads=threads)
        if opened.name == "openvino":
            warm_up(opened)
        return cls(opened, files.version)

    def boxes(self, image: Pixels, *, long_side: int = LONG_SIDE) -> Floats:
        """Boxes of the lines in an RGB image, N x 4 x 2 pixels."""
        return detect_lines(image, self.runtime, long_side=long_side)

    def texts(
        self,
        image: Pixels,
        boxes: Floats,
        progress: Callable[[], None],
        *,
        upside_down: bool = False,
    ) -> list[Text]:
        """What the boxes say; `upside_down` turns each line by 180 degrees first."""
        lines = [LineImage(image, box, upside_down=upside_down) for box in boxes]
        return recognize_lines(lines, self.runtime, progress)

    def read(self, image: Pixels, boxes: Floats, progress: Callable[[], None]) -> list[ReadLine]:
        """The lines that say something, in the order of the boxes."""
        lines = []
        for box, (text, confidence) in zip(boxes, self.texts(image, boxes, progress), strict=True):
            if text.strip() and confidence >= _MIN_CONFIDENCE:
                lines.append(ReadLine(box, text.strip(), confidence))
        return lines
