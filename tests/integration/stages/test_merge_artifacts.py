"""Whole jobs through both passes, into the real blob store and against the published schema."""

import html
import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from shared.blocks import FURNITURE, BlockType
from stages.merge import merge, write_artifacts
from store.blobs import BlobStore
from tests.fakes.merge_jobs import MemoryBlobs, block, job, pages, result, task

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "shared" / "schema" / "quire-1.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)
HEAD = "<table><tr><th>A</th><th>B</th></tr>"


def written(results, tasks, the_job=None, blobs=None):
    """The artifacts as text, by name; the JSON is checked against its schema."""
    blobs = blobs or MemoryBlobs()
    made = write_artifacts(the_job or job(), results, tasks, blobs)
    texts = {name: blobs.kept[sha256].decode() for name, sha256 in made.items()}
    VALIDATOR.validate(json.loads(texts["json"]))
    return texts


def table(order, row, box):
    return block("table", order, f"{HEAD}<tr>{row}</tr></table>", bbox=box)


LOW, TOP = (0.1, 0.6, 0.9, 0.9), (0.1, 0.1, 0.9, 0.3)


def test_the_schema_is_a_schema():
    Draft202012Validator.check_schema(SCHEMA)


def test_a_paragraph_is_joined_over_pages_and_says_where_the_page_begins():
    texts = written(
        *pages(
            [block("text", 0, "It was an exam-"), block("footnote", 1, "1 note")],
            [block("text", 0, "ple of joining")],
            [block("text", 0, "over three pages.")],
        )
    )
    assert texts["md"] == (
        '<a id="page-1"></a>\n\n1 note\n\nIt was an example <a id="page-2"></a> of joining '
        '<a id="page-3"></a> over three pages.\n\n'
    )
    assert texts["txt"] == "1 note\n\nIt was an example of joining over three pages.\n\n"
    assert '<span id="p2-b0" data-page="2"' in texts["html"]


def test_a_table_is_joined_over_pages_without_its_repeated_header():
    texts = written(
        *pages(
            [table(0, "<td>1</td><td>2</td>", LOW)],
            [table(0, "<td>3</td><td>4</td>", (0.1, 0.1, 0.9, 0.9))],
            [table(0, "<td>5</td><td>6</td>", TOP), block("text", 1, "After.")],
        )
    )
    assert texts["md"] == (
        '<a id="page-1"></a>\n\n| A | B |\n| --- | --- |\n| 1 | 2 |\n| <a id="page-2"></a>3 | 4 |\n'
        '| <a id="page-3"></a>5 | 6 |\n\nAfter.\n\n'
    )
    assert texts["txt"] == "A\tB\n1\t2\n3\t4\n5\t6\n\n\fAfter.\n\n"
    assert texts["html"].count("<table>") == 1
    assert texts["html"].count("<th>A</th>") == 1
    assert json.loads(texts["json"])["pages"][1]["blocks"][0]["content"].count("<th>") == 2


def test_a_table_with_spans_is_joined_as_html():
    spanning = "<td colspan='2'>3</td>"
    texts = written(*pages([table(0, "<td>1</td><td>2</td>", LOW)], [table(0, spanning, TOP)]))
    assert texts["md"].count("<table>") == texts["md"].count("</table>") == 1
    assert '<tr><td colspan="2"><a id="page-2"></a>3</td></tr>\n</table>\n' in texts["md"]


def test_pipes_are_not_continued_with_spans_that_come_later():
    texts = written(
        *pages(
            [table(0, "<td>1</td><td>2</td>", LOW)],
            [table(0, "<td>3</td><td>4</td>", (0.1, 0.1, 0.9, 0.9))],
            [table(0, "<td colspan='2'>5</td>", TOP)],
        )
    )
    assert '| <a id="page-2"></a>3 | 4 |\n\n<a id="page-3"></a>\n\n<table>' in texts["md"]


def test_lost_pages_leave_a_visible_note():
    results, tasks = pages([block("text", 0, "One.")])
    tasks += [task(2, state="failed", reason="The engine <b>refused</b> it."), task(3)]
    tasks += [task(4, state="cancelled")]
    texts = written(results, tasks)
    note = "[page 2 could not be read: The engine <b>refused</b> it]"
    assert note in texts["txt"]
    assert html.escape(note) in texts["html"]
    assert "page 2 could not be read" in texts["md"]
    assert "[page 3 could not be read: no reason is known]" in texts["txt"]
    assert "[page 4 was cancelled]" in texts["md"]
    states = [page["state"] for page in json.loads(texts["json"])["pages"]]
    assert states == ["done", "failed", "failed", "cancelled"]


def test_a_page_after_a_lost_one_continues_nothing():
    results = [result(1, [block("text", 0, "It was the")]), result(3, [block("text", 0, "end.")])]
    tasks = [task(1), task(2, state="failed"), task(3)]
    assert 'It was the\n\n<a id="page-2"></a>' in written(lambda: iter(results), tasks)["md"]


def test_the_first_engine_in_the_jobs_order_that_read_a_page_is_taken():
    results = [
        result(1, [block("text", 0, "one by a")], "a"),
        result(1, [block("text", 0, "one by b")], "b"),
        result(2, [block("text", 0, "two by a")], "a"),
    ]
    tasks = [task(1, "a"), task(1, "b"), task(2, "a"), task(2, "b", "failed", "no")]
    texts = written(lambda: iter(results), tasks, job("b,a"))
    assert [w in texts["txt"] for w in ("one by b", "one by a", "two by a")] == [True, False, True]
    first, second = json.loads(texts["json"])["pages"]
    assert (first["engine"], first["alternatives"]) == ("b", [{"engine": "a", "state": "done"}])
    assert (second["engine"], second["alternatives"]) == ("a", [{"engine": "b", "state": "failed"}])


def test_one_page_has_no_page_marks_and_images_have_their_extension(tmp_path):
    blobs = BlobStore(tmp_path)
    sha256 = blobs.put(b"\x89PNG\r\n\x1a\nxxxx")
    results, tasks = pages([block("figure", 0, "", image=sha256)])
    made = write_artifacts(job(), results, tasks, blobs)
    assert blobs.read(made["md"]).decode() == f"![](images/{sha256}.png)\n\n"
    assert f'src="images/{sha256}.png"' in blobs.read(made["html"]).decode()


def test_hostile_names_numbers_and_characters_do_not_stop_a_job():
    results, tasks = pages([block("text", 0, "a\ud800b\x00c", bbox=(float("nan"), 0, 1, 1))])
    texts = written(results, tasks, job(name="</title><script>x</script>\ud800"))
    assert "a\ufffdbc" in texts["txt"]
    assert "<script>" not in texts["html"]


def test_nothing_is_kept_when_writing_fails():
    def broken():
        yield result(1, [block("text", 0, "One.")])
        raise OSError("the disk is gone")

    blobs = MemoryBlobs()
    calls = iter([iter([]), broken()])
    with pytest.raises(OSError, match="gone"):
        write_artifacts(job(), lambda: next(calls), [task(1), task(2)], blobs)
    assert (blobs.kept, blobs.aborted) == ({}, 4)


def test_headings_and_furniture_are_the_documents():
    made = [
        [
            block("text", 0, "A Tale", bbox=(0.1, 0.03, 0.9, 0.05)),
            block("heading", 1, f"{n} Chapter", level=1),
            block("heading", 2, f"{n}.1 Section", level=1),
        ]
        for n in range(1, 5)
    ]
    merged = list(merge(job(), *pages(*made)))
    assert {tuple(b.level for b in page.blocks) for page in merged} == {(None, 1, 2)}
    assert {page.blocks[0].type for page in merged} == {BlockType.HEADER}
    texts = written(*pages(*made))
    assert "A Tale" not in texts["md"]
    assert texts["json"].count("A Tale") == 4


KINDS = st.sampled_from([kind.value for kind in BlockType])
WORDS = st.text("ab1 .\n#*_-+>|<[]()$`\\中。", max_size=25)
PAGES = st.lists(
    st.lists(st.tuples(KINDS, WORDS, st.booleans(), st.booleans()), max_size=5), max_size=5
)


def letters(text):
    return "".join(character for character in text if character.isalnum())


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=150, deadline=None)
@given(PAGES)
def test_no_content_is_ever_lost(made):
    documents = []
    for parts in made:
        blocks = []
        for order, (kind, text, goes_on, low) in enumerate(parts):
            content = f"q{text}z" if kind not in {"code", "equation"} else f"q{letters(text)}z"
            if kind == "table":
                content = f"<table><tr><td>q{letters(text)}z</td></tr></table>"
            box = (0.1, 0.85, 0.9, 0.9) if low else (0.1, 0.05, 0.9, 0.1)
            made_block = block(kind, order, content, continues_prev=goes_on, bbox=box)
            blocks.append(made_block)
        documents.append(blocks)
    results, tasks = pages(*documents)
    texts = written(results, tasks)
    markdown = letters(re.sub(r"<a id=\"page-\d+\"></a>|</?(?:table|t[hdr])>", "", texts["md"]))
    plain = letters(texts["txt"])
    shown = json.loads(texts["json"])["pages"]
    assert [page["page"] for page in shown] == [task.page for task in tasks]
    for page, blocks in zip(shown, documents, strict=True):
        assert len(page["blocks"]) == len(blocks)
        for after, before in zip(page["blocks"], blocks, strict=True):
            mine = letters(re.sub(r"</?(?:table|t[hdr]|tbody)>", "", before.content))
            assert mine in letters(re.sub(r"</?(?:table|t[hdr]|tbody)>", "", after["content"]))
            if BlockType(after["type"]) not in FURNITURE and before.type is not BlockType.TABLE:
                assert mine in markdown, before
                if before.type in {BlockType.CODE, BlockType.TEXT} and "`" not in before.content:
                    assert mine in plain or "[" in before.content, before
    for number in range(1, len(documents) + 1):
        assert len(documents) == 1 or texts["md"].count(f'<a id="page-{number}"></a>') == 1
