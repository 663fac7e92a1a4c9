import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from PIL import Image

from shared.errors import PageFailed, Refused
from shared.ocr_backend import PDF
from stages.reader import PageWant, ReaderLimits, ReaderPool
from stages.reader.pool import IDLE_SECONDS

ROOT = Path(__file__).resolve().parents[4]
WANT = PageWant(preview_pixels=200)
QUICK = ReaderLimits(memory_mib=1024, open_seconds=5, page_seconds=0.7)


def test_a_page_over_its_time_fails_and_the_next_is_read(reader, slow_pdf):
    one = reader(slow_pdf, QUICK)
    one.page(1, WANT)
    started = time.monotonic()

    with pytest.raises(PageFailed, match=r"Page 2 could not be read within 0\.7 seconds") as failed:
        one.page(2, WANT)

    assert failed.value.code == "page_timeout"
    assert time.monotonic() - started < 2
    assert one.child_pid is None
    assert one.page(1, WANT).text == "sound"


def test_after_three_kills_in_a_row_pages_fail_at_once(reader, slow_pdf):
    one = reader(slow_pdf, dataclasses.replace(QUICK, give_up_seconds=1.0))
    for number in (2, 3, 4):
        with pytest.raises(PageFailed):
            one.page(number, WANT)
    started = time.monotonic()

    with pytest.raises(PageFailed, match="3 pages of this document in a row") as failed:
        one.page(1, WANT)

    assert failed.value.code == "document_given_up"
    assert time.monotonic() - started < 0.1
    while time.monotonic() - started < 1.1:
        os.sched_yield()
    assert one.page(1, WANT).media_type == PDF  # given a new chance later


def test_a_good_page_between_ends_the_row(reader, slow_pdf):
    one = reader(slow_pdf, QUICK)
    for number in (2, 3, 1, 4, 2):
        if number == 1:
            one.page(1, WANT)
            continue
        with pytest.raises(PageFailed, match="could not be read within"):
            one.page(number, WANT)


def test_killed_from_outside_while_idle_nobody_notices(reader, good_pdf):
    one = reader(good_pdf)
    one.page(1, WANT)
    killed = one.child_pid
    os.kill(killed, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(killed)], timeout=5)

    assert one.page(2, WANT).width == 595
    assert one.child_pid != killed


def test_memory_over_the_limit_is_an_answer_and_not_the_end(reader, tmp_path, good_pdf):
    path = tmp_path / "large.png"
    Image.new("RGB", (12_000, 12_000)).save(path, compress_level=1)

    with pytest.raises(PageFailed) as failed:
        reader(path, dataclasses.replace(QUICK, memory_mib=512, page_seconds=20)).page(1, WANT)

    assert failed.value.code == "out_of_memory"
    assert reader(good_pdf).page(1, WANT).text == "sound"


def test_pixels_over_the_limit_are_refused_before_decoding(reader, tmp_path):
    path = tmp_path / "bomb.png"
    Image.new("1", (2000, 2000)).save(path)

    with pytest.raises(Refused, match="2000 x 2000 pixels") as refused:
        reader(path, dataclasses.replace(QUICK, max_pixels=3_000_000)).open()

    assert (refused.value.code, refused.value.status) == ("too_large", 413)


def test_pages_over_the_limit_are_refused(reader, good_pdf):
    with pytest.raises(Refused, match="3 pages; QUIRE_MAX_PAGES allows 2") as refused:
        reader(good_pdf, dataclasses.replace(QUICK, max_pages=2)).open()

    assert refused.value.code == "too_many_pages"


def test_an_answer_over_the_limit_ends_the_child(reader, good_pdf):
    one = reader(good_pdf, dataclasses.replace(QUICK, max_answer_bytes=1000, page_seconds=5))

    with pytest.raises(PageFailed, match="over the limit") as failed:
        one.page(1, WANT)

    assert failed.value.code == "page_crashed"


def test_the_child_is_replaced_after_its_pages(reader, good_pdf):
    one = reader(good_pdf, dataclasses.replace(QUICK, recycle_pages=2, page_seconds=5))
    one.page(1, WANT)
    first = one.child_pid
    one.page(2, WANT)
    assert one.child_pid is None
    one.page(3, WANT)
    assert one.child_pid not in {None, first}


def test_the_child_is_locked_in(reader, good_pdf, monkeypatch):
    monkeypatch.setenv("QUIRE_API_KEYS", "secret")
    one = reader(good_pdf)
    one.open()
    child = psutil.Process(one.child_pid)

    assert child.rlimit(psutil.RLIMIT_AS)[0] == 1024 * 1024 * 1024
    assert child.rlimit(psutil.RLIMIT_FSIZE) == (0, 0)
    assert child.rlimit(psutil.RLIMIT_CORE) == (0, 0)
    assert 0 < child.rlimit(psutil.RLIMIT_CPU)[0] < 60
    assert "QUIRE_API_KEYS" not in child.environ()
    assert "NoNewPrivs:\t1" in Path(f"/proc/{child.pid}/status").read_text()


def test_the_child_dies_with_its_parent(good_pdf):
    code = (
        "import sys, pathlib\nfrom stages.reader import DocumentReader, ReaderLimits\n"
        "r = DocumentReader(pathlib.Path(sys.argv[1]), ReaderLimits())\n"
        "r.open(); print(r.child_pid, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(good_pdf)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as parent:
        child = psutil.Process(int(parent.stdout.readline()))
        parent.kill()
    gone, alive = psutil.wait_procs([child], timeout=5)
    assert (len(gone), alive) == (1, [])


def test_documents_in_turns_keep_their_children_and_idle_ones_make_room(tmp_path, good_pdf):
    for name in "abcd":
        (tmp_path / name).write_bytes(good_pdf.read_bytes())
    now, readers = 0.0, {}
    with ReaderPool(QUICK, children=2, clock=lambda: now) as pool:

        def started(names):
            """For which of them a child was started, in turn."""
            fresh = ""
            for name in names:
                reader = readers[name] = pool.get(name, tmp_path / name)
                before = reader.child_pid
                reader.open()
                fresh += name if reader.child_pid != before else ""
            return fresh

        assert started("abcabcabc") == "abcbac"  # not each time
        kept = [name for name in "abc" if readers[name].child_pid]
        assert len(kept) == 2
        now += IDLE_SECONDS
        assert started("ddd") == "d"
        assert len([name for name in kept if readers[name].child_pid]) == 1


def test_a_pool_keeps_few_children(tmp_path, good_pdf):
    names = ["a", "b", "c", "a"]
    for name in names[:3]:
        (tmp_path / name).write_bytes(good_pdf.read_bytes())
    others = set(psutil.Process().children())  # of fixtures that last for the session

    def children() -> int:
        return len(set(psutil.Process().children()) - others)

    with ReaderPool(QUICK, children=2) as pool:
        for name in names:
            pool.get(name, tmp_path / name).open()
            assert children() <= 2
        assert pool.get("a", tmp_path / "a") is pool.get("a", tmp_path / "a")
        pool.evict("a")
        assert children() == 1
    assert children() == 0
