"""The live bus is plain code beside the tests; import-by-path needs it on the path."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from live_bus import Bus


@pytest.fixture
def bus() -> Iterator[Bus]:
    made = Bus()
    made.start_broker()
    yield made
    made.close()
