"""Names are shown, and never are paths."""

from hypothesis import given
from hypothesis import strategies as st

from web.file_names import FALLBACK, MAX_CHARACTERS, clean_name, download_name


def test_names_keep_what_a_person_reads():
    assert clean_name("Jahresbericht 2024 (final).pdf") == "Jahresbericht 2024 (final).pdf"
    assert clean_name("a/b\\c.pdf") == "c.pdf"
    assert clean_name("in\0voice\r\n.pdf") == "invoice.pdf"
    assert clean_name("invoice\u202efdp.exe") == "invoicefdp.exe"
    assert clean_name("  ") == clean_name("...") == clean_name("/") == FALLBACK
    assert clean_name("x" * 500 + ".pdf").endswith("….pdf")


@given(st.text(max_size=600))
def test_any_text_becomes_a_name(text: str):
    name = clean_name(text)
    assert 0 < len(name) <= MAX_CHARACTERS
    assert not set(name) & set("/\\\0\r\n\x1b\u202e")
    assert name not in {".", ".."}
    assert clean_name(name) == name
    header = download_name(name, "md")
    assert header.isascii()
    assert header.count('"') == 2
