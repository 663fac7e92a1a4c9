"""Which runtime has the model: as the settings say, or the fastest that runs here."""

from engines.deepseek.runtime import Runtime
from shared.errors import Misconfigured
from shared.settings import Settings

AUTO, NATIVE, TRANSFORMERS, ENDPOINT = "auto", "native", "transformers", "endpoint"


def runtimes_for(settings: Settings) -> tuple[str, ...]:
    """The names of runtimes to try in order; later ones where a model is not for the first."""
    asked = settings.deepseek_runtime
    if asked != AUTO:
        return (asked,)
    if settings.deepseek_url:
        return (ENDPOINT,)
    return (TRANSFORMERS,) if why_not_native(settings) else (NATIVE, TRANSFORMERS)


def why_not_native(settings: Settings) -> str:
    """Why `auto` leaves the fastest runtime out, as a sentence; empty where it does not."""
    if settings.deepseek_runtime != AUTO or settings.deepseek_url:
        return ""
    reason = ""
    if settings.deepseek_device == "cpu":
        reason = "QUIRE_DEEPSEEK_DEVICE is cpu"
    elif settings.deepseek_dtype == "fp32":
        reason = "QUIRE_DEEPSEEK_DTYPE is fp32"
    else:
        from engines.deepseek.native.support import why_not_here  # noqa: PLC0415 - looks for torch

        reason = why_not_here()
    return f"Runs through transformers, not natively: {reason}." if reason else ""


def make_runtime(name: str, settings: Settings) -> Runtime:
    """The runtime, nothing loaded yet. Misconfigured when a setting that it needs is missing."""
    model = settings.deepseek_model
    if name == ENDPOINT:
        if not settings.deepseek_url:
            raise Misconfigured(
                "QUIRE_DEEPSEEK_RUNTIME=endpoint needs QUIRE_DEEPSEEK_URL, like "
                "http://127.0.0.1:8000/v1.",
                param="deepseek_url",
            )
        from engines.deepseek.endpoint_runtime import EndpointRuntime  # noqa: PLC0415 - one of three

        return EndpointRuntime(
            settings.deepseek_url,
            key=settings.deepseek_url_key,
            model=settings.deepseek_url_model,
            pages=settings.deepseek_url_pages,
            seconds=settings.deepseek_url_seconds,
        )
    if name == NATIVE:
        from engines.deepseek.native.native_runtime import NativeRuntime  # noqa: PLC0415 - torch

        return NativeRuntime(model, float8_kv=settings.deepseek_kv == "float8")
    from engines.deepseek.transformers_runtime import TransformersRuntime  # noqa: PLC0415 - torch

    return TransformersRuntime(
        model,
        device=settings.deepseek_device,
        dtype=settings.deepseek_dtype,
        batch=settings.deepseek_batch,
    )
