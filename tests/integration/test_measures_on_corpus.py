"""Our measures beside the corpus's own scorer, on its texts."""

import importlib.util
import random
import re

import pytest

from shared.measures import score


def worse(text: str, seed: int) -> str:
    """A reading with wrong letters and two paragraphs that changed places."""
    dice = random.Random(seed)
    parts = text.split("\n\n")
    if len(parts) > 3:
        a, b = dice.sample(range(len(parts)), 2)
        parts[a], parts[b] = parts[b], parts[a]
    letters = list("\n\n".join(parts))
    for place in dice.sample(range(len(letters)), len(letters) // 40):
        if letters[place].isalnum():
            letters[place] = dice.choice("abcdefgh")
    return "".join(letters)


def test_all_texts_get_the_figures_of_the_scorer(corpus):
    where = importlib.util.spec_from_file_location("corpus_score", corpus / "score.py")
    scorer = importlib.util.module_from_spec(where)
    where.loader.exec_module(scorer)
    truths = sorted((corpus / "dev" / "truth").glob("*.md"))[::2]
    assert len(truths) > 10
    for seed, path in enumerate(truths):
        truth = path.read_text(encoding="utf-8")
        reading = worse(re.sub(r"^%%IGNORE .*$", "", truth, flags=re.MULTILINE), seed)
        theirs, ours = scorer.score(truth, reading), score(truth, reading)
        assert ours.ned == pytest.approx(theirs["ned"], abs=0.001), path.name
        assert ours.cer == pytest.approx(theirs["cer"], abs=0.001), path.name
        for mine, name in ((ours.order, "order"), (ours.teds, "teds")):
            expected = theirs.get(name)
            assert mine == (None if expected is None else pytest.approx(expected, abs=0.001))
