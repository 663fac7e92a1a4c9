"""Models with random weights whose pages end by themselves, as directories for the engine.

    python -m tests.bench.ending_checkpoints FAMILY DIRECTORY MEAN_TOKENS [--small]

Tokens are to be drawn at a temperature so high that all are equally likely (`OPTIONS`); each of
them is a number in the text. One in `MEAN_TOKENS` of them ends the page, so that the engine, its
gate and its host are the ones that people run, and lengths are spread geometrically.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.bench.deepseek_full_size import build
from tests.fakes.deepseek_models import IMAGE, SPECIAL, make_model

OPTIONS = {"temperature": 1000.0, "ngram": 0}


def make(family: str, directory: Path, mean_tokens: int, *, small: bool = False) -> None:
    """Write the model: at its true size, on a GPU, or a tiny one of the same architecture."""
    directory.mkdir(parents=True, exist_ok=True)
    if small:
        make_model(directory, family)
    else:
        build(directory, family)
        torch.cuda.synchronize()
    path = directory / "config.json"
    config = json.loads(path.read_text())
    text = config["text_config" if small else "language_config"]
    size = int(text["vocab_size"])
    text["eos_token_id"] = ends(size, mean_tokens)
    path.write_text(json.dumps(config))
    _number_tokenizer(size, IMAGE).save(str(directory / "tokenizer.json"))


def ends(vocabulary: int, mean_tokens: int) -> list[int]:
    """So many ids, evenly spread, that one token in `mean_tokens` is among them."""
    first = len(SPECIAL) + 1
    return [1, *range(first, vocabulary, mean_tokens)]


def _number_tokenizer(size: int, image: int) -> Tokenizer:
    """A token is its number; prompts are all of one unknown word."""
    names: dict[str, Any] = {str(token): token for token in range(size)}
    names = {("<image>" if token == image else name): token for name, token in names.items()}
    tokenizer = Tokenizer(models.WordLevel(names, unk_token="0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def main() -> None:
    """Make one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("family")
    parser.add_argument("directory", type=Path)
    parser.add_argument("mean_tokens", type=int)
    parser.add_argument("--small", action="store_true")
    asked = parser.parse_args()
    make(asked.family, asked.directory, asked.mean_tokens, small=asked.small)


if __name__ == "__main__":
    main()
