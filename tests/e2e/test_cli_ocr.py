"""`quire ocr` on real files, with the CPU engine, without a server."""

import os
import subprocess
import sys

import psutil
import pytest

from tests.fakes.systems import ROOT, pdf_of


def quire(*arguments, cwd):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QUIRE_")}
    return subprocess.run(
        [sys.executable, "-m", "deploy", *map(str, arguments)],
        env={**environment, "PYTHONPATH": str(ROOT)},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


@pytest.mark.timeout(120)
def test_good_files_are_converted_and_bad_ones_named(tmp_path, corpus):
    good = tmp_path / "two words.pdf"
    good.write_bytes(pdf_of("hello from the first page", "and from the second"))
    scan = corpus / "dev" / "phototest-rotated-R.png"
    bad = corpus / "hostile" / "enc_rc4_40.pdf"
    done = quire("ocr", good, scan, bad, "-o", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "password" in done.stderr
    assert "enc_rc4_40.pdf" in done.stderr
    text = (tmp_path / "out" / "two words.md").read_text()
    assert text.index("hello from the first page") < text.index("and from the second")
    read = (tmp_path / "out" / "phototest-rotated-R.md").read_text()
    assert "quick brown dog jumped over the lazy fox" in " ".join(read.split())
    assert not (tmp_path / "out" / "enc_rc4_40.md").exists()
    assert not [p for p in psutil.Process().children(recursive=True) if "deploy" in p.cmdline()]


@pytest.mark.timeout(120)
def test_markdown_goes_to_stdout_and_nothing_else_does(tmp_path):
    good = tmp_path / "a.pdf"
    good.write_bytes(pdf_of("only this line"))
    done = quire("ocr", good, "--format", "txt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "only this line"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.pdf"]


@pytest.mark.timeout(120)
def test_exports_are_written_too(tmp_path):
    good = tmp_path / "a.pdf"
    good.write_bytes(pdf_of("Only this line."))
    done = quire("ocr", good, "--format", "docx", "-o", tmp_path / "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "a.docx").read_bytes()[:2] == b"PK"
