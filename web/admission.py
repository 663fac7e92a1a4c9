"""Whether there is room for more work: queue and disk."""

import shutil

from shared.errors import Busy
from shared.settings import MIB, Settings
from store.store import Store

_SHORTEST_WAIT_SECONDS = 5
_LONGEST_WAIT_SECONDS = 600
_DISK_WAIT_SECONDS = 120  # a person or the janitor has to make room
_PAGES_A_MINUTE = 60.0  # a guess where no engine has said its speed


def check_queue(settings: Settings, store: Store, pages_a_minute: float) -> None:
    """Busy when the unfinished jobs or pages are over their limit."""
    jobs, pages = store.open_work()
    over_jobs, over_pages = jobs >= settings.max_queued_jobs, pages >= settings.max_queued_pages
    if not (over_jobs or over_pages):
        return
    excess = max(pages - settings.max_queued_pages, 0) + settings.max_queued_pages // 20
    wait = 60 * excess / (pages_a_minute or _PAGES_A_MINUTE)
    what = f"{jobs} jobs" if over_jobs else f"{pages} pages"
    limit = settings.max_queued_jobs if over_jobs else settings.max_queued_pages
    raise Busy(
        f"{what} are unfinished and the limit is {limit}; try again later.",
        retry_after_seconds=int(min(max(wait, _SHORTEST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)),
    )


def free_bytes(settings: Settings) -> int:
    """Free bytes on the disk of the data directory; 0 when it cannot even be looked at."""
    try:
        return shutil.disk_usage(settings.data).free
    except OSError:
        return 0  # unmounted or gone: nothing can be stored there


def check_disk(settings: Settings, more_bytes: int = 0) -> None:
    """Busy when so many more bytes would leave less than `min_free_mib` on the disk."""
    free = free_bytes(settings) - more_bytes
    if free < settings.min_free_mib * MIB:
        error = Busy(
            f"The disk of the server would have less than {settings.min_free_mib} MiB free.",
            retry_after_seconds=_DISK_WAIT_SECONDS,
        )
        error.code = "disk_full"
        raise error
