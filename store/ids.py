"""Job ids that sort by time, and list cursors made from them."""

import base64
import binascii
import re
import secrets
import threading
import time

from shared.errors import Refused

_DIGITS = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_LENGTH = 26  # 48 bits of milliseconds and 80 random bits, as in ULID
_CURSOR = re.compile(r"after:([0-9a-z]{26})")


class JobIds:
    """Makes ids that rise strictly within this process, also many in one millisecond."""

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> str:
        """A new id: 26 characters, lower case, sorting after every earlier one."""
        with self._lock:
            fresh = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
            self._last = max(fresh, self._last + 1)
            value = self._last
        return "".join(_DIGITS[value >> shift & 31] for shift in range(5 * (_LENGTH - 1), -1, -5))


def cursor_after(job_id: str) -> str:
    """The opaque cursor of the list page that begins behind this job."""
    return base64.urlsafe_b64encode(f"after:{job_id}".encode()).decode().rstrip("=")


def job_before_cursor(cursor: str) -> str:
    """The job id inside a cursor. Refused (`bad_cursor`) when we did not make it."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        match = _CURSOR.fullmatch(text.decode("ascii"))
    except (binascii.Error, ValueError):
        match = None
    if match is None:
        raise Refused(
            "The cursor is not one that a list answered; begin again without it.",
            code="bad_cursor",
            param="cursor",
        )
    return match[1]
