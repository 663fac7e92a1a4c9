"""Where the models lie: inside RapidOCR's wheel, found without importing it, which is slow."""

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from shared.errors import OutsideFailed


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """The two ONNX files and the version of the wheel that they came in."""

    detector: Path
    recognizer: Path
    version: str


def find_models() -> ModelFiles:
    """The model files. OutsideFailed (`weights_missing`) says what to install."""
    spec = find_spec("rapidocr")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        models = Path(folder) / "models"
        detectors = sorted(models.glob("PP-OCRv6_det_*.onnx"))
        recognizers = sorted(models.glob("PP-OCRv6_rec_*.onnx"))
        if detectors and recognizers:
            return ModelFiles(detectors[0], recognizers[0], _wheel_version())
    raise OutsideFailed(
        "The PP-OCRv6 models are missing: install rapidocr 3.10 (pip install 'rapidocr>=3.10').",
        code="weights_missing",
    )


def _wheel_version() -> str:
    try:
        return version("rapidocr")
    except PackageNotFoundError:
        return "unknown"


def characters_of(listed: str) -> tuple[str, ...]:
    """The recogniser's classes, from the list that its file carries: one a line."""
    # Index 0 is CTC's blank; the space comes after the listed characters.
    return ("", *listed.splitlines(), " ")
