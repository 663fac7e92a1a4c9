import csv
import io

import pymupdf
import pytest
from PIL import Image

from shared.errors import PageFailed, Refused
from shared.ocr_backend import PDF, RGB
from stages.reader import PageWant

SMALL = PageWant(preview_pixels=300)


def pixels(payload):
    assert payload.media_type == RGB
    return Image.frombytes("RGB", (payload.width, payload.height), payload.data)


def test_every_document_of_the_corpus_has_its_pages(corpus, reader):
    with (corpus / "dev" / "manifest.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    wrong = {}
    for row in rows:
        with reader(corpus / row["path"]) as one:
            pages = one.open().pages
            payload = one.page(pages, SMALL)
            if pages != int(row["pages"]) or not payload.data or not payload.preview:
                wrong[row["path"]] = pages
    assert wrong == {}


def test_a_page_of_a_book_weighs_a_page(corpus, reader):
    one = reader(corpus / "dev" / "irs_manual_400p.pdf")
    payload = one.page(200, SMALL)

    assert len(payload.data) < 100_000
    with pymupdf.open(stream=payload.data) as copy, pymupdf.open(one._path) as book:
        assert copy.page_count == 1
        assert copy[0].get_text() == book[199].get_text()


def test_values_of_form_fields_are_text_for_the_engine(corpus, reader):
    payload = reader(corpus / "dev" / "prefilled_f1040.pdf").page(2, SMALL)

    with pymupdf.open(stream=payload.data) as copy:
        assert "foobar" in copy[0].get_text()
        assert not list(copy[0].widgets())


def test_a_field_without_appearance_is_drawn(reader, tmp_path):
    path = tmp_path / "field.pdf"
    with pymupdf.open() as document:
        page = document.new_page()
        field = pymupdf.Widget()
        field.field_name, field.field_type = "name", pymupdf.PDF_WIDGET_TYPE_TEXT
        field.field_value, field.rect = "Ada Lovelace", pymupdf.Rect(50, 50, 250, 80)
        page.add_widget(field)
        document.xref_set_key(next(iter(page.widgets())).xref, "AP", "null")
        document.save(path)
    payload = reader(path).page(1, SMALL)

    with pymupdf.open(stream=payload.data) as copy:
        assert "Ada Lovelace" in copy[0].get_text()


def test_hidden_layers_stay_hidden_links_stay_and_rotation_is_kept(reader, tmp_path):
    path = tmp_path / "layers.pdf"
    with pymupdf.open() as document:
        page = document.new_page(width=300, height=500)
        off = document.add_ocg("off", on=False)
        page.insert_text((30, 50), "seen by everyone")
        page.insert_text((30, 90), "never shown at all", oc=off)
        page.insert_link(
            {"kind": pymupdf.LINK_URI, "from": pymupdf.Rect(30, 40, 90, 60), "uri": "http://e.org/"}
        )
        page.set_rotation(90)
        document.save(path)
    payload = reader(path).page(1, SMALL)

    assert (payload.width, payload.height) == (500, 300)
    preview = Image.open(io.BytesIO(payload.preview))
    assert preview.size == (300, 180)
    with pymupdf.open(stream=payload.data) as copy:
        assert copy[0].rotation == 90
        assert "seen" in copy[0].get_text()
        assert "never" not in copy[0].get_text()
        assert [link["uri"] for link in copy[0].get_links()] == ["http://e.org/"]


def test_shared_resources_do_not_carry_the_whole_book(reader, tmp_path):
    path = tmp_path / "shared.pdf"
    with pymupdf.open() as document:
        names = []
        for number in range(20):
            page = document.new_page()
            noise = Image.effect_noise((200, 200), 90)
            buffer = io.BytesIO()
            noise.save(buffer, "PNG")
            xref = page.insert_image((0, 0, 200, 200), stream=buffer.getvalue())
            names.append(f"/Im{number} {xref} 0 R")
            contents = document.get_new_xref()
            document.update_object(contents, "<<>>")
            document.update_stream(contents, f"200 0 0 200 0 0 cm /Im{number} Do".encode())
            document.xref_set_key(page.xref, "Contents", f"{contents} 0 R")
        for page in document:
            entries = " ".join(names)
            document.xref_set_key(page.xref, "Resources", f"<</XObject<<{entries}>>>>")
        document.save(path)
    payload = reader(path).page(3, SMALL)

    assert len(payload.data) < path.stat().st_size / 10
    with pymupdf.open(stream=payload.data) as copy:
        assert len(copy[0].get_images()) == 1
        assert copy[0].get_pixmap().color_count() > 50


def test_a_rendered_page_stays_under_its_pixels(reader, good_pdf):
    payload = reader(good_pdf).page(1, PageWant(accepts=(RGB,), dpi=300, max_pixels=500_000))

    image = pixels(payload)
    assert 480_000 < image.width * image.height <= 500_000
    assert payload.dpi == pytest.approx(image.height / 842 * 72, rel=0.01)
    assert image.convert("L").getextrema()[0] < 100


def test_a_photograph_is_turned_as_its_camera_says(reader, tmp_path):
    path = tmp_path / "photo.jpg"
    image = Image.new("RGB", (600, 400), "white")
    image.paste("red", (0, 0, 600, 100))
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned right by 90 degrees: its top is on the right
    image.save(path, exif=exif, quality=95)
    turned = pixels(reader(path).page(1, SMALL))

    assert turned.size == (400, 600)
    assert turned.getpixel((380, 300))[1] < 60
    assert turned.getpixel((20, 300))[1] > 200


def test_frames_of_a_tiff_are_pages_in_order_also_bilevel_and_transparent(reader, tmp_path):
    path = tmp_path / "frames.tif"
    frames = [Image.new("1", (50, 40), 0), Image.new("RGBA", (60, 40), (255, 0, 0, 0))]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    one = reader(path)

    assert (one.open().pages, one.open().media_type) == (2, "image/tiff")
    assert pixels(one.page(1, SMALL)).getpixel((5, 5)) == (0, 0, 0)
    assert pixels(one.page(2, SMALL)).getpixel((5, 5)) == (255, 255, 255)
    with pytest.raises(PageFailed) as failed:
        one.page(3, SMALL)
    assert failed.value.code == "no_such_page"


def test_an_animation_is_one_page_and_a_pdf_engine_gets_a_pdf(reader, tmp_path):
    path = tmp_path / "moving.gif"
    Image.new("L", (80, 80), 0).save(path, save_all=True, append_images=[Image.new("L", (80, 80))])
    one = reader(path)
    payload = one.page(1, PageWant(accepts=(PDF,)))

    assert one.open().pages == 1
    assert payload.media_type == PDF
    with pymupdf.open(stream=payload.data) as copy:
        assert copy[0].get_pixmap().pixel(10, 10) == (0, 0, 0)


def test_a_drawing_names_no_files(reader, tmp_path):
    Image.new("RGB", (50, 50), "red").save(tmp_path / "secret.png")
    path = tmp_path / "drawing.svg"
    path.write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        'width="100" height="100"><rect width="20" height="20" fill="blue"/>'
        f'<image x="50" y="50" width="50" height="50" xlink:href="{tmp_path}/secret.png"/>'
        '<image x="50" y="0" width="50" height="50" xlink:href="secret.png"/></svg>'
    )
    one = reader(path)
    image = pixels(one.page(1, PageWant(accepts=(RGB,), dpi=72)))

    assert one.open().kind == "reflow"
    assert image.getpixel((5, 5)) == (0, 0, 255)
    assert image.getchannel("R").getextrema() == (0, 255)
    assert image.getpixel((75, 25)) == image.getpixel((75, 75)) == (255, 255, 255)


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("dev/tracemonkey.pdf", True),
        ("dev/chinese_tables.pdf", True),
        ("dev/right_to_left_01.pdf", True),
        ("dev/horribleocr.pdf", False),
        ("dev/truetype_font_nomapping.pdf", False),
        ("dev/small_ocr_zh_scan.pdf", False),
        ("hostile/invisible_text_layer.pdf", False),
    ],
)
def test_text_layers_are_judged(corpus, reader, name, sound):
    assert (reader(corpus / name).page(1, SMALL).text == "sound") is sound


def test_a_password_is_asked_for(reader, tmp_path, good_pdf):
    path = tmp_path / "locked.pdf"
    with pymupdf.open(good_pdf) as document:
        document.save(path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="u", owner_pw="o")
    with pytest.raises(Refused, match="needs a password: remove it") as refused:
        reader(path).open()
    assert refused.value.code == "encrypted"

    with pymupdf.open(good_pdf) as document:
        document.save(path, encryption=pymupdf.PDF_ENCRYPT_AES_256, user_pw="", owner_pw="o")
    with pymupdf.open(stream=reader(path).page(1, SMALL).data) as copy:
        assert "page 1" in copy[0].get_text()
