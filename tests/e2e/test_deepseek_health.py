"""What /health/deepseek says where the native runtime cannot be."""

import asyncio
from pathlib import Path

import httpx
import pytest
import torch

from tests.fakes.up import answer, up

MODEL = Path(__file__).resolve().parents[1] / "train" / "model"


@pytest.mark.skipif(torch.cuda.is_available(), reason="here the native runtime runs")
@pytest.mark.timeout(120)
async def test_an_engine_without_a_gpu_says_what_reads_and_why(tmp_path):
    more = {"QUIRE_ENGINES": "deepseek", "QUIRE_ENGINE_CLASSES": ""}
    with up(tmp_path, QUIRE_DEEPSEEK_MODEL=str(MODEL), **more) as (_, url):
        async with asyncio.timeout(90), httpx.AsyncClient(base_url=url, trust_env=False) as client:
            while True:
                shown = (await answer(client, "/health/deepseek")).json()
                if shown["status"] == "healthy":
                    break
                await asyncio.sleep(0.1)
    sentence = "Runs through transformers, not natively: there is no CUDA GPU."
    assert (shown["model_loaded"], shown["message"]) == (True, sentence)
