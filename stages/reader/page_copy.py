"""One page of a PDF as a PDF of its own, as small as it can be without drawing anything anew.

PyMuPDF's `insert_pdf` looks at every page of the source for form fields (9 ms a page in a book
of 400) and leaves hidden layers visible; this copies one page object through MuPDF's graft map.
"""

from typing import Any

import pymupdf
from pymupdf import mupdf

INHERITED = ("MediaBox", "CropBox", "Rotate", "UserUnit", "Contents")
ANNOTATION_KEYS = ("Type", "Subtype", "Rect", "F", "AS", "C", "CA", "Border", "BS")
PRUNED = ("XObject", "Font")  # where books that share one dictionary keep their weight
MANY = 8  # entries of such a dictionary from which on it is worth looking at what is used


def copy_page(document: Any, page: Any) -> bytes:
    """A PDF with that page alone: its rotation, boxes, fonts, layers; notes and fields drawn."""
    source = mupdf.pdf_document_from_fz_document(document.this)
    original = mupdf.pdf_lookup_page_obj(source, page.number)
    with pymupdf.open() as copy:
        target = mupdf.pdf_document_from_fz_document(copy.this)
        graft = mupdf.PdfGraftMap(target)
        new = mupdf.pdf_new_dict(target, 8)
        mupdf.pdf_dict_puts(new, "Type", mupdf.pdf_new_name("Page"))
        for key in INHERITED:
            _put(graft, new, key, mupdf.pdf_dict_gets_inheritable(original, key))
        _put(graft, new, "Resources", _resources(source, page, original))
        drawn = _copy_annotations(target, graft, original, new)
        mupdf.pdf_insert_page(target, -1, mupdf.pdf_add_object(target, new))
        _copy_layers(source, target, graft)
        if drawn:
            # Into the page content, so that engines read field values as the text they are.
            copy.bake(annots=True, widgets=True)
        return bytes(copy.tobytes(garbage=1 if drawn else 0, no_new_id=True))


def lacks_appearance(document: Any, page: Any) -> bool:
    """Whether a note or filled field of the page has no stored look: MuPDF makes it up, privately.

    Such a document must be baked before its pages are copied.
    """
    source = mupdf.pdf_document_from_fz_document(document.this)
    original = mupdf.pdf_lookup_page_obj(source, page.number)
    annotations = mupdf.pdf_dict_gets(original, "Annots")
    for index in range(mupdf.pdf_array_len(annotations)):
        annotation = mupdf.pdf_array_get(annotations, index)
        subtype = mupdf.pdf_to_name(mupdf.pdf_dict_gets(annotation, "Subtype"))
        filled = mupdf.pdf_dict_gets_inheritable(annotation, "V").m_internal
        written = subtype == "FreeText" or (subtype == "Widget" and filled)
        if written and not mupdf.pdf_dict_getp(annotation, "AP/N").m_internal:
            return True
    return False


def _put(graft: Any, holder: Any, key: str, value: Any) -> None:
    if value.m_internal:
        mupdf.pdf_dict_puts(holder, key, mupdf.pdf_graft_mapped_object(graft, value))


def _resources(source: Any, page: Any, original: Any) -> Any:
    """The page's resources, without fonts and images of other pages where they are shared."""
    resources = mupdf.pdf_dict_gets_inheritable(original, "Resources")
    groups = {key: mupdf.pdf_dict_gets(resources, key) for key in PRUNED}
    if all(mupdf.pdf_dict_len(group) < MANY for group in groups.values()):
        return resources
    content = page.read_contents()
    if b"#" in content:  # names may be spelled with escapes: rare, not worth reading
        return resources
    pruned = mupdf.pdf_copy_dict(resources)
    for key, group in groups.items():
        if mupdf.pdf_dict_len(group) < MANY:
            continue
        kept = mupdf.pdf_new_dict(source, 8)
        for index in range(mupdf.pdf_dict_len(group)):
            name = mupdf.pdf_to_name(mupdf.pdf_dict_get_key(group, index))
            if b"/" + name.encode(errors="surrogateescape") not in content:
                continue
            value = mupdf.pdf_dict_get_val(group, index)
            if _borrows(value):
                return resources
            mupdf.pdf_dict_puts(kept, name, value)
        mupdf.pdf_dict_puts(pruned, key, kept)
    return pruned


def _borrows(value: Any) -> bool:
    """A form or Type 3 font without resources of its own draws with those of the page."""
    subtype = mupdf.pdf_to_name(mupdf.pdf_dict_gets(value, "Subtype"))
    if subtype not in {"Form", "Type3"}:
        return False
    return not mupdf.pdf_dict_gets(value, "Resources").m_internal


def _copy_annotations(target: Any, graft: Any, original: Any, new: Any) -> bool:
    """Copy links to the web, and what notes and form fields look like; whether any of the latter.

    Never whole: they point at their page, their field tree and through it at the whole book.
    """
    annotations = mupdf.pdf_dict_gets(original, "Annots")
    kept = mupdf.pdf_new_array(target, 8)
    drawn = False
    for index in range(mupdf.pdf_array_len(annotations)):
        annotation = mupdf.pdf_array_get(annotations, index)
        subtype = mupdf.pdf_to_name(mupdf.pdf_dict_gets(annotation, "Subtype"))
        action = mupdf.pdf_dict_gets(annotation, "A")
        appearance = mupdf.pdf_dict_getp(annotation, "AP/N")
        entry = mupdf.pdf_new_dict(target, 8)
        if subtype == "Link" and mupdf.pdf_dict_gets(action, "URI").m_internal:
            link = mupdf.pdf_new_dict(target, 2)
            _put(graft, link, "S", mupdf.pdf_dict_gets(action, "S"))
            _put(graft, link, "URI", mupdf.pdf_dict_gets(action, "URI"))
            mupdf.pdf_dict_puts(entry, "A", link)
        elif subtype not in {"Link", "Popup"} and appearance.m_internal:
            looks = mupdf.pdf_new_dict(target, 1)
            _put(graft, looks, "N", appearance)
            mupdf.pdf_dict_puts(entry, "AP", looks)
            drawn = True
        else:
            continue
        for key in ANNOTATION_KEYS:
            _put(graft, entry, key, mupdf.pdf_dict_gets(annotation, key))
        mupdf.pdf_array_push(kept, mupdf.pdf_add_object(target, entry))
    if mupdf.pdf_array_len(kept):
        mupdf.pdf_dict_puts(new, "Annots", kept)
    return drawn


def _copy_layers(source: Any, target: Any, graft: Any) -> None:
    """Without the list of layers those that are switched off would show."""
    path = "Root/OCProperties"
    layers = mupdf.pdf_dict_getp(mupdf.pdf_trailer(source), path)
    if layers.m_internal:
        root = mupdf.pdf_dict_gets(mupdf.pdf_trailer(target), "Root")
        _put(graft, root, "OCProperties", layers)
