"""Jobs and pages as the templates show them: the API's JSON with what follows from it."""

import re
from typing import Any

from shared.records import Job, PageTask
from web.hub import Running
from web.live_job import page_json

_FIRST_NUMBER = re.compile(r"\s*(\d{1,6})")


def job_row(job: Job) -> dict[str, Any]:
    """A job of a list; `first_page` is the one whose picture stands for the document."""
    found = _FIRST_NUMBER.match(job.pages)
    return {**job.to_json(), "first_page": int(found[1]) if found else 1}


def page_row(task: PageTask, running: Running) -> dict[str, Any]:
    """A page of the strip; `note` says why it is as it is."""
    entry = page_json(task, running)
    chosen = entry["choice"] if entry["asked"] != entry["engine"] else ""
    entry["note"] = entry["reason"] or chosen or ""
    return entry
