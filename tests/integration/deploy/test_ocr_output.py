"""What `quire ocr` does when the system ends while an export is being made."""

import pytest

from deploy.ocr_output import OcrOutput
from shared.errors import OutsideFailed
from tests.fakes.store_work import finished, open_store


def test_an_export_is_not_waited_for_once_the_system_has_ended(tmp_path):
    store = open_store(tmp_path / "data")  # without a collect stage that would make it
    job = finished(store)
    output = OcrOutput(str(tmp_path / "out"), "docx", overwrite=False)
    looks = iter([False, True])
    with pytest.raises(OutsideFailed, match="docx"):
        output.write(store, job, "a.pdf", lambda: next(looks))
    store.close()
