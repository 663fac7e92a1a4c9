"""How many bytes of pages may wait in the broker, of all services together: the window.

What is out at workers is not counted: they have asked for it. Within the window each service may
hold so many times what is still free (dynamic thresholds, Choudhury and Hahne 1998): one engine
alone gets most of it, an engine that stands still never all, and some is always left for the pages
of another. Before split makes pages, what they will take is promised to them; pages that come
unforeseen are not kept when they do not fit, and read again when they do.
"""

from bus.queues import MIN_ITEM_BYTES
from shared.settings import MIB

FILL = (
    1  # a service may be given more pages of a job with some here up to so many times what is free
)
MOST = 4  # of a job with none here; nothing is kept beyond that
UNKNOWN_BYTES = 1 * MIB  # what the first page of all is taken to be; then the largest usual one
_SMOOTHING = 0.1  # weight of the newest page in the usual size


class Window:
    """Counts what waits, by service, and what is promised to split tasks."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit = limit_bytes
        self.total = 0
        self.promised = 0
        self.held: dict[str, int] = {}
        self._usual: dict[str, float] = {}

    def count(self, service: str, size: int) -> None:
        """So many bytes more, or fewer, wait for this service."""
        self.held[service] = self.held.get(service, 0) + size
        self.total += size

    def note_size(self, service: str, size: int) -> None:
        """A page of the service has this size."""
        old = self._usual.get(service, size)
        self._usual[service] = old + _SMOOTHING * (size - old)

    @property
    def free(self) -> int:
        """What is neither held nor promised; negative where pages were larger than promised."""
        return self.limit - self.total - self.promised

    def has_room(self, service: str, starving: bool) -> bool:  # noqa: FBT001  one of two thresholds
        """Whether split may make pages for the service; "" where nobody knows yet for which.

        starving: for a job that has no page here.
        """
        if not service:
            return self.free > 0
        return self.held.get(service, 0) < (MOST if starving else FILL) * self.free

    def takes(self, service: str) -> bool:
        """Whether a page that has come may stay. One that does makes the window full at most once:
        it is over its limit by less than a page.
        """
        left = self.limit - self.total
        return left > 0 and self.held.get(service, 0) <= MOST * left

    def pages(self, services: set[str]) -> int:
        """How many pages `takes` would let stay, of these services, or of an unknown one."""
        if not services and 2 * self.free < self.limit:
            return 1  # enough to learn where its pages go
        held = max((self.held.get(service, 0) for service in services), default=0)
        room = (MOST * self.free - held) / (MOST + 1)
        return max(1, int(room / self.usual_bytes(services)))

    def usual_bytes(self, services: set[str]) -> float:
        """The usual size of a page of these services; of the largest kind where none is known."""
        known = [self._usual[service] for service in services if service in self._usual]
        sizes = known or self._usual.values()
        return max(sizes, default=UNKNOWN_BYTES) or MIN_ITEM_BYTES
