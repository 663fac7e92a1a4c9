"""Reads numbers and words from a query string."""

from shared.errors import Refused
from shared.states import JobState
from web.front import Req

MAX_LIMIT = 500  # rows of one answer
_MAX_QUERY = 500  # characters of a search


def whole(request: Req, name: str, default: int, lowest: int, highest: int) -> int:
    """A whole number. Refused (`bad_parameter`) when it is none, or out of bounds."""
    text = request.args.get(name)
    if text is None or text == "":
        return default
    if not text.isascii() or not text.isdigit() or not lowest <= int(text[:18]) <= highest:
        raise Refused(
            f"{name} must be a whole number from {lowest} to {highest}.",
            code="bad_parameter",
            param=name,
        )
    return int(text)


def job_state(request: Req) -> JobState | None:
    """The state to filter by. Refused (`bad_parameter`)."""
    text = request.args.get("state") or ""
    try:
        return JobState(text) if text else None
    except ValueError as error:
        states = ", ".join(state.value for state in JobState)
        raise Refused(
            f"{text[:40]!r} is no state: {states}.", code="bad_parameter", param="state"
        ) from error


def words(request: Req) -> str:
    """What to search for. Refused (`bad_parameter`) when it is too long."""
    text = (request.args.get("q") or "").replace("\0", "").strip()
    if len(text) > _MAX_QUERY:
        raise Refused(f"q has more than {_MAX_QUERY} characters.", code="bad_parameter", param="q")
    return text


def page_number(text: str) -> int:
    """A page from a path. Refused (`bad_page`)."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= 999_999:
        raise Refused("Pages are numbered from 1.", code="bad_page", param="page")
    return int(text)
