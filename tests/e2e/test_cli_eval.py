"""`quire eval` with two engines on documents with their text beside them."""

import json
import os
import subprocess
import sys

import pytest

from tests.fakes.safe_html import dangers
from tests.fakes.systems import ROOT, TEXT_ENGINE, pdf_of

ENGINES = f"{TEXT_ENGINE},other=tests.fakes.engines:OtherEngine"


def quire(*arguments, cwd):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")}
    own = {"PYTHONPATH": str(ROOT), "QUIRE_ENGINE_CLASSES": ENGINES}
    return subprocess.run(
        [sys.executable, "-m", "deploy", "eval", *map(str, arguments)],
        env={**environment, **own},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.timeout(120)
def test_engines_are_measured_and_the_worst_text_comes_first(tmp_path):
    folder = tmp_path / "set"
    (folder / "truth").mkdir(parents=True)
    (folder / "good.pdf").write_bytes(pdf_of("No zero at all.", "Second page."))
    (folder / "good.pdf.md").write_text("No zero at all.\n\nSecond page.")
    (folder / "paged.pdf").write_bytes(pdf_of("Without <script>.", "Also of it, o no."))
    (folder / "truth" / "paged.pdf.p2.md").write_text("Also of it, o no.")
    (folder / "lost.pdf").write_bytes(b"%PDF-1.7\nnothing")
    (folder / "lost.pdf.txt").write_text("never read")
    (folder / "alone.pdf").write_bytes(pdf_of("without a truth"))
    files = ["--json", tmp_path / "r.json", "--html", tmp_path / "r.html"]
    done = quire(folder, "--engine", "other", "--engine", "text", *files, cwd=tmp_path)
    assert done.returncode == 1, done.stderr  # one document is broken
    assert "lost.pdf" in done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0][:4] == ["engine", "texts", "NED", "CER"]
    assert [line[0] for line in lines[1:3]] == ["text", "other"]
    found = json.loads((tmp_path / "r.json").read_text())
    text, other = found["engines"]
    assert (text["engine"], text["texts"], text["failed_pages"]) == ("text", 3, 1)
    assert text["ned"] == pytest.approx(1 / 3, abs=0.001)
    assert text["ned"] < other["ned"]
    assert text["attempts_a_page"] == pytest.approx(0.75)
    neds = {(t["engine"], t["document"]): t["ned"] for t in found["texts"]}
    assert neds["text", "good.pdf"] == neds["text", "paged.pdf"] == 0.0
    assert neds["other", "paged.pdf"] == pytest.approx(4 / 17, abs=0.001)
    assert [t["document"] for t in found["texts"][:2]] == ["lost.pdf", "lost.pdf"]
    page = (tmp_path / "r.html").read_text()
    assert dangers(page, styles=1) == []
    assert "<del>o</del>" in page or "<del>o " in page
    assert page.index("lost.pdf") < page.index("paged.pdf p2")


def test_a_folder_without_truths_is_a_sentence(tmp_path):
    (tmp_path / "a.pdf").write_bytes(pdf_of("x"))
    done = quire(tmp_path, cwd=tmp_path)
    assert done.returncode == 1
    assert "paper.pdf.md" in done.stderr
