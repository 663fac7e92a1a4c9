"""The kinds of arrays that go between detector, recogniser and their runtimes."""

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # ... x height x width x 3, RGB
Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
