"""The error tree, grouped by what the caller does next.

QuireError                 has a code and a sentence for a person
├── Refused                the caller's input is at fault: answer 4xx or fail the job, do not retry
│   ├── NotFound           404
│   ├── Conflict           409: not in this state
│   ├── TooLarge           413: over a limit
│   └── Busy               429: over the queue limit, with seconds to wait
├── PageFailed             the engine refuses this page: counted against the page's attempts
├── OutsideFailed          engine lost, loading, out of memory: retried, never charged to the page
├── ProtocolError          a message that is not ours: counted and dropped
└── Misconfigured          settings or environment: the process says so and does not start
"""


class QuireError(Exception):
    """Base of all our errors.

    `code` is a stable snake_case word for programs, `str(error)` a sentence for people, `param`
    the name of the field at fault where there is one.
    """

    status = 500

    def __init__(self, message: str, *, code: str = "internal", param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.param = param


class Refused(QuireError):
    """The input is at fault and the same input will be refused again."""

    status = 400


class NotFound(Refused):
    """There is no such thing."""

    status = 404


class Conflict(Refused):
    """The thing exists but is not in a state that allows this."""

    status = 409


class TooLarge(Refused):
    """The input is over a limit named in the message."""

    status = 413


class Busy(Refused):
    """The queue is over its limit; try again after `retry_after_seconds`."""

    status = 429

    def __init__(self, message: str, *, retry_after_seconds: int) -> None:
        super().__init__(message, code="queue_full")
        self.retry_after_seconds = retry_after_seconds


class PageFailed(QuireError):
    """An engine refuses one page. Charged to the page; after its attempts it is `failed`."""


class OutsideFailed(QuireError):
    """Something beside the page failed. The page is tried again and not charged."""

    status = 503


class ProtocolError(QuireError):
    """Bytes on the bus that are not a message of ours."""


class Misconfigured(QuireError):
    """Settings or the machine do not allow this process to start; the message says what to do."""
