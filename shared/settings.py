"""Settings: defaults, then quire.toml, then QUIRE_* in the environment, then flags."""

import math
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from shared.errors import Misconfigured

MIB = 1024 * 1024
SLOT_VARIABLE = "QUIRE_SLOT"  # no setting: the name under which a supervisor starts a process
# never logged, never shown
SECRET_SETTINGS = frozenset({"api_keys", "database_url", "mineru_vlm_key", "deepseek_url_key"})


def _setting(default: Any, help_text: str) -> Any:
    return field(default=default, metadata={"help": help_text})


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One field per setting; `QUIRE_<NAME>` in the environment, `name = ...` in quire.toml."""

    host: str = _setting("127.0.0.1", "Address that the web front listens on.")
    port: int = _setting(8080, "Port of the web front.")
    data: Path = _setting(Path("quire-data"), "Data directory: database, documents, results.")
    database_url: str = _setting("", "SQLAlchemy URL; empty: SQLite in the data directory.")
    bus: str = _setting("tcp://127.0.0.1:5570", "Address of the broker.")
    bus_events: str = _setting("tcp://127.0.0.1:5571", "Address of the broker's events.")
    bus_keys: str = _setting(
        "", "Directory of the bus's keys (`quire keys`); empty: none, this machine only."
    )
    bus_key: str = _setting(
        "", "Key file of this one process; empty: that of its role in QUIRE_BUS_KEYS."
    )
    engines: tuple[str, ...] = _setting(
        ("pymupdf",), "Engines that `up` starts: name[*processes][:gpuN], separated by commas."
    )
    engine_pythons: tuple[str, ...] = _setting(
        (), "Interpreters of engines that need their own: name=/path/to/python, by commas."
    )
    api_keys: tuple[str, ...] = _setting((), "Keys that the API asks for; empty: no key needed.")
    host_names: tuple[str, ...] = _setting(
        (), "Names that a reverse proxy passes on as Host, beside localhost; * for any."
    )
    cors_origins: tuple[str, ...] = _setting((), "Origins that browsers may call the API from.")
    log_level: str = _setting("INFO", "DEBUG, INFO, WARNING or ERROR.")

    max_file_bytes: int = _setting(512 * MIB, "Largest document, in bytes.")
    max_files: int = _setting(100, "Most files in one request.")
    max_pages: int = _setting(5000, "Most pages of one document.")
    max_pixels: int = _setting(150_000_000, "Largest image, in pixels after decoding.")
    max_queued_pages: int = _setting(20_000, "Unfinished pages above which uploads get 429.")
    max_queued_jobs: int = _setting(2_000, "Unfinished jobs above which uploads get 429.")
    min_free_mib: int = _setting(512, "Free disk space, in MiB, under which uploads get 429.")

    split_processes: int = _setting(1, "Processes that open documents.")
    split_chunk_pages: int = _setting(4, "Pages that one split task prepares.")
    open_seconds: float = _setting(30.0, "Time to open a document.")
    page_seconds: float = _setting(20.0, "Time to render one page.")
    reader_memory_mib: int = _setting(2048, "Memory of the process that opens a document.")
    preview_pixels: int = _setting(1200, "Long side of a page's preview image, in pixels.")
    window_pages: int = _setting(16, "Pages of one job that the broker holds ahead of its engine.")
    queue_mib: int = _setting(128, "Pages that wait in the broker, of all services, in MiB.")

    merge_skip: tuple[str, ...] = _setting(
        (), "Steps of merging to leave out for all jobs, by commas (see ARCHITECTURE)."
    )

    heartbeat_seconds: float = _setting(1.0, "Time between heartbeats, both ways.")
    silence_seconds: float = _setting(3.0, "Silence after which a worker counts as lost.")
    hang_seconds: float = _setting(30.0, "Shortest time without progress that means a hang.")
    hang_factor: float = _setting(8.0, "Hang after this many times the engine's usual page time.")
    page_attempts: int = _setting(3, "Attempts of a page that its engine refuses.")
    crash_attempts: int = _setting(3, "Crashes after which a page is quarantined.")
    backoff_seconds: float = _setting(0.5, "First wait before a page is retried; doubles.")

    fallback: str = _setting(
        "auto",
        "Which pages may go to an engine that was not asked for, on an outage or a refused "
        "answer: auto (those that asked for auto), always (also of a job with one named engine), "
        "never.",
    )
    fallback_seconds: float = _setting(
        30.0, "Wait for an engine that does not read a page before it goes elsewhere, if it may."
    )
    gate_characters: int = _setting(200, "Shortest text that is searched for loops, in characters.")
    gate_distinct_share: float = _setting(
        0.35, "A loop: fewer of a text's windows of 24 characters are distinct; it ends in repeats."
    )
    gate_periodic_share: float = _setting(0.5, "A loop: a larger share of a text is periodic.")
    gate_repeats: int = _setting(6, "A loop: its unit comes so often in a row.")
    gate_tail_characters: int = _setting(300, "A loop: the text ends with so long a periodic run.")
    gate_blank_ink: float = _setting(1e-6, "A page with less ink is blank: text on it is refused.")
    gate_page_ink: float = _setting(3e-4, "A page with more ink has something: no text is refused.")

    engine_classes: tuple[str, ...] = _setting(
        (), "Further engines: name=module:Class, separated by commas."
    )
    engine_threads: int = _setting(0, "Threads of one engine process; 0: cores / processes.")
    engine_max_pages: int = _setting(
        2_000, "An engine process starts anew after so many pages, but for deepseek."
    )
    engine_max_rss_mib: int = _setting(
        4096, "An engine process starts anew above this memory, or 1.5 times its model's."
    )
    ocr_runtime: str = _setting("auto", "auto, openvino or onnxruntime, for the CPU engine.")
    ocr_precision: str = _setting("auto", "auto, int8, bf16 or f32, for the CPU engine.")

    mineru_models: str = _setting("", "Folder of MinerU's weights; empty: ~/.mineru/models.")
    mineru_small_models: str = _setting("auto", "auto, onnx or torch: who runs its small models.")
    mineru_vlm_engine: str = _setting("auto", "auto, llama-cpp, vllm or lmdeploy: a VLM in here.")
    mineru_vlm_url: str = _setting("", "Server of MinerU's VLM; empty: the VLM runs in here.")
    mineru_vlm_model: str = _setting("", "Its model's name; empty: the one that it serves.")
    mineru_vlm_key: str = _setting("", "Its API key.")
    mineru_vlm_seconds: int = _setting(120, "Longest wait for one answer of that server.")
    mineru_pages: int = _setting(0, "Documents MinerU reads at once; 0: 2, 16 with a VLM server.")
    deepseek_model: str = _setting(
        "", "Folder of a DeepSeek-OCR, DeepSeek-OCR-2 or Unlimited-OCR model, or owner/name."
    )
    deepseek_runtime: str = _setting(
        "auto", "auto, native (one GPU), transformers (GPU or CPU) or endpoint (a server)."
    )
    deepseek_device: str = _setting("auto", "auto, gpu or cpu.")
    deepseek_dtype: str = _setting("auto", "auto (bf16 on a GPU, fp32 on a CPU), bf16 or fp32.")
    deepseek_kv: str = _setting("model", "model or float8: how native keeps what it has read.")
    deepseek_batch: int = _setting(0, "Pages that transformers reads together; 0: what fits.")
    deepseek_url: str = _setting("", "OpenAI-compatible server, like http://host:8000/v1.")
    deepseek_url_key: str = _setting("", "Its API key.")
    deepseek_url_model: str = _setting("", "Its model's name; empty: the one that it serves.")
    deepseek_url_pages: int = _setting(32, "Pages that it is sent at the same time.")
    deepseek_url_seconds: int = _setting(300, "Longest wait for one answer of that server.")

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of the store."""
        return self.database_url or f"sqlite:///{self.data.absolute() / 'quire.db'}"


def load_settings(
    flags: Mapping[str, Any] | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
) -> Settings:
    """Settings from the file, the environment and flags, in rising order.

    `file` defaults to `$QUIRE_CONFIG` or `quire.toml` in the working directory, where it exists;
    an empty `$QUIRE_CONFIG` means no file.
    Misconfigured names the setting, its source and what was expected.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    known = {f.name: f.type for f in fields(Settings)}
    configured = environ.get("QUIRE_CONFIG", "quire.toml")
    path = file or Path(configured)
    if path.is_file():
        for name, value in _read_toml(path).items():
            if name not in known:
                raise Misconfigured(f"{path} has {name!r}, which is no setting.", param=name)
            values[name] = _convert(name, known[name], value, str(path))
    elif file or (configured and "QUIRE_CONFIG" in environ):
        raise Misconfigured(f"The settings file {path} does not exist.")
    for variable, text in environ.items():
        name = variable.removeprefix("QUIRE_").lower()
        if variable.startswith("QUIRE_") and name in known:
            values[name] = _convert(name, known[name], text, variable)
    for name, value in (flags or {}).items():
        if value is not None:
            option = "--" + name.replace("_", "-")
            values[name] = _convert(name, known[name], value, option)
    settings = Settings(**values)
    _check(settings)
    return settings


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured(f"{path} is not valid TOML: {error}") from error


def _convert(name: str, kind: Any, value: Any, source: str) -> Any:
    try:
        if kind in {int, float}:
            return _number(kind, value)
        if kind is Path:
            return Path(str(value)).expanduser()
        if kind is str:
            return _string(value)
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return tuple(str(part) for part in value)
    except (TypeError, ValueError) as error:
        expected = getattr(kind, "__name__", "list")
        shown = "the value" if name in SECRET_SETTINGS else repr(value)
        raise Misconfigured(
            f"{source}: {shown} is not a value for {name} ({expected} expected).", param=name
        ) from error


def _number(kind: type[int] | type[float], value: Any) -> int | float:
    """Exactly that number: TOML's true is no 1, 1.5 no whole number, and nan no time."""
    if isinstance(value, bool) or (kind is int and isinstance(value, float)):
        raise TypeError
    number = kind(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """One entry of `QUIRE_ENGINES`: which engine, how many processes, on which GPU."""

    name: str
    processes: int = 1
    gpu: int | None = None


_SPEC = re.compile(r"([a-z][a-z0-9_-]{0,30})(?:\*(\d{1,2}))?(?::gpu(\d{1,2}))?")


def parse_engine(text: str) -> EngineSpec:
    """Read `name[*processes][:gpuN]`. Misconfigured when it is not that."""
    match = _SPEC.fullmatch(text)
    if match is None or (match[2] and int(match[2]) == 0):
        raise Misconfigured(
            f"{text!r} in QUIRE_ENGINES is not name[*processes][:gpuN], like pymupdf*2.",
            param="engines",
        )
    gpu = int(match[3]) if match[3] else None
    return EngineSpec(name=match[1], processes=int(match[2] or 1), gpu=gpu)


def _check(settings: Settings) -> None:
    for spec in settings.engines:
        parse_engine(spec)
    choices = {
        "ocr_runtime": ("auto", "openvino", "onnxruntime"),
        "fallback": ("auto", "always", "never"),
        "ocr_precision": ("auto", "int8", "bf16", "f32"),
        "mineru_small_models": ("auto", "onnx", "torch"),
        "mineru_vlm_engine": ("auto", "llama-cpp", "vllm", "lmdeploy"),
        "deepseek_runtime": ("auto", "native", "transformers", "endpoint"),
        "deepseek_device": ("auto", "gpu", "cpu"),
        "deepseek_dtype": ("auto", "bf16", "fp32"),
        "deepseek_kv": ("model", "float8"),
        "log_level": ("DEBUG", "INFO", "WARNING", "ERROR"),
    }
    for name, allowed in choices.items():
        if getattr(settings, name) not in allowed:
            listed = ", ".join(allowed)
            raise Misconfigured(f"{name} must be one of {listed}.", param=name)
    for item in fields(Settings):
        value = getattr(settings, item.name)
        free = item.name in {"engine_threads", "min_free_mib", "mineru_pages", "deepseek_batch"}
        if isinstance(value, (int, float)) and (value < 0 or (value == 0 and not free)):
            raise Misconfigured(f"{item.name} must be above 0.", param=item.name)
    if settings.port > 65535:
        raise Misconfigured("port must be at most 65535.", param="port")
