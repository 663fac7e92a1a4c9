"""Which runtime is tried, and what health says when it is not the fastest."""

import pytest

from engines.deepseek.choosing import runtimes_for, why_not_native
from engines.deepseek.native import support
from shared.settings import load_settings


@pytest.mark.parametrize(
    ("flags", "here", "runtimes", "said"),
    [
        ({}, "", ("native", "transformers"), ""),
        ({}, "there is no CUDA GPU", ("transformers",), "no CUDA GPU"),
        ({"deepseek_device": "cpu"}, "", ("transformers",), "QUIRE_DEEPSEEK_DEVICE"),
        ({"deepseek_dtype": "fp32"}, "", ("transformers",), "QUIRE_DEEPSEEK_DTYPE"),
        ({"deepseek_runtime": "transformers"}, "", ("transformers",), ""),
        ({"deepseek_runtime": "native"}, "there is no CUDA GPU", ("native",), ""),
        ({"deepseek_url": "http://127.0.0.1:1/v1"}, "", ("endpoint",), ""),
    ],
)
def test_auto_takes_the_fastest_that_runs_here_and_says_why_it_did_not(
    monkeypatch: pytest.MonkeyPatch,
    flags: dict[str, str],
    here: str,
    runtimes: tuple[str, ...],
    said: str,
) -> None:
    monkeypatch.setattr(support, "why_not_here", lambda: here)
    settings = load_settings(flags, environ={})
    assert runtimes_for(settings) == runtimes
    assert said in why_not_native(settings)
    assert bool(said) == bool(why_not_native(settings))
