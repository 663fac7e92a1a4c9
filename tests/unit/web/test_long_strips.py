"""The server and the page's script agree on when a strip stands in runs, and how long those are."""

import re
from pathlib import Path

from web.ui import job_view

SCRIPT = Path(job_view.__file__).resolve().parents[1] / "static" / "cell_runs.js"


def test_the_server_writes_the_runs_that_the_script_makes():
    script = SCRIPT.read_text(encoding="utf-8")
    constants = dict(re.findall(r"const (MANY|RUN) = (\d+);", script))
    assert (int(constants["MANY"]), int(constants["RUN"])) == (
        job_view._MANY,
        job_view._RUN_PAGES,
    )
